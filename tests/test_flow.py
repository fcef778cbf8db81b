"""The dataflow of one forward."""

from __future__ import annotations

import dataclasses

import pytest

from seqify.flow import AttrRef, Flow, InputRef, Loose, Ref, Site, SizeOf, SizeOp, Step, leaves

X = InputRef("x")


def step(index: int, *args: object, **kwargs: object) -> Step:
    return Step(index, "function", "torch.f", None, args, kwargs, None)


def test_users_counts_every_use_and_the_output():
    flow = Flow(("x",), (step(0, X), step(1, Ref(0), other=Ref(0)), step(2, Ref(1))), (Ref(2), {"a": Ref(0)}))

    assert flow.users() == {0: [1, 1, 3], 1: [2], 2: [3]}


def test_a_part_of_a_value_is_a_use_of_it():
    flow = Flow(("x",), (step(0, X), step(1, Ref(0, (1,)))), Ref(1))

    assert flow.users() == {0: [1], 1: [2]}


def test_a_size_is_no_use():
    flow = Flow(("x",), (step(0, X), step(1, X, SizeOf(Ref(0), 0), SizeOp("mul", (SizeOf(Ref(0), 1), 2)))), Ref(1))

    assert flow.users() == {0: [], 1: [2]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (X, [X]),
        ((Ref(0), [AttrRef("w"), {"k": Loose("")}]), [Ref(0), AttrRef("w"), Loose("")]),
        (slice(Ref(0), None, Ref(1)), [Ref(0), Ref(1)]),
        (SizeOf(X, 0), []),
        (3, []),
        (None, []),
    ],
)
def test_leaves(value, expected):
    assert list(leaves(value)) == expected


def test_a_site_counts_bytes_from_zero_and_a_location_from_one():
    place = Site("model.py", 3, 4, 5, 6, "Net.forward", 2).location()

    assert (place.row, place.column, place.end_row, place.end_column) == (3, 5, 5, 7)


def test_nothing_can_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        step(0).index = 1


def test_steps_are_compared_by_what_they_do():
    """Where a call stands is no part of what it is."""
    here = Site("model.py", 1, 0, 1, 1, "f", 1)

    assert step(0, X) == dataclasses.replace(step(0, X), site=here, function=print)
