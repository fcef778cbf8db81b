"""What surrounds a call, and what is told of tensors, modules and functions by looking at them."""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from seqify.flow import Ambient

__all__ = [
    "alias",
    "ambient",
    "chance",
    "changed_chance",
    "flatten",
    "has_hooks",
    "held_by",
    "makeup",
    "name_of",
    "property_of",
    "state",
    "storage_of",
    "version_of",
]


def flatten(value: Any) -> Iterator[Any]:
    """The leaves of nested tuples, lists, mappings, slices and dataclasses."""
    if isinstance(value, tuple | list):
        for item in value:
            yield from flatten(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from flatten(item)
    elif isinstance(value, slice):
        yield from (value.start, value.stop, value.step)
    elif not isinstance(value, type) and (fields := getattr(value, "__dataclass_fields__", None)):
        for key in fields:
            yield from flatten(getattr(value, key, None))
    else:
        yield value


def alias(tensor: Tensor) -> Tensor:
    try:
        return torch.ops.aten.alias.default(tensor)  # type: ignore[no-any-return]
    except (RuntimeError, NotImplementedError):
        return tensor


def version_of(tensor: Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version


def storage_of(tensor: Tensor) -> int:
    try:
        return int(tensor.untyped_storage()._cdata)
    except (RuntimeError, NotImplementedError):
        return id(tensor)


HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def has_hooks(module: nn.Module) -> bool:
    """Whether something runs with the module's forward or backward that its class does not show."""
    return any(getattr(module, name, None) for name in HOOKS)


def ambient(
    autocast: tuple[tuple[str, Any, bool], ...] = (), grad: bool | None = None, enabled: bool = False
) -> Ambient:
    """
    What surrounds the call that is made now.

    Args:
        autocast: the autocast blocks that forward has entered.
        grad: whether gradients were on when forward began.
        enabled: whether forward has switched them on itself.
    """
    saving = torch._C._autograd._top_saved_tensors_default_hooks(True) is not None
    now = torch.is_grad_enabled()
    return Ambient(
        None if now == grad and not (enabled and now) else now, torch.is_inference_mode_enabled(), autocast, saving
    )


def chance() -> tuple[int, int]:
    """A fingerprint of the random generators of Python and NumPy, which torch knows nothing of."""
    numpy = sys.modules.get("numpy.random")
    drawn = 0
    if numpy is not None:
        _, numbers, *rest = numpy.get_state()
        drawn = hash((numbers.tobytes(), *rest))
    return hash(random.getstate()), drawn


def changed_chance(before: tuple[int, int], now: tuple[int, int]) -> bool:
    """Whether one of the generators was used; one that was only imported was not."""
    return before[0] != now[0] or (before[1] != now[1] and before[1] != 0)


_OWN = frozenset(vars(nn.Module()))  # what every module has
_FEW = 64


def state(module: nn.Module, versions: bool = True) -> dict[str, Any]:
    """What forward must leave alone: the attributes of a module, tensors by identity, and by version if that counts."""
    found: dict[str, Any] = {}
    for name, value in itertools.chain(vars(module).items(), module._parameters.items(), module._buffers.items()):
        if isinstance(value, Tensor):
            found[name] = (id(value), version_of(value) if versions else 0)
        elif isinstance(value, int | float | str | bool | bytes | None):
            found[name] = value
        elif isinstance(value, tuple):
            found[name] = repr(value)
        elif name in _OWN:
            continue
        elif isinstance(value, list | dict | set):
            plain = len(value) <= _FEW and all(isinstance(item, int | float | str | None) for item in flatten([*value]))
            found[name] = (id(value), repr(value) if plain else len(value))
        elif isinstance(value, random.Random):
            found[name] = hash(value.getstate())
        elif type(value).__module__.startswith("numpy.random") and hasattr(value, "bit_generator"):
            found[name] = repr(value.bit_generator.state)
        elif isinstance(value, torch.Generator):
            found[name] = hash(value.get_state().numpy().tobytes())
        else:
            found[name] = id(value)
    return found


def makeup(module: nn.Module) -> tuple[Any, ...]:
    """The same with its mode, hooks and children, what is inside those left out; tensors count by identity alone."""
    children = [(name, id(child)) for name, child in module._modules.items()]
    return state(module, versions=False), module.training, children, [len(getattr(module, name, ())) for name in HOOKS]


def property_of(func: Any) -> str:
    return getattr(getattr(func, "__self__", None), "__name__", "property")


def name_of(func: Any) -> str:
    """`torch.nn.functional.relu`, `torch.Tensor.relu`, `torch.flatten`: as a reader would write it."""
    name = getattr(func, "__name__", str(func))
    if getattr(func, "__objclass__", None) is not None or getattr(func, "__qualname__", "").startswith("Tensor"):
        return f"torch.Tensor.{name}"
    module = getattr(func, "__module__", None) or "torch"
    return f"{module.replace('torch._C._nn', 'torch.nn.functional')}.{name}"


def held_by(value: Any) -> Iterator[Any]:
    """What a function keeps: in its closure, its defaults, its owner, or as arguments of a partial."""
    if isinstance(value, nn.Module):
        yield value
        return
    for cell in getattr(value, "__closure__", None) or ():
        yield cell.cell_contents
        if callable(cell.cell_contents) and cell.cell_contents is not value:
            yield from held_by(cell.cell_contents)
    yield from getattr(value, "__defaults__", None) or ()
    yield from (getattr(value, "__kwdefaults__", None) or {}).values()
    yield from getattr(value, "args", ()) if hasattr(value, "func") else ()
    yield from getattr(value, "keywords", {}).values() if hasattr(value, "func") else ()
    if callable(value) and getattr(value, "__self__", None) is not None:
        yield value.__self__
