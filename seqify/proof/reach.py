"""The Python state that a module and the code it runs can reach."""

#   module ──┐
#            ├──► reachable ──► {path: value}     attributes · closures · defaults · class attributes · globals by name
#   codes  ──┘
#
# A tensor that an operator makes is seen by the recorder. A counter in a global list, a generator of numpy's, or the
# time of day is not, and decides just as well. So what can be reached is written down after one run and after the next:
# a cache is the same after both, a counter is not.

from __future__ import annotations

import collections
import functools
import hashlib
import io
import os
import random
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from types import CodeType
from typing import Any

import torch
from torch import Tensor, nn

from seqify.proof.digests import digest_of_numbers

__all__ = ["Surroundings", "changed", "reachable"]

_TORCH = os.path.dirname(torch.__file__) + os.sep
# Libraries whose objects hold locks, handlers and the like, and nothing that forward would go by.
_DULL = frozenset(
    ["logging", "threading", "_thread", "warnings", "weakref", "re", "ast", "inspect", "typing", "abc", "concurrent"]
)
_STANDARD = frozenset([*sys.stdlib_module_names, "torch", "numpy"])
_LIMIT = 300_000  # objects
_LARGE = 1_000_000  # numbers in a tensor, from which on it is known by its address and the count of its changes


Surroundings = Mapping[str, Any]


def reachable(
    module: nn.Module,
    codes: Mapping[CodeType, dict[str, Any]],
    known: Callable[[Tensor], bool] = lambda tensor: False,
) -> Surroundings:
    """
    The plain values that a module and the code it runs can reach, by path; a digest of each tensor among them.

    Args:
        module: the module.
        codes: the code, each with its globals; what it does not name is not looked at.
        known: whether a tensor's numbers are accounted for elsewhere.
    """
    walk = _Walk(known)
    walk.visit(module, "")
    for code, scope in codes.items():
        names = dict.fromkeys(_names(code))
        for name in names:
            if name in scope:
                walk.named(scope[name], name, names)
    return walk.run()


def changed(before: Surroundings, after: Surroundings) -> str | None:
    """The first path whose value is another one."""
    for path in (*before, *after):
        if before.get(path, _ABSENT) != after.get(path, _ABSENT):
            return path.strip(".")
    return None


_ABSENT = object()


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


