"""The structure of outputs: what tells two apart, and where their tensors are found."""

from __future__ import annotations

import enum
from collections import OrderedDict, UserDict, namedtuple
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from seqify.structure import flatten, opaque_parts

T, U = torch.zeros(2), torch.ones(2)
Pair, Swapped = namedtuple("Pair", "a b"), namedtuple("Pair", "b a")


@dataclass
class Box:
    a: object
    b: object = 1


class Color(enum.Enum):
    RED = 1


def structure(value):
    opaque = []
    found = {}
    return flatten(value, "output", found, lambda tensor: tensor.requires_grad, opaque.append), list(found), opaque


FOUND = {
    "a tensor": (T, ["output"]),
    "a list": ([T, (U,)], ["output[0]", "output[1][0]"]),
    "a dict": ({"a": T, 1: U}, ["output['a']", "output[1]"]),
    "a mapping": (UserDict(a=T), ["output['a']"]),
    "a named tuple": (Pair(T, U), ["output[0]", "output[1]"]),
    "a dataclass": (Box(T), ["output.a"]),
    "an object": (SimpleNamespace(a=T, b=[U]), ["output.a", "output.b[0]"]),
    "nothing": (None, []),
}


@pytest.mark.parametrize("name", FOUND)
def test_where_tensors_are_found(name):
    value, names = FOUND[name]
    assert structure(value)[1:] == (names, [])


TWO = {
    "True and 1": (True, 1),
    "1 and 1.0": (1, 1.0),
    "0.0 and -0.0": (0.0, -0.0),
    "complex numbers": (1j, 2j),
    "a text and an object": ("SimpleNamespace", SimpleNamespace()),
    "None and its name": (None, "NoneType"),
    "list and tuple": ([T], (T,)),
    "dicts in another order": ({"a": T, "b": U}, {"b": U, "a": T}),
    "a dict of another type": ({"a": T}, OrderedDict(a=T)),
    "keys": ({1: T}, {True: T}),
    "fields": (Pair(T, U), Swapped(T, U)),
    "what is beside tensors": (Box(T, 1), Box(T, 2)),
    "dtypes": (torch.float32, torch.float64),
    "enums": (Color.RED, 1),
    "arrays": (np.zeros(2), np.ones(2)),
    "numbers of numpy's": (np.float64(1), np.float32(1)),
    "a parameter and a tensor": (nn.Parameter(T), T.clone().requires_grad_()),
    "what is looked at": (T, T.clone().requires_grad_()),
}


@pytest.mark.parametrize("name", TWO)
def test_what_tells_structures_apart(name):
    left, right = (structure(value)[0] for value in TWO[name])
    assert left != right


@pytest.mark.parametrize(
    "value", [float("nan"), [T, {"a": (U, 1.5)}], Box(T), torch.Size([2]), np.zeros(2), {Color.RED: T}]
)
def test_equal_values_have_equal_structures(value):
    assert structure(value)[0] == structure(value)[0] and structure(value)[2] == []


@pytest.mark.parametrize("value", [{T}, iter([T]), lambda: T, (T for _ in "a"), object()])
def test_what_cannot_be_looked_into(value):
    assert structure([T, value])[2] == [type(value).__name__]


def test_an_object_that_holds_itself():
    box = SimpleNamespace(a=T)
    box.b = box

    assert structure(box)[2] == ["SimpleNamespace"]


def test_inputs_that_no_tensors_are_looked_for_in():
    assert list(opaque_parts([T, 1, None, "a", {"b": (T, torch.float32)}, Pair(T, U)])) == []
    assert list(opaque_parts([T, [Box(T)], UserDict(a=T)])) == ["Box", "UserDict"]
