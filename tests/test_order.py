"""The order of construction."""

from __future__ import annotations

import textwrap

import pytest
from torch import nn

from seqify.classes import ClassSource, find_class
from seqify.order import FlatOrder, Placement, order_flat, place
from seqify.source import SourceFile

LINEAR, CONV, RELU, NORM = nn.Linear(4, 4), nn.Conv1d(4, 4, 1), nn.ReLU(), nn.BatchNorm1d(4)


def constructor(text: str) -> ClassSource:
    rows = textwrap.indent(textwrap.dedent(text).strip(), "        ")
    source = SourceFile("model.py", f"class Net(nn.Module):\n    def __init__(self, n=4):\n{rows}\n")
    found = find_class(source, "Net", {}, None)
    assert found is not None
    return found


def placed(text: str, *groups: list[str], needs: dict[int, set[str]] | None = None, **children: nn.Module):
    """Where each group is built, in a constructor whose attributes are the children and Linear layers else."""
    cls = constructor(text)
    every = {name: children.get(name, LINEAR) for group in groups for name in group} | children
    wanted = [frozenset((needs or {}).get(index, set())) for index in range(len(groups))]
    return place(cls, groups, wanted, every)


def flat(text: str, layers: list[str | None], needs: dict[int, set[str]] | None = None, **children: nn.Module):
    every = {name: children.get(name, LINEAR) for name in layers if name is not None} | children
    wanted = [frozenset((needs or {}).get(index, set())) for index in range(len(layers))]
    return order_flat(constructor(text), layers, wanted, every)


TWO = "super().__init__()\nself.a = nn.Linear(n, n)\nself.b = nn.Linear(n, n)\n"


def test_layers_in_order_are_written_inline():
    assert placed(TWO, ["a", "b"]) == [Placement(2, frozenset())]


def test_layers_out_of_order_become_locals():
    """The same seed must still build the same weights."""
    assert placed(TWO, ["b", "a"]) == [Placement(2, frozenset({"a", "b"}))]


@pytest.mark.parametrize("layer", [RELU, NORM])
def test_layers_that_draw_nothing_may_change_places(layer):
    text = TWO.replace("self.b = nn.Linear(n, n)", f"self.b = nn.{type(layer).__name__}(n)")

    assert placed(text, ["b", "a"], b=layer) == [Placement(2, frozenset())]


def test_a_draw_between_two_layers_makes_locals():
    text = TWO.replace("self.b", "self.other = nn.Linear(n, n)\nself.b")

    assert placed(text, ["a", "b"], other=LINEAR) == [Placement(3, frozenset({"a", "b"}))]


def test_a_user_s_own_module_may_draw():
    class Own(nn.Module):
        pass

    text = TWO.replace("self.b", "self.other = Own()\nself.b")

    assert placed(text, ["a", "b"], other=Own()) == [Placement(3, frozenset({"a", "b"}))]


def test_an_interleaved_pair_of_groups_keeps_the_draws():
    text = "".join(f"self.{name} = nn.Linear(n, n)\n" for name in "abcd")
    first, second = placed(text, ["a", "c"], ["b", "d"])

    assert isinstance(first, Placement) and isinstance(second, Placement)
    assert first.locals or second.locals


def test_a_layer_that_is_read_before_the_group_is_built_is_a_local():
    text = "self.a = nn.Linear(n, n)\nnn.init.zeros_(self.a.weight)\nself.b = nn.ReLU()\n"

    assert placed(text, ["a", "b"], b=RELU) == [Placement(2, frozenset({"a"}))]


def test_a_text_that_would_mean_something_else_is_a_local():
    text = "self.a = nn.Linear(n, n)\nn = 8\nself.b = nn.ReLU()\n"

    assert placed(text, ["a", "b"], b=RELU) == [Placement(2, frozenset({"a"}))]


def test_a_use_of_the_module_as_a_whole_forbids():
    text = "self.a = nn.Linear(n, n)\nself.apply(init)\nself.b = nn.Linear(n, n)\n"

    assert placed(text, ["a", "b"]) == [
        "the constructor uses the module as a whole before all of these layers are built"
    ]
    assert placed(TWO + "self.apply(init)\n", ["a", "b"]) == [Placement(2, frozenset())]


def test_a_layer_read_in_a_function_forbids():
    text = "self.a = nn.Linear(n, n)\nf = lambda: self.a\nself.b = nn.Linear(n, n)\n"

    assert placed(text, ["a", "b"]) == ["`__init__` reads a layer inside a function (row 4)"]


def test_a_group_waits_for_the_attributes_it_needs():
    assert placed(TWO + "self.slope = 0.1\n", ["a", "b"], needs={0: {"slope"}}) == [Placement(3, frozenset())]


def test_flat_layers_in_order_stay():
    assert flat(TWO, ["a", None, "b"]) == FlatOrder()


def test_flat_layers_that_draw_nothing_move():
    text = "self.relu = nn.ReLU()\n" + TWO

    assert flat(text, ["a", "relu", "b"], relu=RELU) == FlatOrder(frozenset({"relu"}))


def test_flat_layers_that_draw_in_another_order_become_locals():
    assert flat(TWO, ["b", "a"]) == FlatOrder(anchor=2)


def test_a_flat_layer_that_is_read_does_not_move():
    text = "self.relu = nn.ReLU()\nself.b = nn.Linear(n, n)\nself.relu.inplace = True\nself.c = nn.Linear(n, n)\n"
    order = flat(text, ["b", "relu", "c"], relu=RELU)

    assert order == FlatOrder(anchor=3)


def test_a_flat_class_needs_its_attributes_first():
    assert flat("self.slope = 0.1\n" + TWO, ["a", None, "b"], needs={1: {"slope"}}) == FlatOrder()
    assert flat(TWO + "self.slope = 0.1\n", ["a", None, "b"], needs={1: {"slope"}}) == FlatOrder(anchor=3)


def test_a_flat_class_is_refused_where_the_module_is_used_as_a_whole():
    text = "self.a = nn.Linear(n, n)\nself.apply(init)\nself.b = nn.Linear(n, n)\n"

    assert flat(text, ["b", "a"]) == "the constructor uses the module as a whole before all of these layers are built"