class _Walk:
    """A walk over objects, each visited once."""

    def __init__(self, known: Callable[[Tensor], bool]) -> None:
        self.known = known
        self.found: dict[str, Any] = {}
        self._seen: dict[int, Any] = {}
        self._classes: set[type] = set()
        self._memory: dict[int, str] = {}
        self._todo: collections.deque[tuple[Any, str]] = collections.deque()

    def run(self) -> Surroundings:
        while self._todo:
            if len(self._seen) > _LIMIT:
                self.found["too much to look at"] = object()
                break
            self._look(*self._todo.popleft())
        return self.found

    def visit(self, value: Any, path: str) -> None:
        kind = type(value)
        if kind in _PLAIN:
            self.found[path] = (kind, value) if value == value else (kind, "nan")
        elif id(value) not in self._seen:
            self._seen[id(value)] = value  # kept, so that its id stays its own
            self._todo.append((value, path))

    def named(self, value: Any, path: str, names: Mapping[str, None]) -> None:
        """A global, or, where it is a module, what the names pick out of it."""
        if not isinstance(value, types.ModuleType):
            self.visit(value, path)
            return
        for name in names:
            if name in vars(value) and (inner := vars(value)[name]) is not value:
                if isinstance(inner, types.ModuleType):
                    for last in names:
                        if last in vars(inner) and not isinstance(vars(inner)[last], types.ModuleType):
                            self.visit(vars(inner)[last], f"{path}.{name}.{last}")
                else:
                    self.visit(inner, f"{path}.{name}")

    def _all(self, values: Mapping[Any, Any], path: str) -> None:
        for number, (key, value) in enumerate(values.items()):
            self.visit(value, f"{path}.{key}" if type(key) is str else f"{path}[{_key(key, number)}]")

    def _look(self, value: Any, path: str) -> None:
        kind = type(value)
        if isinstance(value, Tensor):
            first = self._memory.setdefault(_address(value), path)  # tensors may look at one memory
            self.found[path] = (value.requires_grad, first, "" if self.known(value) else _digest(value))
            self._all(vars(value), path)
        elif isinstance(value, nn.Module):
            self.found[f"{path}.__class__"] = kind
            self._class(kind)
            self._all(vars(value), path)
        elif isinstance(value, dict | types.MappingProxyType):
            self.found[f"{path} (its length)"] = len(value)
            self._all(value, path)
        elif isinstance(value, list | tuple | collections.deque):
            self._row(value, path)
        elif isinstance(value, set | frozenset):
            self.found[path] = len(value), frozenset(item for item in value if type(item) in _PLAIN)
        elif isinstance(value, types.FunctionType):
            self._function(value, path)
        elif isinstance(value, types.MethodType):
            self.visit(value.__self__, path)
            self.visit(value.__func__, path)
        elif isinstance(value, types.BuiltinFunctionType):
            if value.__self__ is not None and not isinstance(value.__self__, types.ModuleType):
                self.visit(value.__self__, path)
        elif isinstance(value, functools.partial):
            self._row((value.func, *value.args), path)
            self._all(value.keywords, path)
        elif isinstance(value, type):
            self._class(value)
        else:
            self._object(value, path)

    def _row(self, values: Any, path: str) -> None:
        if len(values) > 100 and all(type(item) in _PLAIN for item in values):
            self.found[path] = hashlib.blake2b(repr(values).encode()).digest()
            return
        self.found[f"{path} (its length)"] = len(values)
        for index, item in enumerate(values):
            self.visit(item, f"{path}[{index}]")

    def _function(self, function: Any, path: str) -> None:
        if function.__code__.co_filename.startswith(_TORCH):
            return
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
            with_content = [cell.cell_contents] if cell != types.CellType() else []
            for content in with_content:
                self.visit(content, f"{path}.{name}")
        self.visit(function.__defaults__, f"{path}.__defaults__")
        self.visit(function.__kwdefaults__, f"{path}.__kwdefaults__")
        self._all(vars(function), path)

    def _class(self, cls: type) -> None:
        for base in cls.__mro__:
            if base.__module__.partition(".")[0] not in _STANDARD and base not in self._classes:
                self._classes.add(base)
                # what a constructor has by default, a module perhaps, is nothing to the runs of what it has made
                own = {name: item for name, item in vars(base).items() if name not in (*_CLASS_OWN, "__init__")}
                self._all(own, base.__name__)

    def _object(self, value: Any, path: str) -> None:
        kind = type(value)
        root = kind.__module__.partition(".")[0]
        if isinstance(value, staticmethod | classmethod):
            self.visit(value.__func__, path)
        elif isinstance(value, property):
            self._row((value.fget, value.fset), path)
        elif isinstance(value, random.SystemRandom):
            self.found[path] = object()  # it has no state that could be looked at
        elif isinstance(value, random.Random):
            self.found[path] = hash(value.getstate())
        elif isinstance(value, torch.Generator):
            self.found[path] = digest_of_numbers(value.get_state())
        elif root == "numpy":
            self.found[path] = _of_numpy(value)
        elif hasattr(kind, "cache_info"):
            self.visit(getattr(value, "__wrapped__", None), path)
        elif root in _DULL or isinstance(value, io.IOBase | types.ModuleType):
            return
        elif hasattr(kind, "__next__"):
            # itertools.count shows where it is; of others nothing is known, and each use of one changes it
            self.found[path] = repr(value) if kind.__name__ == "count" else object()
        elif isinstance(value, bytearray | memoryview) or kind.__name__ == "array":
            self.found[path] = bytes(value)
        else:
            own = getattr(value, "__dict__", None) or {}
            self._all({key: item for key, item in own.items() if key not in _WRAPPED}, path)
            for base in kind.__mro__:
                slots = vars(base).get("__slots__", ())
                for name in (slots,) if isinstance(slots, str) else slots:
                    private = name.startswith("__") and not name.endswith("__")
                    name = f"_{base.__name__.lstrip('_')}{name}" if private else name
                    if hasattr(value, name) and not name.startswith("__"):
                        self.visit(getattr(value, name), f"{path}.{name}")


_PLAIN = frozenset([bool, int, float, complex, str, bytes, type(None)])
# What functools.wraps leaves on an object; of a copy it may be gone.
_WRAPPED = frozenset([*functools.WRAPPER_ASSIGNMENTS, "__wrapped__"])
_CLASS_OWN = frozenset(["__module__", "__doc__", "__dict__", "__weakref__", "__qualname__", "__annotations__"])


def _key(key: Any, number: int) -> str:
    """What stands for a key in a path: the text of some objects is long, and that of others changes."""
    return repr(key) if type(key) in _PLAIN else f"key {number}"


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata if tensor.layout is torch.strided else id(tensor)


def _digest(tensor: Tensor) -> str:
    if tensor.numel() > _LARGE and not tensor.is_inference():
        return f"{tensor.data_ptr()} {tensor._version}"
    try:
        return digest_of_numbers(tensor)
    except Exception:
        return ""  # without numbers, or in a layout of its own: no run gets by without a doubt there


def _of_numpy(value: Any) -> Any:
    if hasattr(value, "tobytes"):
        return str(value.dtype), value.shape, hashlib.blake2b(value.tobytes()).digest()
    state = value.bit_generator.state if hasattr(value, "bit_generator") else None
    return repr(state if state is not None else value.get_state()) if hasattr(value, "get_state") or state else ""
