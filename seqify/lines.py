"""The lines of user code that construct a module: its submodules, parameters, buffers and hooks."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

__all__ = ["Lines", "construction_lines"]

# by path of a submodule ("" is the module itself), by name of a parameter or buffer, and by "hook of <path or name>"
Lines = dict[str, tuple[str, int]]

_HIDDEN = (os.path.dirname(torch.__file__) + os.sep, os.path.dirname(__file__) + os.sep, "<string>", "<frozen")


@contextlib.contextmanager
def construction_lines() -> Iterator[Callable[[nn.Module], Lines]]:
    """Meanwhile, note which lines construct what; what is given tells it of a module that was made here."""
    modules: dict[int, tuple[str, int]] = {}
    tensors: dict[tuple[int, str], tuple[str, int]] = {}
    hooks: dict[int, tuple[str, int]] = {}
    original = nn.Module.__init__, nn.Module.register_parameter, nn.Module.register_buffer, RemovableHandle.__init__

    def init(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        _note(modules, id(self), but=self)
        original[0](self, *args, **kwargs)

    def register_parameter(self: nn.Module, name: str, *args: Any, **kwargs: Any) -> None:
        _note(tensors, (id(self), name))
        original[1](self, name, *args, **kwargs)

    def register_buffer(self: nn.Module, name: str, *args: Any, **kwargs: Any) -> None:
        _note(tensors, (id(self), name))
        original[2](self, name, *args, **kwargs)

    def handle(self: RemovableHandle, hooks_dict: Any, **kwargs: Any) -> None:
        _note(hooks, id(hooks_dict))
        original[3](self, hooks_dict, **kwargs)

    def tell(module: nn.Module) -> Lines:
        found: Lines = {}
        for path, part in module.named_modules(remove_duplicate=False):
            if id(part) in modules:
                found[path] = modules[id(part)]
            for name, tensor in {**part._parameters, **part._buffers}.items():
                if (id(part), name) in tensors:
                    found[f"{path}.{name}".lstrip(".")] = tensors[id(part), name]
                    found |= _hook_lines(f"{path}.{name}".lstrip("."), tensor, hooks)
            found |= _hook_lines(path, part, hooks)
        return found

    for name, function in zip(_PATCHED, (init, register_parameter, register_buffer), strict=True):
        setattr(nn.Module, name, function)
    RemovableHandle.__init__ = handle  # type: ignore[method-assign]
    try:
        yield tell
    finally:
        for name, former in zip(_PATCHED, original[:3], strict=True):
            setattr(nn.Module, name, former)
        RemovableHandle.__init__ = original[3]  # type: ignore[method-assign]


_PATCHED = ("__init__", "register_parameter", "register_buffer")


def _note(found: dict[Any, tuple[str, int]], key: Any, but: nn.Module | None = None) -> None:
    """Note the innermost line of user code, outside the constructor of a module itself."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        first = frame.f_code.co_varnames[:1]
        inside = but is not None and bool(first) and frame.f_locals.get(first[0]) is but
        if not inside and not frame.f_code.co_filename.startswith(_HIDDEN):
            found[key] = frame.f_code.co_filename, frame.f_lineno
            return
        frame = frame.f_back


def _hook_lines(name: str, owner: nn.Module | Tensor | None, hooks: dict[int, tuple[str, int]]) -> Lines:
    """The line of a hook of a module or tensor: each kind is held in a dict of its own."""
    kinds = [value for key, value in vars(owner).items() if "hooks" in key] if isinstance(owner, nn.Module) else []
    if isinstance(owner, Tensor):
        kinds = [owner._backward_hooks, getattr(owner, "_post_accumulate_grad_hooks", None)]
    return {f"hook of {name}": hooks[id(kind)] for kind in kinds if kind and id(kind) in hooks}
