"""Which submodules are opened, and which stay whole."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from seqify.api import trace
from seqify.openness import Openness, carries_more, is_torch_layer
from seqify.tracing import copied

X, X3 = torch.randn(8, 4), torch.randn(3, 4)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return F.relu(self.fc(x))


class Marked(Block):  # seqify: leaf
    pass


class MarkedForward(Block):
    def forward(self, x):  # seqify: leaf
        return self.fc(x)


class Called(Block):
    def __call__(self, x):
        return super().__call__(x) * 2


class Wrapper(nn.Module):
    """As DataParallel and its like."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)


class Net(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.block = block
        self.head = nn.Linear(4, 4)

    def forward(self, x):
        return self.head(self.block(x))


def calls(net: nn.Module, depth: int | str = "full") -> list[str]:
    return [step.target for step in trace(net, X, depth=depth).meta["flow"].steps]


class MyLinear(nn.Linear):
    def forward(self, x):
        return super().forward(x) * 2


class MySequential(nn.Sequential):
    def forward(self, x):
        return super().forward(x) * 2


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.Linear(4, 4), True),
        (MyLinear(4, 4), True),
        (nn.MultiheadAttention(4, 2), True),
        (nn.TransformerEncoderLayer(4, 2), True),
        (nn.LazyLinear(4), True),
        (torch.jit.script(nn.ReLU()), True),
        (nn.Sequential(), False),
        (MySequential(), False),
        (nn.ModuleList(), False),
        (Block(), False),
    ],
)
def test_layers_of_torch(module, expected):
    assert is_torch_layer(module) is expected


def hooked(name):
    module = Block()
    getattr(module, name)(lambda *args: None)
    return module


def patched():
    module = Block()
    module.forward = lambda x: x
    return module


def parametrized():
    module = Block()
    module.scale = nn.Parameter(torch.ones(4))
    parametrize.register_parametrization(module, "scale", nn.ReLU())
    return module


CARRYING = [
    (lambda: hooked("register_forward_hook"), "it has hooks"),
    (lambda: hooked("register_forward_pre_hook"), "it has hooks"),
    (lambda: hooked("register_full_backward_hook"), "it has hooks"),
    (parametrized, "it is parametrized"),
    (patched, "the instance has a forward of its own"),
    (Called, "its class has a `__call__` of its own"),
]


@pytest.mark.parametrize(("make", "reason"), CARRYING)
def test_what_a_call_is_more_than_forward_for(make, reason):
    assert carries_more(make()) == reason
    assert carries_more(Block()) is None


@pytest.mark.parametrize(("make", "reason"), CARRYING)
def test_it_stays_whole_and_replays(make, reason):
    net = Net(make())
    graph = trace(net, X, depth="full")

    if reason != "it is parametrized":  # such a class is made by torch and counts as a layer of its
        assert [(kept.path, kept.reason) for kept in graph.meta["flow"].kept] == [("block", reason)]
    assert calls(net) == ["block", "head"]
    assert torch.equal(graph(X3), net(X3))


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        (0, ["block", "head"]),
        (1, ["block.0", "block.1", "head"]),
        (2, ["block.0.fc", "torch.nn.functional.relu", "block.1.fc", "torch.nn.functional.relu", "head"]),
        ("full", ["block.0.fc", "torch.nn.functional.relu", "block.1.fc", "torch.nn.functional.relu", "head"]),
        ("blocks", ["block.0.fc", "torch.nn.functional.relu", "block.1.fc", "torch.nn.functional.relu", "head"]),
    ],
)
def test_depth(depth, expected):
    assert calls(Net(nn.Sequential(Block(), Block())), depth) == expected


def test_blocks_opens_straight_lines_alone():
    class Skip(Block):
        def forward(self, x):
            return x + self.fc(x)

    net = Net(nn.Sequential(Block(), Skip()))

    assert calls(net, "blocks") == ["block.0.fc", "torch.nn.functional.relu", "block.1", "head"]


@pytest.mark.parametrize("block", [Marked, MarkedForward])
def test_a_marked_class_stays_whole(block):
    graph = trace(Net(block()), X)

    assert [step.target for step in graph.meta["flow"].steps] == ["block", "head"]
    assert [kept.reason for kept in graph.meta["flow"].kept] == ["`# seqify: leaf` says so"]


