"""Source for plain values, and its imports."""

from __future__ import annotations

import enum
import functools
import math
import operator
from collections import Counter, OrderedDict, namedtuple
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqify.emit.literal import CannotWrite, Imports, Literals

Point = namedtuple("Point", "x y")


class Color(enum.Enum):
    RED = 1


class Mode(enum.Flag):
    A = 1
    B = 2


class Outer:
    class Inner:
        pass

    @classmethod
    def make(cls) -> None: ...


def text(value: Any) -> str:
    return Literals(Imports()).node(value, "", "value").flat


PLAIN = [
    (None, "None"),
    (True, "True"),
    (-3, "-3"),
    (0.1, "0.1"),
    (1e-6, "1e-06"),
    (math.inf, 'float("inf")'),
    (-math.inf, 'float("-inf")'),
    ("it's", '"it\'s"'),
    (b"x", "b'x'"),
    (1 + 2j, "(1+2j)"),
    (complex(math.inf, 0), 'complex(float("inf"), 0.0)'),
    ((), "()"),
    ((1,), "(1,)"),
    ([1, (2, 3)], "[1, (2, 3)]"),
    ({"a": [1], 2: None}, '{"a": [1], 2: None}'),
    ({}, "{}"),
    ({2, 1}, "{1, 2}"),
    (set(), "set()"),
    (frozenset({1}), "frozenset({1})"),
    (frozenset(), "frozenset()"),
    (OrderedDict(a=1), 'OrderedDict({"a": 1})'),
    (slice(1, None), "slice(1, None)"),
    (slice(None, None, 2), "slice(None, None, 2)"),
    (range(3), "range(0, 3)"),
    (..., "..."),
    (torch.float16, "torch.float16"),
    (torch.channels_last, "torch.channels_last"),
    (torch.strided, "torch.strided"),
    (torch.device("cpu"), 'torch.device("cpu")'),
    (torch.Size([1, 2]), "torch.Size([1, 2])"),
    (Color.RED, "Color.RED"),
    (Point(1, 2), "Point(x=1, y=2)"),
    (nn.ReLU, "nn.ReLU"),
    (nn.Module, "nn.Module"),
    (F.relu, "F.relu"),
    (F.gelu, "F.gelu"),
    (F.max_pool2d, "F.max_pool2d"),
    (torch.relu, "torch.relu"),
    (torch.Tensor, "torch.Tensor"),
    (nn.init.zeros_, "nn.init.zeros_"),
    (len, "len"),
    (int, "int"),
    (math.sqrt, "sqrt"),
    (operator.add, "add"),
    (Outer.Inner, "Outer.Inner"),
    (Outer.make, "Outer.make"),
    (functools.partial(nn.LayerNorm, eps=1e-6), "partial(nn.LayerNorm, eps=1e-06)"),
    (functools.partial(max, 1), "partial(max, 1)"),
    (math, "math"),
]


@pytest.mark.parametrize(("value", "source"), PLAIN, ids=[source for _, source in PLAIN])
def test_a_value_and_its_text(value: Any, source: str) -> None:
    literals = Literals(Imports())
    node = literals.node(value, "", "value")

    assert source == node.flat
    built = literals.imports.evaluate(node.flat)
    assert type(built) is type(value)
    if not isinstance(value, functools.partial):
        assert built == value


def test_not_a_number() -> None:
    assert text(math.nan) == 'float("nan")'
    assert math.isnan(Imports().evaluate(text(math.nan)))


def module_function() -> None: ...


hidden = module_function


def module_function() -> None: ...


CANNOT = [
    (lambda x: x, "`act` is a lambda"),
    (torch.ones(2), "`act` is a Tensor"),
    (object(), "`act` is an object"),
    (Counter("a"), "`act` is a Counter"),
    (Mode.A | Mode.B, "`act` is a Mode"),
    (iter([1]), "`act` is a list_iterator"),
    ([{"a": lambda: 1}], "`act` is a lambda"),
    (nn.ReLU().forward, "`forward` cannot be imported: it is not what `torch.nn.modules.activation.ReLU.forward` is"),
    (hidden, "`module_function` cannot be imported: it is not what `test_literal.module_function` is"),
]


@pytest.mark.parametrize(("value", "reason"), CANNOT, ids=[reason for _, reason in CANNOT])
def test_what_no_text_gives(value: Any, reason: str) -> None:
    with pytest.raises(CannotWrite) as caught:
        Literals(Imports()).node(value, "layer1.0", "act")

    assert caught.value.path == "layer1.0"
    assert caught.value.reason == reason
    assert str(caught.value) == f"`layer1.0`: {reason}"


def test_local_definitions() -> None:
    class Block:
        pass

    def act() -> None: ...

    for value, name in ((Block, "Block"), (act, "act")):
        with pytest.raises(CannotWrite, match=f"^`{name}` is defined inside a function$"):
            text(value)


def test_a_class_of_the_main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Outer, "__module__", "__main__")

    with pytest.raises(CannotWrite, match="`Outer` is defined in `__main__`, which no other file can import"):
        text(Outer)


def test_a_module_that_no_import_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import ModuleType

    module = ModuleType("only_in_memory")
    module.Outer = Outer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "only_in_memory", module)
    monkeypatch.setattr(Outer, "__module__", "only_in_memory")

    with pytest.raises(CannotWrite, match="cannot be imported"):
        text(Outer)


def test_imports_are_sorted_and_sectioned() -> None:
    imports = Imports()
    for value in (functools.partial(F.relu), nn.ReLU, Outer, Point, Color, OrderedDict(), torch.float16):
        Literals(imports).node(value, "", "value")

    assert imports.lines == (
        "from collections import OrderedDict",
        "from functools import partial",
        "",
        "import torch",
        "import torch.nn.functional as F",
        "from test_literal import Color, Outer, Point",
        "from torch import nn",
    )


def test_a_name_in_use_gets_a_number() -> None:
    imports = Imports(taken=["Outer", "nn"])
    literals = Literals(imports)

    assert [literals.node(value, "", "").flat for value in (Outer.Inner, Outer, nn.ReLU)] == [
        "Outer2.Inner",
        "Outer2",
        "nn2.ReLU",
    ]
    assert imports.lines == ("from test_literal import Outer as Outer2", "from torch import nn as nn2")
    assert imports.evaluate("Outer2") is Outer
    assert [name in imports for name in ("Outer", "Outer2", "len", "Outer3")] == [True, True, True, False]


def test_a_long_import() -> None:
    imports = Imports()
    names = [
        imports.name("os", name)
        for name in (
            "posix_fallocate",
            "get_terminal_size",
            "register_at_fork",
            "sched_setscheduler",
            "terminal_size",
            "waitstatus_to_exitcode",
        )
    ]

    (line,) = imports.lines
    assert line.splitlines() == ["from os import (", *(f"    {name}," for name in sorted(names)), ")"]


def test_evaluating_leaves_no_trace() -> None:
    state = torch.get_rng_state()
    torch.set_default_dtype(torch.float64)
    try:
        imports = Imports()
        imports.name("torch")
        value = imports.evaluate("torch.rand(2)")
        meta = imports.evaluate("torch.rand(2)", meta=True)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)

    assert value.dtype == torch.float32
    assert meta.is_meta
    assert torch.equal(state, torch.get_rng_state())
