"""The key map: which key of the new state_dict takes its value from which old one."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seqify.diagnostics import Diagnostic
from seqify.errors import CannotAsk

if TYPE_CHECKING:
    from torch import nn

__all__ = ["KeyMap", "make_keymap"]


@dataclass(frozen=True)
class KeyMap:
    """
    A renaming of checkpoint keys.

    `keys` gives for every key of the new state_dict the old key; `modules` the same for the paths of submodules,
    which is what `_metadata` is keyed by; `parameter_order` gives for each new position in `parameters()` the old
    position.
    """

    keys: Mapping[str, str]
    modules: Mapping[str, str] = field(default_factory=dict)
    parameter_order: tuple[int, ...] = ()
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    tensors: Mapping[str, str] = field(default_factory=dict)  # as keys, for every parameter and buffer, saved or not
    parameters: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())  # old and new names, in order
    buffers: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    @property
    def renamed(self) -> dict[str, str]:
        """The keys that change, new to old."""
        return {new: old for new, old in self.keys.items() if new != old}

    def apply(self, state_dict: Mapping[str, Any]) -> OrderedDict[str, Any]:
        """
        The state_dict of the new module, from one of the old. Tensors are passed on, not copied; `_metadata` moves
        along.

        Raises:
            CannotAsk: SQ608, when a key is missing or unknown.
        """
        missing = sorted(set(self.keys.values()) - set(state_dict))
        unknown = sorted(set(state_dict) - set(self.keys.values()))
        if missing or unknown:
            what = f"has no `{missing[0]}`" if missing else f"has `{unknown[0]}`, which the key map does not know"
            raise CannotAsk(Diagnostic("SQ608", f"the state_dict {what}", help="is it a checkpoint of this class?"))
        result = OrderedDict((new, state_dict[old]) for new, old in self.keys.items())
        metadata = getattr(state_dict, "_metadata", None)
        if metadata is not None:
            moved = OrderedDict(
                (path, metadata[path])
                for path in ("", *metadata)
                if path in metadata and path not in self.modules.values()
            )
            moved |= {new: metadata[old] for new, old in self.modules.items() if old in metadata}
            result._metadata = moved  # type: ignore[attr-defined]
        return result

    def invert(self) -> KeyMap:
        """The way back, from a new state_dict to an old one."""
        order = [0] * len(self.parameter_order)
        for new, old in enumerate(self.parameter_order):
            order[old] = new
        return KeyMap(
            {old: new for new, old in self.keys.items()},
            {old: new for new, old in self.modules.items()},
            tuple(order),
            {self.keys[new]: shape for new, shape in self.shapes.items()},
            {old: new for new, old in self.tensors.items()},
            (self.parameters[1], self.parameters[0]),
            (self.buffers[1], self.buffers[0]),
        )

    def to_json(self) -> str:
        """The text of `map.json`."""
        content = {
            "schema": "seqify/1",
            "keymap": dict(self.keys),
            "parameter_order": list(self.parameter_order),
            "modules": dict(self.modules),
            "parameters": {"old": list(self.parameters[0]), "new": list(self.parameters[1])},
            "buffers": {"old": list(self.buffers[0]), "new": list(self.buffers[1])},
            "shapes": {key: list(shape) for key, shape in self.shapes.items()},
        }
        return json.dumps(content, indent=2) + "\n"


def make_keymap(old: nn.Module, new: nn.Module, renames: Mapping[str, str]) -> KeyMap:
    """
    The key map of a conversion.

    Args:
        old: the original module.
        new: the converted one.
        renames: for each submodule or tensor that moved, its new path by its old one; what lies inside moves along.

    Raises:
        CannotAsk: SQ608, when a key of either side has no partner.
    """

    def moved(path: str) -> str:
        head, tail = path, ""
        while head:
            if head in renames:
                return renames[head] + tail
            head, dot, name = head.rpartition(".")
            tail = f".{name}{tail}" if dot else tail
        return path

    old_state, new_state = old.state_dict(), new.state_dict()
    back = {moved(key): key for key in old_state}
    unpaired = [*(set(new_state) - set(back)), *(set(back) - set(new_state))]
    if unpaired:
        raise CannotAsk(Diagnostic("SQ608", f"no partner for `{sorted(unpaired)[0]}`"))
    old_parameters, new_parameters = _names(old.named_parameters()), _names(new.named_parameters())
    # a shared parameter counts once, under its first name, which is another one where the order is another one
    place = {id(item): index for index, item in enumerate(old.parameters())}
    position = {moved(name): place[id(item)] for name, item in old.named_parameters(remove_duplicate=False)}
    every = [
        *_names(old.named_parameters(remove_duplicate=False)),
        *_names(old.named_buffers(remove_duplicate=False)),
    ]
    known = set(_names(new.named_modules()))
    modules = {moved(path): path for path, _ in old.named_modules() if path}
    return KeyMap(
        keys={key: back[key] for key in new_state},
        modules={new_path: path for new_path, path in modules.items() if new_path in known},
        parameter_order=tuple(position[name] for name in new_parameters),
        shapes={key: tuple(value.shape) for key, value in new_state.items() if hasattr(value, "shape")},
        tensors={**{moved(name): name for name in every}, **back},
        parameters=(old_parameters, new_parameters),
        buffers=(_names(old.named_buffers()), _names(new.named_buffers())),
    )


def _names(pairs: Iterable[tuple[str, Any]]) -> tuple[str, ...]:
    return tuple(name for name, _ in pairs)