def test_a_marked_attribute_stays_whole():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = Block()  # seqify: leaf
            self.second = Block()

        def forward(self, x):
            return self.second(self.first(x))

    assert calls(Two()) == ["first", "second.fc", "torch.nn.functional.relu"]


def test_a_wrapper_is_opened():
    net = Net(Wrapper(Block()))

    assert calls(net) == ["block.module.fc", "torch.nn.functional.relu", "head"]
    assert torch.equal(trace(net, X)(X3), net(X3))


@pytest.mark.parametrize("wrap", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_a_parametrized_layer_stays_whole(wrap):
    net = Net(nn.Sequential(wrap(nn.Linear(4, 4)), nn.ReLU()))

    assert calls(net) == ["block.0", "block.1", "head"]


class Numbers(Block):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))
        self.calls = 0


def steps(self, x):
    self.calls += 1
    return self.fc(x)


def counts(self, x):
    self.seen += 1
    return self.fc(x)


def hooks(self, x):
    y = self.fc(x)
    if y.requires_grad:
        y.register_hook(lambda grad: grad * 2)
    return y


KEPT = {
    "bool": (lambda self, x: self.fc(x) if x.sum() > 0 else x.tanh(), "decides on the value"),
    "item": (lambda self, x: self.fc(x) * x.max().item(), "decides on the value"),
    "tolist": (lambda self, x: self.fc(x) * x.tolist()[0][0], "takes a tensor's values out of torch"),
    "numpy": (lambda self, x: self.fc(x) + torch.from_numpy(x.detach().numpy()), "takes a tensor's values out of torch"),
    "size of nonzero": (lambda self, x: self.fc(x) if len(x[x > 0]) > 3 else x, "how many values"),
    "random": (lambda self, x: self.fc(x) * random.random(), "draws random numbers"),
    "numpy random": (lambda self, x: self.fc(x) * float(np.random.rand(700)[0]), "draws random numbers"),
    "hook": (hooks, "asks `requires_grad`"),
    "attribute": (steps, "changes `calls`"),
    "buffer": (counts, "changes `seen`"),
    "mode": (lambda self, x: self.fc(x).tanh() if self.training else self.fc(x), "train and eval"),
    "batch": (lambda self, x: self.fc(x).tanh() if x.shape[0] > 4 else self.fc(x), "another batch size"),
    "slope": (lambda self, x: F.leaky_relu(self.fc(x), 0.1 * (1 + self.training)), "changes with the mode"),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_a_block_that_cannot_be_opened_is_kept_whole(name):
    forward, reason = KEPT[name]
    block = type("Odd", (Numbers,), {"forward": forward})()
    net = Net(nn.Sequential(Block(), block))
    graph = trace(net, X, depth="full")
    (kept,) = graph.meta["flow"].kept

    assert kept.path == "block.1" and reason in kept.reason
    assert [step.target for step in graph.meta["flow"].steps][-2:] == [kept.path, "head"]
    for values in (X, X3, -X.abs()):
        seed()
        expected = copied(net)(values)
        seed()
        assert torch.equal(graph(values), expected)


def seed() -> None:
    random.seed(0)
    np.random.seed(0)


def test_the_second_of_a_class_takes_the_others_with_it():
    odd = type("Odd", (Block,), {"forward": KEPT["bool"][0]})
    net = Net(nn.Sequential(*[odd() for _ in range(4)], Block()))

    assert calls(net)[:5] == ["block.0", "block.1", "block.2", "block.3", "block.4.fc"]


def test_reasons():
    openness = Openness(1, paths={"a": "by path"}, kinds={Called: "by kind"})
    parent = nn.Module()

    assert openness.reason(nn.ReLU(), "relu", 0, parent) == ""
    assert openness.reason(Block(), "b", 1, parent) == ""
    assert openness.reason(Block(), "b", 0, parent) is None
    assert openness.reason(Block(), "a", 0, parent) == "by path"
    assert openness.reason(Called(), "c", 0, parent) == "its class has a `__call__` of its own"
