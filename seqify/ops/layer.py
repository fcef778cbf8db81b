"""A row of an `nn.Sequential`, the reason why a step is none, and the words that its arguments may use."""

from __future__ import annotations

import ast
import builtins
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seqify.classes import ClassSource
from seqify.diagnostics import Diagnostic
from seqify.ops.helpers import HELPERS

__all__ = ["Break", "Layer", "NoMatch", "Words"]


@dataclass(frozen=True)
class Break:
    """Why a step is not a layer of an `nn.Sequential`."""

    step: int
    code: str
    message: str


@dataclass(frozen=True)
class Layer:
    """
    One row of an `nn.Sequential`.

    An existing submodule has `attribute`, and its constructor's text is found in `__init__`. A function has `callee`
    (`nn.MaxPool2d`, or the name of a helper) and `arguments`, the text between the brackets.
    """

    step: int
    node: ast.expr
    input: ast.expr
    stem: str
    attribute: str | None = None
    callee: str = ""
    arguments: str = ""
    reads: frozenset[str] = frozenset()  # attributes of self that the arguments read
    diagnostics: tuple[Diagnostic, ...] = ()
    regroups: int | None = None  # of a Flatten that was `x.view(-1, n)`: n
    literal: Layer | None = None  # what does the same as that view for any size

    @property
    def helper(self) -> str | None:
        """The helper class that the result has to define for this layer."""
        return self.callee if self.callee in HELPERS else None


class NoMatch(Exception):
    """A condition of the row does not hold."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True)
class Words:
    """What text that moves from forward to `__init__` may refer to: globals, and plain attributes of self."""

    cls: ClassSource
    plain: Mapping[str, Any]  # attributes of the live module that hold plain data, set in `__init__` alone

    def namespace(self, node: ast.expr) -> Any:
        """What a dotted name of the file's globals stands for; None for anything else."""
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id in self.cls.forward_locals:
            return None
        found = self.cls.names.get(node.id)
        for part in reversed(parts):
            if not isinstance(found, types.ModuleType | type):
                return None
            found = getattr(found, part, None)
        return found

    def reads(self, node: ast.expr) -> frozenset[str]:
        """
        The attributes of self that an argument reads.

        Raises:
            NoMatch: SQ308, when the argument needs more than globals, literals and plain attributes.
        """
        text = self.cls.source.segment(node)
        found = set()
        forward = self.cls.forward
        me = self.cls.self_name(forward) if forward is not None else None
        for part in ast.walk(node):
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == me:
                if part.attr not in self.plain:
                    raise NoMatch(
                        "SQ308", f"`{text}` reads `self.{part.attr}`, which is not a plain constant of the class"
                    )
                found.add(part.attr)
            elif (
                isinstance(part, ast.Attribute)
                and self.namespace(part) is not None
                and part.attr in self.cls.assigned_from_outside
            ):
                raise NoMatch("SQ308", f"`{text}` reads `.{part.attr}`, which the file assigns elsewhere")
            elif isinstance(part, ast.Name) and part.id != me:
                known = part.id in self.cls.names or hasattr(builtins, part.id)
                moved = part.id in self.cls.init_locals or part.id in self.cls.changing_globals
                if part.id in self.cls.forward_locals or not known or moved:
                    raise NoMatch("SQ308", f"`{text}` is computed in forward")
            elif isinstance(part, ast.Call):
                function = self.namespace(part.func)
                plain_builtin = isinstance(part.func, ast.Name) and part.func.id in (
                    "int",
                    "float",
                    "tuple",
                    "list",
                    "max",
                    "min",
                    "round",
                )
                if not plain_builtin and getattr(function, "__module__", None) != "math":
                    raise NoMatch("SQ308", f"`{text}` is computed in forward")
            elif isinstance(part, ast.Starred | ast.NamedExpr | ast.Lambda | ast.Await | ast.Yield | ast.YieldFrom):
                raise NoMatch("SQ308", f"`{text}` is computed in forward")
        return frozenset(found)
