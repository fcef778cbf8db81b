"""Sizes that remember where they were read."""

from __future__ import annotations

import copy
import operator
import pickle

import pytest
import torch

from seqify.flow import InputRef, SizeOf, SizeOp
from seqify.sizes import TracedInt, equal_at_random, size_product

X = InputRef("x")
N, C, H = (SizeOf(X, dim) for dim in range(3))


def traced(value: int, hook=None) -> TracedInt:
    return TracedInt(value, N, hook)


@pytest.mark.parametrize(
    ("compute", "value", "expression"),
    [
        (lambda n: n + 1, 9, SizeOp("add", (N, 1))),
        (lambda n: 1 + n, 9, SizeOp("add", (1, N))),
        (lambda n: n - 1, 7, SizeOp("sub", (N, 1))),
        (lambda n: 10 - n, 2, SizeOp("sub", (10, N))),
        (lambda n: n * n, 64, SizeOp("mul", (N, N))),
        (lambda n: n // 3, 2, SizeOp("floordiv", (N, 3))),
        (lambda n: 17 // n, 2, SizeOp("floordiv", (17, N))),
        (lambda n: n % 3, 2, SizeOp("mod", (N, 3))),
        (lambda n: 17 % n, 1, SizeOp("mod", (17, N))),
        (lambda n: (n + 1) * 2, 18, SizeOp("mul", (SizeOp("add", (N, 1)), 2))),
    ],
)
def test_arithmetic_keeps_the_expression(compute, value, expression):
    result = compute(traced(8))

    assert type(result) is TracedInt
    assert int(result) == value
    assert result.expression == expression


@pytest.mark.parametrize("compute", [lambda n: n / 2, lambda n: n**2, lambda n: -n, abs, int, float, lambda n: n * 1.5])
def test_other_arithmetic_gives_a_plain_number(compute):
    assert type(compute(traced(8))) in (int, float)
    assert compute(traced(8)) == compute(8)


@pytest.mark.parametrize("sign", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_comparisons_are_reported(sign):
    seen: list[tuple[str, bool]] = []
    compare = getattr(operator, sign)
    outcome = compare(traced(8, lambda *item: seen.append(item)), 5)
    symbol = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}[sign]

    assert outcome is compare(8, 5)
    assert seen == [(f"8 {symbol} 5", outcome)]


def test_a_reflected_comparison_is_reported():
    seen: list[tuple[str, bool]] = []
    assert traced(8, lambda *item: seen.append(item)) > 5

    assert seen == [("8 > 5", True)]


def test_the_hook_goes_with_the_arithmetic():
    seen: list[tuple[str, bool]] = []
    assert traced(8, lambda *item: seen.append(item)) * 2 > 1

    assert seen == [("16 > 1", True)]


def test_truth_is_reported():
    """`if x.size(0):` decides on a size as `if x.size(0) != 0:` does."""
    seen: list[tuple[str, bool]] = []
    assert traced(8, lambda *item: seen.append(item))

    assert len(seen) == 1


def test_it_is_a_plain_number_to_everybody_else():
    size = traced(3)

    assert list(range(size)) == [0, 1, 2]
    assert "abcd"[size] == "d"
    assert f"{size}" == "3"
    assert torch.zeros(size, 2).shape == (3, 2)
    assert {3: "three"}[size] == "three"
    assert isinstance(size, int)


def test_a_copy_is_a_plain_number():
    for result in (copy.deepcopy(traced(3)), pickle.loads(pickle.dumps(traced(3)))):
        assert type(result) is int
        assert result == 3


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (N, N, True),
        (N, C, False),
        (3, 3, True),
        (3, 4, False),
        (SizeOp("mul", (N, C)), SizeOp("mul", (C, N)), True),
        (SizeOp("mul", (N, SizeOp("add", (C, 1)))), SizeOp("add", (SizeOp("mul", (N, C)), N)), True),
        (SizeOp("add", (N, 1)), N, False),
        (SizeOp("floordiv", (SizeOp("mul", (N, C)), N)), C, True),
        (SizeOp("mul", (SizeOp("floordiv", (N, 2)), 2)), N, False),
        (SizeOp("mul", (N, C)), SizeOp("mul", (N, H)), False),
        (SizeOf(InputRef("y"), 0), N, False),
    ],
)
def test_equal_at_random(left, right, expected):
    assert equal_at_random(left, right) is expected


def test_size_product():
    assert equal_at_random(size_product(X, range(1, 3)), SizeOp("mul", (C, H)))
    assert equal_at_random(size_product(X, range(0)), 1)
