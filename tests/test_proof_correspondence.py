"""Which tensor is which, of modules that nobody described to each other."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from nets import graph, proof
from torch import nn

from seqify.compare.description import describe
from seqify.proof.correspondence import correspond
from seqify.proof.record import Record


def pairs(old, new, *inputs):
    traits = [{name: (*found[:2], found[3]) for name, found in describe(side).traits.items()} for side in (old, new)]
    return correspond(graph(old, *inputs), graph(new, *inputs), (traits[0], traits[1]))


def sequence(**layers):
    torch.manual_seed(0)
    return nn.Sequential(OrderedDict(layers))


def linear():
    return nn.Linear(4, 4)


def test_equal_keys_are_equal_tensors():
    found = pairs(sequence(a=linear(), b=linear()), sequence(a=linear(), b=linear()))

    assert dict(found.names) == {name: name for name in ("a.weight", "a.bias", "b.weight", "b.bias")}
    assert not found.renamed


def test_equal_keys_in_other_roles_are_not_exchanged():
    old, new = sequence(a=linear(), b=linear()), sequence(b=linear(), a=linear())

    assert not pairs(old, new).renamed
    assert proof(old, new).status == "unproved"


def test_layers_are_paired_in_the_order_of_their_calls():
    old, new = sequence(a=linear(), b=linear()), sequence(x=linear(), y=linear())
    found = pairs(old, new)

    assert dict(found.names) == {"x.weight": "a.weight", "x.bias": "a.bias", "y.weight": "b.weight", "y.bias": "b.bias"}
    assert found.renamed and not found.left and not found.ambiguous
    assert proof(old, new, names=found.names).status == "proved"


def test_an_inserted_layer_does_not_shift_the_others():
    old = sequence(a=linear(), b=nn.Linear(4, 3), c=nn.Linear(3, 4))
    new = sequence(x=linear(), extra=nn.LayerNorm(4), y=nn.Linear(4, 3), z=nn.Linear(3, 4))
    found = pairs(old, new)

    assert [found.names[f"{name}.weight"] for name in "xyz"] == ["a.weight", "b.weight", "c.weight"]
    assert found.left == (("new", "extra.weight"), ("new", "extra.bias"))


def test_what_belongs_to_a_layer_comes_along():
    old, new = sequence(norm=nn.BatchNorm1d(4)), sequence(bn=nn.BatchNorm1d(4))

    assert pairs(old, new).names["bn.num_batches_tracked"] == "norm.num_batches_tracked"


def test_names_that_fit_no_other_are_left():
    old, new = sequence(a=linear()), sequence(a=nn.Linear(4, 4, bias=False), b=nn.Linear(4, 2))

    assert pairs(old, new).left == (("old", "a.bias"), ("new", "b.weight"), ("new", "b.bias"))


class Unused(nn.Module):
    def __init__(self, *names):
        super().__init__()
        for name in names:
            setattr(self, name, linear())

    def forward(self, x):
        return next(self.children())(x)


def test_what_is_in_no_call_is_paired_where_that_leaves_no_choice():
    assert pairs(Unused("a", "b"), Unused("a", "c")).names["c.weight"] == "b.weight"
    found = pairs(Unused("a", "b", "c"), Unused("a", "x", "y"))
    assert set(found.ambiguous) == {"x.weight", "x.bias", "y.weight", "y.bias"}


def test_tied_tensors():
    def tied(first, second):
        module = sequence(**{first: linear(), second: linear()})
        module.get_submodule(second).weight = module.get_submodule(first).weight
        return module

    found = pairs(tied("a", "b"), tied("x", "y"))
    assert dict(found.names)["x.weight"] == "a.weight" and dict(found.names)["y.weight"] == "b.weight"


@pytest.mark.parametrize("shape", [(4,), (2, 4)])
def test_shapes_are_never_paired_with_others(shape):
    traits = {"a": ((4, 4), torch.float32, True)}, {"b": (shape, torch.float32, True)}

    assert correspond(Record({}, (), {}), Record({}, (), {}), traits).names == {}
