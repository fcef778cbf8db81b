"""The structure of a value: all that can be said of what forward returns, with its tensors taken out."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["flatten", "opaque_parts"]

# Told apart by type and text: 1, 1.0 and True are equal in Python, and are not the same output.
_PLAIN = (bool, int, float, complex, str, bytes, type(None), enum.Enum, slice, range)
_TORCHS = (torch.dtype, torch.device, torch.layout, torch.memory_format)
_SYMBOLIC = (torch.SymInt, torch.SymFloat, torch.SymBool)
_DEPTH = 30


def flatten(
    value: Any,
    name: str,
    found: dict[str, Any],
    look: Callable[[Tensor], Any],
    opaque: Callable[[str], None] = lambda kind: None,
    depth: int = _DEPTH,
) -> Any:
    """
    Collect the tensors in a value, those in containers and in the attributes of objects included.

    Args:
        value: what forward returned.
        name: its name.
        found: gets the tensors by name, as `output[0]` or `output.logits`.
        look: what a tensor counts as in the structure.
        opaque: told the type of what cannot be looked into.
        depth: how deep to go.

    Returns:
        The structure, as nested tuples; two values with equal structures differ in their tensors at most.
    """

    def inner(item: Any, end: str) -> Any:
        return flatten(item, f"{name}{end}", found, look, opaque, depth - 1)

    kind = type(value).__name__
    if isinstance(value, Tensor):
        found[name] = value
        return (kind, look(value))
    if isinstance(value, (*_PLAIN, *_TORCHS)):
        return (kind, repr(value))
    if isinstance(value, _SYMBOLIC):
        return (kind, value)
    if not depth:
        opaque(kind)
        return (kind,)
    if isinstance(value, Mapping):
        return (kind, tuple((*_key(key), inner(item, f"[{_key(key)[1]}]")) for key, item in value.items()))
    if isinstance(value, tuple | list):
        items = tuple(inner(item, f"[{index}]") for index, item in enumerate(value))
        return (kind, getattr(value, "_fields", ()), items)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [item.name for item in dataclasses.fields(value)]
        return (kind, tuple((field, inner(getattr(value, field, None), f".{field}")) for field in fields))
    if _is_number(value):
        return (kind, str(getattr(value, "shape", "")), repr(value.tolist()))
    attributes = getattr(value, "__dict__", None)
    if attributes is None or callable(value) or hasattr(value, "__next__") or hasattr(value, "__slots__"):
        opaque(kind)
        return (kind,)
    return (kind, tuple((key, inner(item, f".{key}")) for key, item in attributes.items()))


def opaque_parts(value: Any) -> Iterator[str]:
    """The types in an argument that no tensors are looked for in."""
    if isinstance(value, list | tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from opaque_parts(item)
    elif not isinstance(value, Tensor) and not isinstance(value, (*_PLAIN, *_TORCHS)):
        yield type(value).__name__


def _key(key: Any) -> tuple[str, str]:
    """Type and text of a key of a dict; the text of an object would hold its address."""
    plain = isinstance(key, _PLAIN) or (isinstance(key, tuple) and all(isinstance(item, _PLAIN) for item in key))
    return type(key).__name__, repr(key) if plain else ""


def _is_number(value: Any) -> bool:
    """Whether it is an array or a number of numpy's."""
    return type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist")
