"""Names for what a recording meets: values, places in the module, places in the source."""

# An object is known by its identity, which is a name only as long as the object lives, so the recording keeps them all:
#
#     a tensor that a call gave, or an argument     Ref(3), InputRef("x")
#     a parameter or buffer                         AttrRef("fc.weight")
#     a tensor that an attribute holds              Loose("self.table['std']")
#     a size that was read from a tensor            SizeOf(Ref(3), 0), or an expression of such
#     an object with tensors in named parts         Made(ModelOutput, {...})

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Mapping
from types import CodeType
from typing import Any

import torch
from torch import Tensor, nn

from seqify.flow import AttrRef, InputRef, Loose, Made, Ref, Site
from seqify.looks import flatten
from seqify.sizes import GuardHook, TracedFloat, TracedInt, plain_value

__all__ = ["HERE", "LIBRARIES", "TORCH", "References"]

TORCH = os.path.dirname(torch.__file__) + os.sep
HERE = os.path.dirname(__file__) + os.sep
LIBRARIES = f"{os.sep}einops{os.sep}"
_ATOMS = {int, float, bool, str, type(None), torch.dtype, torch.device, complex}


class References:
    """What a recording has met so far, by identity."""

    hook: GuardHook
    ragged_hook: GuardHook

    def _start(self, root: nn.Module) -> None:
        self.root = root
        self.paths: dict[int, str] = {}
        for path, module in root.named_modules():
            self.paths.setdefault(id(module), path)
        self.registered: dict[int, str] = {}
        for path, tensor in itertools.chain(root.named_parameters(), root.named_buffers()):
            self.registered.setdefault(id(tensor), path)
        self.values: dict[int, Ref | InputRef] = {}
        self.alive: list[Any] = []  # an id is only a name while its object lives
        self.positions: dict[CodeType, list[tuple[int | None, ...]]] = {}

    def bind(self, value: Any, reference: Ref | InputRef) -> None:
        if isinstance(value, Tensor):
            self.values[id(value)] = reference
            self.alive.append(value)
        elif isinstance(value, tuple | list):
            for index, item in enumerate(value):
                self.bind(item, type(reference)(*_first(reference), (*reference.item, index)))
        elif isinstance(value, Mapping):
            for key, item in value.items():
                self.bind(item, type(reference)(*_first(reference), (*reference.item, key)))
        elif fields := getattr(value, "__dataclass_fields__", None):
            for key in fields:
                self.bind(getattr(value, key, None), type(reference)(*_first(reference), (*reference.item, f".{key}")))

    def reference(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            known = self.values.get(id(value))
            if known is not None:
                return known
            path = self.registered.get(id(value))
            return AttrRef(path) if path is not None else Loose(self.holder(value))
        if isinstance(value, TracedInt | TracedFloat):
            if value.hook is self.hook or value.hook is self.ragged_hook:
                return value.expression
            return plain_value(value)
        if type(value) in _ATOMS:
            return value
        if isinstance(value, torch.Size | tuple):
            items = [self.reference(item) for item in value]
            return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
        if isinstance(value, list):
            return [self.reference(item) for item in value]
        if isinstance(value, Mapping):
            parts = {key: self.reference(item) for key, item in value.items()}
            return parts if type(value) is dict else Made(type(value), parts)
        if isinstance(value, slice):
            return slice(*(self.reference(item) for item in (value.start, value.stop, value.step)))
        held = getattr(value, "__dict__", None)
        if held and any(isinstance(item, Tensor) for item in flatten(list(held.values()))):
            if hasattr(value, "__dataclass_fields__"):
                return Made(
                    type(value), {key: self.reference(getattr(value, key)) for key in type(value).__dataclass_fields__}
                )
            if not isinstance(value, nn.Module | type) and not callable(value):
                return Loose("")  # an object that forward keeps tensors in
        return value

    def holder(self, value: Any) -> str:
        """Which attribute holds something that is registered nowhere; empty when none does."""
        for path, module in self.root.named_modules():
            for name, held in vars(module).items():
                if name in ("_parameters", "_buffers", "_modules"):
                    continue
                here = f"{path}.{name}" if path else name
                if held is value:
                    return f"self.{here}"
                items = (
                    held.items()
                    if isinstance(held, dict)
                    else enumerate(held)
                    if isinstance(held, list | tuple)
                    else ()
                )
                for key, item in items:
                    if item is value:
                        return f"self.{here}[{key!r}]"
        return ""

    def site(self) -> Site | None:
        """Where the user's code stands now: its innermost frame."""
        frame = sys._getframe(1)
        while frame is not None:
            code = frame.f_code
            name = code.co_filename
            if not name.startswith((HERE, TORCH)) and LIBRARIES not in name:
                table = self.positions.get(code)
                if table is None:
                    table = self.positions[code] = list(code.co_positions())
                row, end_row, column, end_column = table[frame.f_lasti // 2]
                if row is None or end_row is None or column is None or end_column is None:
                    return None
                return Site(name, row, column, end_row, end_column, code.co_qualname, code.co_firstlineno)
            if frame.f_back is None:
                return None
            frame = frame.f_back
        return None


def _first(reference: Ref | InputRef) -> tuple[Any]:
    return (reference.step,) if isinstance(reference, Ref) else (reference.name,)
