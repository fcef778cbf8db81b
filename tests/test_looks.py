"""What is told of tensors, modules and functions by looking at them."""

from __future__ import annotations

import collections
import dataclasses
import random
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from seqify.flow import Ambient
from seqify.looks import (
    alias,
    ambient,
    chance,
    changed_chance,
    flatten,
    name_of,
    property_of,
    state,
    storage_of,
    version_of,
)


@dataclasses.dataclass
class Pair:
    left: object
    right: object


def test_flatten_goes_into_every_container():
    nested = {"a": [1, (2, Pair(3, [4]))], "b": collections.OrderedDict(c=5), "d": slice(6, None, 7)}

    assert list(flatten(nested)) == [1, 2, 3, 4, 5, 6, None, 7]
    assert list(flatten("text")) == ["text"]


def test_flatten_takes_a_class_as_it_is():
    assert list(flatten(Pair)) == [Pair]


def test_alias_is_another_object_on_the_same_storage():
    x = torch.randn(3)
    other = alias(x)

    assert other is not x
    assert storage_of(other) == storage_of(x)
    other.add_(1)
    assert torch.equal(x, other)


@pytest.mark.parametrize("view", [lambda x: x[1:], lambda x: x.view(-1), lambda x: x.T, lambda x: x.detach()])
def test_views_share_storage_and_version(view):
    x = torch.zeros(4, 4)
    other, before = view(x), version_of(x)
    x.add_(1)

    assert storage_of(other) == storage_of(x)
    assert version_of(x) > before
    assert storage_of(x.clone()) != storage_of(x)


def test_a_detached_tensor_sees_the_changes():
    x = torch.zeros(4)
    other = x.detach()
    other.add_(1)

    assert version_of(x) == version_of(other) == 1


def test_an_inference_tensor_has_no_version():
    with torch.inference_mode():
        x = torch.zeros(3)
        assert version_of(x) == -1


def test_a_sparse_tensor_stands_for_its_own_storage():
    x = torch.eye(3).to_sparse()

    assert storage_of(x) == id(x)
    assert torch.equal(alias(x).to_dense(), torch.eye(3))


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (lambda: torch.enable_grad(), Ambient()),
        (lambda: torch.no_grad(), Ambient(grad=False)),
        (lambda: torch.inference_mode(), Ambient(grad=False, inference=True)),
        (lambda: torch.autograd.graph.saved_tensors_hooks(id, id), Ambient(saving=True)),
    ],
)
def test_ambient_is_what_differs_from_outside(block, expected):
    with torch.enable_grad(), block():
        assert ambient(grad=True) == expected


def test_ambient_hands_the_autocast_blocks_on():
    blocks = (("cpu", torch.bfloat16, True),)

    assert ambient(blocks, torch.is_grad_enabled()) == Ambient(autocast=blocks)


def test_a_checkpoint_saves_for_backward():
    seen = []

    def inner(x):
        seen.append(ambient(grad=True).saving)
        return x

    checkpoint(inner, torch.ones(2, requires_grad=True), use_reentrant=False)

    assert seen == [True]


@pytest.mark.parametrize("draw", [random.random, lambda: random.gauss(0, 1), lambda: random.shuffle([1, 2, 3])])
def test_chance_sees_a_draw_of_python(draw):
    before = chance()
    draw()

    assert chance() != before


def test_chance_sees_nothing_of_torch():
    before = chance()
    torch.randn(4)

    assert chance() == before


def test_chance_sees_a_draw_of_numpy():
    np.random.seed(0)
    before = chance()
    np.random.rand()  # numpy fills its state anew at the first draw of 312

    assert chance() != before


def test_chance_sees_every_draw_of_numpy():
    np.random.seed(0)
    np.random.rand()
    before = chance()
    np.random.rand()

    assert chance() != before


def test_an_import_of_numpy_is_no_draw(monkeypatch):
    module = sys.modules["numpy.random"]
    monkeypatch.delitem(sys.modules, "numpy.random")
    before = chance()
    monkeypatch.setitem(sys.modules, "numpy.random", module)

    assert not changed_chance(before, chance())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.scale = nn.Parameter(torch.ones(4))
        self.register_buffer("count", torch.zeros(()))
        self.steps, self.seen, self.table, self.shape = 0, [], {}, (1, 2)
        self.act = F.relu


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda net: setattr(net, "steps", 1), "steps"),
        (lambda net: setattr(net, "new", None), "new"),
        (lambda net: net.seen.append(1), "seen"),
        (lambda net: net.table.update(a=1), "table"),
        (lambda net: setattr(net, "shape", (1, 3)), "shape"),
        (lambda net: setattr(net, "act", F.gelu), "act"),
        (lambda net: net.count.add_(1), "count"),
        (lambda net: setattr(net, "count", torch.ones(())), "count"),
        (lambda net: setattr(net, "scale", nn.Parameter(torch.ones(4))), "scale"),
        (lambda net: net.eval(), "training"),
        (lambda net: delattr(net, "steps"), "steps"),
    ],
)
def test_state_tells_what_changed(change, name):
    net = Net()
    before = state(net)
    change(net)
    after = state(net)

    assert [key for key in before.keys() | after.keys() if before.get(key, "none") != after.get(key, "none")] == [name]


def test_state_is_the_same_when_nothing_changed():
    net = Net()
    before = state(net)
    net.fc(torch.ones(2, 4)).sum().backward()

    assert state(net) == before


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (F.relu, "torch.nn.functional.relu"),
        (torch.flatten, "torch.flatten"),
        (torch.Tensor.view, "torch.Tensor.view"),
        (torch.Tensor.__getitem__, "torch.Tensor.__getitem__"),
        (torch.Tensor.split, "torch.Tensor.split"),
        (F.gelu, "torch.nn.functional.gelu"),
        (F.scaled_dot_product_attention, "torch.nn.functional.scaled_dot_product_attention"),
        (torch.fft.fft, "torch._C._fft.fft_fft"),
    ],
)
def test_names_of_functions(function, name):
    assert name_of(function) == name


def test_names_of_properties():
    assert property_of(torch.Tensor.T.__get__) == "T"
    assert property_of(torch.Tensor.shape.__get__) == "shape"
    assert property_of(len) != ""
