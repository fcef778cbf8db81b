"""The state that a module can reach, and what is seen to change in it."""

from __future__ import annotations

import array
import collections
import functools
import itertools
import random
import types

import numpy as np
import pytest
import torch
from nets import net
from torch import nn

from seqify.proof.reach import changed, reachable

NUMBERS = {"n": 0}


class Slotted:
    __slots__ = ("__own", "n")

    def __init__(self):
        self.n, self.__own = 0, [0]

    def step(self):
        self.__own[0] += 1


def look(module, *functions):
    return reachable(module, {function.__code__: function.__globals__ for function in functions})


def step(box):
    box["n"] = box.get("n", 0) + 1


CHANGES = {
    "a number": (0, lambda module: setattr(module, "kept", 1), "kept"),
    "a number's type": (1, lambda module: setattr(module, "kept", True), "kept"),
    "a new attribute": (0, lambda module: setattr(module, "other", 1), "other"),
    "a list": ([1], lambda module: module.kept.append(2), "kept (its length)"),
    "a long list": (list(range(999)), lambda module: module.kept.reverse(), "kept"),
    "a dict": ({"a": [1]}, lambda module: module.kept["a"].__setitem__(0, 2), "kept.a[0]"),
    "a set": ({1}, lambda module: module.kept.add(2), "kept"),
    "a deque": (
        collections.deque([1]),
        lambda module: module.kept.rotate() or module.kept.append(1),
        "kept (its length)",
    ),
    "an object": (types.SimpleNamespace(n=0), lambda module: step(vars(module.kept)), "kept.n"),
    "a slot": (Slotted(), lambda module: setattr(module.kept, "n", 1), "kept.n"),
    "a private slot": (Slotted(), lambda module: module.kept.step(), "kept._Slotted__own[0]"),
    "bytes": (bytearray(2), lambda module: module.kept.__setitem__(0, 1), "kept"),
    "an array": (array.array("l", [0]), lambda module: module.kept.__setitem__(0, 1), "kept"),
    "an array of numpy's": (np.zeros(2), lambda module: module.kept.__setitem__(0, 1), "kept"),
    "a generator of numpy's": (np.random.default_rng(0), lambda module: module.kept.random(), "kept"),
    "an older one": (np.random.RandomState(0), lambda module: module.kept.rand(), "kept"),
    "a generator of Python's": (random.Random(0), lambda module: module.kept.random(), "kept"),
    "a generator of torch's": (torch.Generator(), lambda module: torch.rand(2, generator=module.kept), "kept"),
    "a counting iterator": (itertools.count(), lambda module: next(module.kept), "kept"),
    "another iterator": (iter([1]), lambda module: None, "kept"),
    "a tensor": (torch.zeros(2), lambda module: module.kept.add_(1), "kept"),
    "requires_grad": (torch.zeros(2), lambda module: module.kept.requires_grad_(), "kept"),
    "an attribute of a tensor": (torch.zeros(2), lambda module: setattr(module.kept, "n", 1), "kept.n"),
    "a parameter's own attribute": (0, lambda module: step(vars(module.fc.weight)), "_modules.fc._parameters.weight.n"),
    "a submodule's mode": (0, lambda module: module.fc.eval(), "_modules.fc.training"),
    "a hook": (0, lambda module: module.fc.register_forward_hook(print), "_modules.fc._forward_hooks (its length)"),
    "the class": (0, lambda module: setattr(module.fc, "__class__", nn.Identity), "_modules.fc.__class__"),
    "an attribute of the class": (0, lambda module: setattr(type(module), "n", 1), "Net.n"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_seen_to_change(name):
    kept, change, path = CHANGES[name]
    module = net()
    module.kept = kept
    before = look(module)
    change(module)

    assert changed(before, look(module)) == path
    if name != "another iterator":
        assert changed(before, before) is None and changed(look(module), look(module)) is None


def counts(box=[0]):  # noqa: B006
    NUMBERS["n"] += 1
    return box


def closed():
    n = 0

    def inner():
        nonlocal n
        n += 1

    return inner


FUNCTIONS = {
    "a default": (lambda: counts, lambda function: function().append(1), "kept.__defaults__[0] (its length)"),
    "a closure": (closed, lambda function: function(), "kept.n"),
    "an attribute of a function": (lambda: lambda: 0, lambda function: setattr(function, "n", 1), "kept.n"),
    "a partial": (
        lambda: functools.partial(print, [0]),
        lambda function: function.args[0].append(1),
        "kept[1] (its length)",
    ),
    "a method": (lambda: Slotted().step, lambda function: function(), "kept._Slotted__own[0]"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_functions_hold(name):
    make, change, path = FUNCTIONS[name]
    module = net()
    module.kept = make()
    before = look(module)
    change(module.kept)

    assert changed(before, look(module)) == path


def test_globals_are_looked_at_where_code_that_ran_names_them():
    def change():
        NUMBERS["n"] += 1

    module = net()
    idle, running = look(module), look(module, counts)
    change()

    assert changed(idle, look(module)) is None
    assert changed(running, look(module, counts)) == "NUMBERS.n"


def test_what_does_not_count():
    module = net()
    module.kept = {
        "lock": __import__("threading").Lock(),
        "log": __import__("logging").getLogger("x"),
        "nan": float("nan"),
    }
    module.itself = [module]

    assert changed(look(module), look(module)) is None


def test_tensors_of_one_memory():
    module = net()
    module.view = module.fc.weight.detach()[0]
    before = look(module)
    module.view = module.view.clone()

    # the weight is the only one to look at its memory then
    assert changed(before, look(module)) == "_modules.fc._parameters.weight"


def test_tensors_whose_numbers_are_known_elsewhere():
    module = net()
    before = reachable(module, {}, lambda tensor: True)
    with torch.no_grad():
        module.fc.weight.add_(1)

    assert changed(before, reachable(module, {}, lambda tensor: True)) is None
