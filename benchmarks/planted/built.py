"""A text as a module: imported, its network built, its example inputs."""

from __future__ import annotations

import importlib.util
import inspect
import itertools
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["batch", "build", "by_name", "example", "load", "scaled"]

SEED = 20
_numbers = itertools.count()


def load(path: Path) -> ModuleType:
    """A file imported under a name of its own, so that two of them do not meet."""
    name = f"planted_{path.stem}_{next(_numbers)}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        sys.modules.pop(name, None)
    return module


def build(module: ModuleType, name: str, seed: int = SEED) -> nn.Module:
    torch.manual_seed(seed)
    return getattr(module, name)()


def example(module: ModuleType, seed: int = SEED) -> dict[str, Any]:
    """The example inputs by the names that the network's forward has for them."""
    torch.manual_seed(seed)
    given = module.seqify_inputs()
    if isinstance(given, dict):
        return given
    kind = [item for item in vars(module).values() if inspect.isclass(item) and item.__module__ == module.__name__][-1]
    return by_name(kind, given)


def by_name(kind: type[nn.Module], given: tuple[Any, ...]) -> dict[str, Any]:
    names = list(inspect.signature(kind.forward).parameters)[1:]
    return dict(zip(names, given, strict=False))


def batch(values: dict[str, Any], size: int) -> dict[str, Any]:
    """The first samples alone."""
    return {name: value[:size] if isinstance(value, Tensor) else value for name, value in values.items()}


def scaled(values: dict[str, Any], factor: float) -> dict[str, Any]:
    return {
        name: value * factor if isinstance(value, Tensor) and value.is_floating_point() else value
        for name, value in values.items()
    }
