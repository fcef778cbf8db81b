"""Sizes that remember where they were read."""

from __future__ import annotations

import copy
import math
import operator
import pickle

import pytest
import torch

from seqify.flow import InputRef, SizeOf, SizeOp
from seqify.sizes import TracedFloat, TracedInt, equal_at_random, evaluate, size_product

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


@pytest.mark.parametrize(
    ("compute", "value", "expression"),
    [
        (lambda n: n / 2, 4.0, SizeOp("truediv", (N, 2))),
        (lambda n: n * 1.5, 12.0, SizeOp("mul", (N, 1.5))),
        (lambda n: n**2, 64, SizeOp("pow", (N, 2))),
        (lambda n: 2**n, 256, SizeOp("pow", (2, N))),
        (lambda n: n**0.5, 8**0.5, SizeOp("pow", (N, 0.5))),
        (lambda n: -n, -8, SizeOp("neg", (N,))),
        (abs, 8, SizeOp("abs", (N,))),
        (lambda n: math.ceil(n / 3), 3, SizeOp("ceil", (SizeOp("truediv", (N, 3)),))),
        (lambda n: math.floor(n / 3), 2, SizeOp("floor", (SizeOp("truediv", (N, 3)),))),
        (lambda n: round(n / 3), 3, SizeOp("round", (SizeOp("truediv", (N, 3)),))),
        (lambda n: round(n / 3, 1), 2.7, SizeOp("round", (SizeOp("truediv", (N, 3)), 1))),
        (lambda n: math.prod([n, n]), 64, SizeOp("mul", (N, N))),
    ],
)
def test_arithmetic_beyond_the_whole_numbers_keeps_it_too(compute, value, expression):
    result = compute(traced(8))

    assert type(result) in (TracedInt, TracedFloat)
    assert result == value
    # `math.prod` starts from a plain 1
    assert result.expression in (expression, SizeOp("mul", (SizeOp("mul", (1, N)), N)))
    assert evaluate(result.expression, lambda _: 8) == value


@pytest.mark.parametrize(
    ("make", "text"),
    [(int, "int(8)"), (float, "float(8)"), (math.sqrt, "float(8)"), (lambda n: int(n / 3), "int(2.6666666666666665)")],
)
def test_a_number_made_plain_is_reported(make, text):
    seen: list[tuple[str, object]] = []
    result = make(traced(8, lambda *item: seen.append(item[:2])))

    assert type(result) in (int, float)
    assert [condition for condition, _ in seen] == [text]


def test_complex_and_other_operands_are_left_to_python():
    assert traced(8) * 1j == 8j
    assert [0] * traced(2) == [0, 0]
    with pytest.raises(TypeError):
        traced(8) + "x"


@pytest.mark.parametrize("sign", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_comparisons_are_reported(sign):
    seen: list[tuple[str, bool]] = []
    compare = getattr(operator, sign)
    outcome = compare(traced(8, lambda *item: seen.append(item[:2])), 5)
    symbol = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}[sign]

    assert outcome is compare(8, 5)
    assert seen == [(f"8 {symbol} 5", outcome)]


def test_a_reflected_comparison_is_reported():
    seen: list[tuple[str, bool]] = []
    assert traced(8, lambda *item: seen.append(item[:2])) > 5

    assert seen == [("8 > 5", True)]


def test_the_hook_goes_with_the_arithmetic():
    seen: list[tuple[str, bool]] = []
    assert traced(8, lambda *item: seen.append(item[:2])) * 2 > 1

    assert seen == [("16 > 1", True)]


def test_truth_is_reported():
    """`if x.size(0):` decides on a size as `if x.size(0) != 0:` does."""
    seen: list[tuple[str, bool]] = []
    assert traced(8, lambda *item: seen.append(item[:2]))

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
