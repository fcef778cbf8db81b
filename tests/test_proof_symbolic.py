"""Records at sizes that are symbols. One process imports what torch needs for it once, which takes a second."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqify.proof.isomorphism import Case, prove
from seqify.proof.symbolic import lower_symbolic
from seqify.trial import Setting

pytestmark = pytest.mark.xdist_group("symbolic")

IMAGE = torch.randn(4, 3, 12, 16)


class Net(nn.Module):
    def __init__(self, forward):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.then = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1), forward

    def forward(self, x):
        return self.then(self, x)


def symbolic(forward, x=IMAGE, which="all", mode="eval"):
    return lower_symbolic(Net(forward), {"x": x}, Setting(mode), which)


def scope(old, new, which="all"):
    """The inputs that the two are proved to be one for; "" where they are not."""
    case = Case({"mode": "eval", "dtype": "", "inputs": ""}, symbolic(old, which=which), symbolic(new, which=which))
    found = prove([case], {name: name for name in Net(old).state_dict()}, "cpu")
    return str(case.old.symbols["x"]) if found.status == "proved" else ""


def test_symbols_and_conditions():
    found = symbolic(lambda net, x: F.max_pool2d(net.a(x), 2))

    assert found.error is None and found.doubts == ()
    assert found.symbols == {"x": ("n", 3, "h", "w")}
    assert found.results["forward"]["output"].size == ("n", 4, "(h//2)", "(w//2)")
    assert symbolic(lambda net, x: net.a(x), which="batch").symbols == {"x": ("n", 3, 12, 16)}


ONE = {
    "flatten and view": (lambda net, x: net.a(x).flatten(1), lambda net, x: net.a(x).view(x.size(0), -1)),
    "half a size": (lambda net, x: net.a(x) * (x.shape[2] // 2), lambda net, x: net.a(x).mul(x.shape[2] // 2)),
    "pools": (lambda net, x: F.max_pool2d(net.a(x), 2), lambda net, x: nn.MaxPool2d(2)(net.a(x))),
}


@pytest.mark.parametrize("name", ONE)
def test_what_is_one_at_all_sizes(name):
    assert scope(*ONE[name]) == "('n', 3, 'h', 'w')"


def when(asked):
    return lambda net, x: net.b(x) if asked(*x.shape) else net.a(x)


# Each is true at sizes that no example has.
OTHER_SIZES = {
    "odd": lambda n, c, h, w: h % 2 == 1,
    "large": lambda n, c, h, w: h > 100,
    "one batch size": lambda n, c, h, w: n == 7,
    "area": lambda n, c, h, w: h * w > 10_000,
    "the larger": lambda n, c, h, w: max(h, w) > 100,
    "square": lambda n, c, h, w: h == w,
    "root": lambda n, c, h, w: math.sqrt(h) > 10,
    "half": lambda n, c, h, w: int(h * 0.5) > 100,
    "in a tuple": lambda n, c, h, w: h in (64, 128),
    "in a dict": lambda n, c, h, w: {64: True}.get(h, False),
    "in a loop": lambda n, c, h, w: len(range(0, h, 50)) > 2,
    "as a text": lambda n, c, h, w: str(h).endswith("7"),
    "in a text": lambda n, c, h, w: f"{h}".startswith("7"),
    "of a type": lambda n, c, h, w: isinstance(h, int) and h > 100,
}


@pytest.mark.parametrize("name", OTHER_SIZES)
def test_what_another_size_decides(name):
    new = when(OTHER_SIZES[name])

    assert scope(lambda net, x: net.a(x), new) == scope(new, lambda net, x: net.a(x)) == ""


FIXED = {
    "a number": (lambda net, x: net.a(x) * x.shape[2], lambda net, x: net.a(x) * 12),
    "a float": (lambda net, x: net.a(x) / math.sqrt(x.shape[3]), lambda net, x: net.a(x) / 4.0),
    "a constant": (lambda net, x: net.a(x) * torch.tensor(x.shape[2]), lambda net, x: net.a(x) * torch.tensor(12)),
    "a view": (lambda net, x: net.a(x).flatten(1), lambda net, x: net.a(x).view(4, -1)),
    "a slice": (lambda net, x: net.a(x)[:, :, : x.shape[2] // 2], lambda net, x: net.a(x)[:, :, :6]),
    "a result": (lambda net, x: (net.a(x), x.shape[2]), lambda net, x: (net.a(x), x.shape[2] + x.shape[2] // 100)),
    "height and width": (lambda net, x: net.a(x) * x.shape[2], lambda net, x: net.a(x) * (x.shape[3] - 4)),
    "batch and channels": (lambda net, x: net.a(x) * x.shape[0], lambda net, x: net.a(x) * net.a.out_channels),
}


@pytest.mark.parametrize("name", FIXED)
def test_what_agrees_at_the_given_size_alone(name):
    assert scope(*FIXED[name]) == ""


def test_values_are_not_there_to_decide_on():
    found = symbolic(lambda net, x: net.a(x) if x.sum() > 0 else net.b(x))

    assert found.error is not None or found.doubts


def test_what_stand_ins_cannot_run():
    assert (symbolic(lambda net, x: net.a(x)[:, 9]).error or "").startswith("IndexError")


def test_the_module_keeps_its_numbers():
    module = Net(lambda net, x: net.a(x))
    before = module.a.weight.clone()
    lower_symbolic(module, {"x": IMAGE}, Setting("train"), "all")

    assert torch.equal(module.a.weight, before) and module.a.weight.grad is None
