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

__all__ = ["alias", "ambient", "chance", "flatten", "name_of", "property_of", "state", "storage_of", "version_of"]


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


def ambient(autocast: tuple[tuple[str, Any, bool], ...] = (), grad: bool | None = None) -> Ambient:
    """
    What surrounds the call that is made now.

    Args:
        autocast: the autocast blocks that forward has entered.
        grad: whether gradients were on when forward began.
    """
    saving = torch._C._autograd._top_saved_tensors_default_hooks(True) is not None
    now = torch.is_grad_enabled()
    return Ambient(None if now == grad else now, torch.is_inference_mode_enabled(), autocast, saving)


def chance() -> tuple[int, int]:
    """A fingerprint of the random generators of Python and NumPy, which torch knows nothing of."""
    numpy = sys.modules.get("numpy.random")
    return hash(random.getstate()), hash(numpy.get_state()[1].tobytes()) if numpy is not None else 0


def state(module: nn.Module) -> dict[str, Any]:
    """What forward must leave alone: the attributes of a module, tensors by identity and version."""
    found: dict[str, Any] = {}
    for name, value in itertools.chain(vars(module).items(), module._parameters.items(), module._buffers.items()):
        if isinstance(value, Tensor):
            found[name] = (id(value), version_of(value))
        elif isinstance(value, int | float | str | bool | bytes | None):
            found[name] = value
        elif isinstance(value, tuple):
            found[name] = repr(value)
        elif isinstance(value, list | dict | set) and not name.startswith("_"):
            found[name] = (id(value), len(value))
        elif not name.startswith("_"):
            found[name] = id(value)
    return found


def property_of(func: Any) -> str:
    return getattr(getattr(func, "__self__", None), "__name__", "property")


def name_of(func: Any) -> str:
    """`torch.nn.functional.relu`, `torch.Tensor.relu`, `torch.flatten`: as a reader would write it."""
    name = getattr(func, "__name__", str(func))
    if getattr(func, "__objclass__", None) is not None or getattr(func, "__qualname__", "").startswith("Tensor"):
        return f"torch.Tensor.{name}"
    module = getattr(func, "__module__", None) or "torch"
    return f"{module.replace('torch._C._nn', 'torch.nn.functional')}.{name}"
