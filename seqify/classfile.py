"""The class behind a model: where its source is, and whether that is what the model runs."""

from __future__ import annotations

import ast
import inspect
import os
from typing import Any

from torch import nn

from seqify.classes import ClassSource, find_class
from seqify.diagnostics import Diagnostic, Location
from seqify.errors import Refusal
from seqify.load import Model
from seqify.plan import is_constant
from seqify.source import read_source
from seqify.tracing import forward_code

__all__ = ["class_source", "plain_attributes", "shown"]


def shown(path: str) -> str:
    """A path as a diff names it: from the working folder where it lies below."""
    relative = os.path.relpath(path)
    return path.lstrip("/") if relative.startswith("..") else relative


def class_source(model: Model) -> ClassSource:
    """
    The source of the class, and a look at whether it is the one that its instances run.

    Raises:
        Refusal: SQ401 or SQ404.
    """
    kind = model.kind
    here = f"`{kind.__qualname__}`"
    if "forward" in vars(model.instance):
        raise Refusal(Diagnostic("SQ404", f"the instance has a `forward` of its own, which {here} does not show"))
    if kind.__call__ is not nn.Module.__call__:
        raise Refusal(Diagnostic("SQ404", f"{here} has a `__call__` of its own"))
    if "forward" not in vars(kind):
        owner = next((base for base in kind.__mro__ if "forward" in vars(base)), kind)
        raise Refusal(
            Diagnostic(
                "SQ404",
                f"{here} inherits its forward from `{owner.__qualname__}`",
                help=f"convert `{owner.__qualname__}`",
            )
        )
    if model.filename is None or kind.__module__.split(".")[0] == "torch":
        raise Refusal(Diagnostic("SQ401", f"{here} has no source file of the user's"))
    if model.expression is not None and model.module is not None:
        home = os.path.realpath(getattr(model.module, "__file__", None) or "")
        if home != os.path.realpath(model.filename):
            raise Refusal(
                Diagnostic(
                    "SQ404",
                    f"{here} is defined in another file than the target names",
                    Location(model.filename, 1),
                    help=f"name it there: `{shown(model.filename)}:{kind.__qualname__}`",
                )
            )
    if model.expression is None and "<locals>" in kind.__qualname__:
        raise Refusal(
            Diagnostic("SQ402", f"{here} is defined inside a function, where its new version cannot be reached")
        )
    source = read_source(model.filename)
    code = forward_code(model.instance)
    # what forward sees, which is not the module's own namespace for a class that `exec` has made
    names = getattr(inspect.unwrap(kind.forward), "__globals__", {})
    cls = find_class(source, kind.__qualname__, dict(names), code.co_firstlineno if code else None)
    if cls is None or cls.forward is None:
        raise Refusal(Diagnostic("SQ401", f"{here} is not written as a class in `{shown(model.filename)}`"))
    return cls


def plain_attributes(model: Model, cls: ClassSource) -> dict[str, Any]:
    """Attributes that hold a constant and are assigned once, at the top of `__init__` or in the class body."""
    found: dict[str, Any] = {}
    if any(isinstance(node, ast.Name) and node.id in ("setattr", "vars") for node in ast.walk(cls.node)):
        return found
    if any(isinstance(node, ast.Attribute) and node.attr == "__dict__" for node in ast.walk(cls.node)):
        return found
    for name, value in vars(model.instance).items():
        stored = cls.storing(name)
        steady = name not in cls.assigned_elsewhere and name not in cls.assigned_from_outside
        if is_constant(value) and len(stored) == 1 and stored[0].attribute == name and steady:
            found[name] = value
    for name in cls.class_names - set(cls.methods) - cls.assigned_elsewhere - cls.assigned_from_outside:
        value = vars(model.kind).get(name)
        if value is not None and is_constant(value) and not cls.storing(name):
            found[name] = value
    return found
