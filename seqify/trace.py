"""The recorder: runs a module's forward and writes down every call it makes."""

# forward runs for real, so every Python construct works. Three observers see what it does:
#
#   forward ──► module call ──► _call            a submodule: one step, what happens inside is not looked at
#          ├──► torch call ───► __torch_function__   a function or method: one step
#          └──► x.size(0) ────► TracedInt         a plain number that remembers the size behind it
#
# This file and `sizes.py` are the ones that rest on torch's internals: `torch.overrides.TorchFunctionMode` (public
# since 1.13), the replacement of `nn.Module.__call__` (as `torch.fx` does it), `Tensor._version` and the way that
# properties reach the mode as `__get__`. All are the same from torch 2.6 to 2.13.

from __future__ import annotations

import contextlib
import copy
import inspect
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from types import CodeType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seqify.diagnostics import Diagnostic
from seqify.errors import Refusal
from seqify.flow import AttrRef, Flow, Guard, InputRef, Loose, Ref, Site, SizeOf, Step
from seqify.sizes import TracedInt, size_product

__all__ = ["forward_code", "on_meta", "record"]

_TORCH = os.path.dirname(torch.__file__) + os.sep
_HERE = os.path.dirname(__file__) + os.sep
_READS_VALUES = {"__bool__", "item", "__int__", "__float__", "__index__", "__complex__", "equal", "allclose"}
_LEAVES_TORCH = {"tolist", "numpy", "__array__", "__dlpack__", "data_ptr", "nonzero", "storage", "untyped_storage"}


def forward_code(module: nn.Module) -> CodeType | None:
    """The code of a module's forward, decorators looked through; None when it is not Python."""
    return getattr(inspect.unwrap(type(module).forward), "__code__", None)


def on_meta(module: nn.Module) -> nn.Module:
    """A copy of a module whose parameters and buffers are on the meta device: shapes without numbers, no memory."""
    memo: dict[int, Any] = {}
    for tensor in itertools.chain(module.parameters(), module.buffers()):
        empty = torch.empty_like(tensor, device="meta")
        memo[id(tensor)] = nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty
    return copy.deepcopy(module, memo)


def record(module: nn.Module, inputs: Mapping[str, Any], training: bool) -> Flow:
    """
    Run `module.forward(**inputs)` on a copy of the module and record the calls.

    Args:
        module: any module, on any device, meta included; it is neither changed nor run itself.
        inputs: the arguments of forward by name, on the module's device; they are cloned.
        training: the mode to run in.

    Raises:
        Refusal: SQ101 or SQ104 where forward needs a tensor's values.
        Exception: whatever forward itself raises.
    """
    root = copy.deepcopy(module).train(training)
    arguments = {name: _fresh(value) for name, value in inputs.items()}
    recorder = _Recorder(root, arguments)
    before = _state(root)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        with _wrapped_calls(recorder), _wrapped_len(root, recorder), recorder:
            recorder.active = True
            try:
                # not through __call__: hooks of the module itself are not part of forward
                output = type(root).forward(root, **arguments)
            finally:
                recorder.active = False
                if recorder.refusal is not None:
                    raise recorder.refusal
    after = _state(root)
    written = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return Flow(
        inputs=tuple(arguments),
        steps=tuple(recorder.steps),
        output=recorder.reference(output),
        guards=tuple(recorder.guards),
        written=tuple(written),
        strays=tuple(dict.fromkeys(recorder.strays)),
    )


def _fresh(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value


def _state(root: nn.Module) -> dict[str, Any]:
    """What forward must leave alone: the attributes of the module, tensors by identity and version."""
    state: dict[str, Any] = {}
    for name, value in {**vars(root), **root._parameters, **root._buffers}.items():
        if isinstance(value, Tensor):
            state[name] = (id(value), value._version)
        elif isinstance(value, int | float | str | bool | bytes | None | tuple):
            state[name] = value if not isinstance(value, tuple) else repr(value)
        elif isinstance(value, list | dict | set) and not name.startswith("_"):
            state[name] = (id(value), len(value))
        elif not name.startswith("_"):
            state[name] = id(value)
    return state


@contextlib.contextmanager
def _wrapped_calls(recorder: _Recorder) -> Iterator[None]:
    original = nn.Module.__call__

    def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return recorder.call_module(original, module, args, kwargs)

    nn.Module.__call__ = call  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.__call__ = original  # type: ignore[method-assign]


@contextlib.contextmanager
def _wrapped_len(root: nn.Module, recorder: _Recorder) -> Iterator[None]:
    """`len(x)` in forward keeps its size; the built-in always returns a plain int."""
    code = forward_code(root)
    names = getattr(inspect.unwrap(type(root).forward), "__globals__", None)
    if code is None or names is None or "len" in names:
        yield
        return

    def traced_len(value: Any) -> int:
        return value.shape[0] if isinstance(value, Tensor) and value.dim() else len(value)

    names["len"] = traced_len
    try:
        yield
    finally:
        del names["len"]


class _Recorder(TorchFunctionMode):
    """The state of one recording."""

    def __init__(self, root: nn.Module, arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.root = root
        self.active = False
        self.inside = 0  # > 0 within a submodule or a torch call
        self.steps: list[Step] = []
        self.guards: list[Guard] = []
        self.strays: list[str] = []
        self.refusal: Refusal | None = None
        self.paths: dict[int, str] = {}
        for path, module in root.named_modules():
            self.paths.setdefault(id(module), path)
        self.registered: dict[int, str] = {}
        for path, tensor in itertools.chain(root.named_parameters(), root.named_buffers()):
            self.registered.setdefault(id(tensor), path)
        self.values: dict[int, Ref | InputRef] = {}
        self.alive: list[Any] = []  # an id is only a name while its object lives
        self.positions: dict[CodeType, list[tuple[int | None, ...]]] = {}
        for name, value in arguments.items():
            self.bind(value, InputRef(name))

    # -- names for values

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

    def reference(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            known = self.values.get(id(value))
            if known is not None:
                return known
            path = self.registered.get(id(value))
            return AttrRef(path) if path is not None else Loose(self._holder(value))
        if isinstance(value, TracedInt):
            return value.expression
        if isinstance(value, torch.Size | tuple):
            return tuple(self.reference(item) for item in value)
        if isinstance(value, list):
            return [self.reference(item) for item in value]
        if isinstance(value, Mapping):
            return {key: self.reference(item) for key, item in value.items()}
        if isinstance(value, slice):
            return slice(*(self.reference(item) for item in (value.start, value.stop, value.step)))
        return value

    def _holder(self, value: Any) -> str:
        """Which attribute holds something that is registered nowhere."""
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

    # -- places

    def site(self) -> Site | None:
        """Where the user's code stands now: its innermost frame."""
        frame = sys._getframe(1)
        while frame is not None:
            code = frame.f_code
            if not code.co_filename.startswith((_HERE, _TORCH)):
                table = self.positions.get(code)
                if table is None:
                    table = self.positions[code] = list(code.co_positions())
                row, end_row, column, end_column = table[frame.f_lasti // 2]
                if row is None or end_row is None or column is None or end_column is None:
                    return None
                return Site(code.co_filename, row, column, end_row, end_column, code.co_qualname, code.co_firstlineno)
            if frame.f_back is None:
                return None
            frame = frame.f_back
        return None

    def guard(self, condition: str, value: bool) -> None:
        if self.active and not self.inside:
            self.guards.append(Guard(condition, value, self.site()))

    def refuse(self, code: str, message: str) -> Refusal:
        site = self.site()
        self.refusal = self.refusal or Refusal(Diagnostic(code, message, site.location() if site else None))
        return self.refusal

    # -- calls

    def call_module(
        self, original: Callable[..., Any], module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if not self.active or self.inside:
            return original(module, *args, **kwargs)
        path = self.paths.get(id(module))
        if path is None:
            holder = self._holder(module)
            self.strays.append(holder or f"{type(module).__name__} made in forward")
            path = f"?{holder}"
        return self._step("module", path, module, args, kwargs, lambda: original(module, *args, **kwargs))

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if not self.active or self.inside:
            return func(*args, **kwargs)
        name = getattr(func, "__name__", str(func))
        if name in _READS_VALUES:
            raise self.refuse("SQ101", f"forward decides on the value of a tensor (`{name.strip('_')}`)")
        if name in _LEAVES_TORCH:
            raise self.refuse("SQ104", f"forward takes a tensor's values out of torch (`{name.strip('_')}`)")
        if name == "__get__" or name in ("size", "numel", "nelement", "__len__", "dim"):
            return self._read(func, name, args, kwargs)
        return self._step("function", _name_of(func), func, args, kwargs, lambda: func(*args, **kwargs))

    def _read(self, func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A property or size of a tensor: no step, unless it is a tensor (`x.T`)."""
        result = func(*args, **kwargs)
        if isinstance(result, Tensor):
            if id(result) in self.values or id(result) in self.registered:
                return result
            return self._step("function", f"torch.Tensor.{_property(func)}", func, args, kwargs, lambda: result)
        source = self.reference(args[0])
        if isinstance(result, torch.Size):
            return torch.Size([TracedInt(size, SizeOf(source, dim), self.guard) for dim, size in enumerate(result)])
        if name == "size" and isinstance(result, int):
            dim = int((*args[1:], *kwargs.values())[0])
            return TracedInt(result, SizeOf(source, dim % max(args[0].dim(), 1)), self.guard)
        if name in ("numel", "nelement"):
            return TracedInt(result, size_product(source, range(args[0].dim())), self.guard)
        return result

    def _step(
        self,
        kind: str,
        target: str,
        function: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        run: Callable[[], Any],
    ) -> Any:
        references = self.reference(args), self.reference(kwargs)
        site = self.site()
        ambient = _ambient()
        self.inside += 1
        try:
            tensors = [value for value in _flatten((args, kwargs)) if isinstance(value, Tensor)]
            shapes = tuple(tuple(map(int, tensor.shape)) for tensor in tensors)
            versions = [_version(tensor) for tensor in tensors]
            result = run()
            mutates = [_version(tensor) for tensor in tensors] != versions
            one = result if isinstance(result, Tensor) else None
            shape = tuple(map(int, one.shape)) if one is not None else None
            dtype = str(one.dtype) if one is not None else None
        finally:
            self.inside -= 1
        if kind == "function" and not mutates and not any(isinstance(item, Tensor) for item in _flatten(result)):
            return result  # a question about torch or a tensor: torch.is_grad_enabled(), x.is_contiguous()
        step = Step(
            index=len(self.steps),
            kind=kind,
            target=target,
            function=function,
            args=references[0],
            kwargs=references[1],
            site=site,
            shapes=shapes,
            shape=shape,
            dtype=dtype,
            mutates=mutates,
            ambient=ambient,
        )
        self.steps.append(step)
        self.bind(result, Ref(step.index))
        return result


def _first(reference: Ref | InputRef) -> tuple[Any]:
    return (reference.step,) if isinstance(reference, Ref) else (reference.name,)


def _flatten(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple | list):
        for item in value:
            yield from _flatten(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _flatten(item)
    else:
        yield value


def _version(tensor: Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version


def _ambient() -> tuple[Any, ...]:
    return (
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.is_autocast_enabled("cuda"),
    )


def _property(func: Any) -> str:
    return getattr(getattr(func, "__self__", None), "__name__", "property")


def _name_of(func: Any) -> str:
    """`torch.nn.functional.relu`, `torch.Tensor.relu`, `torch.flatten`: as a reader would write it."""
    name = getattr(func, "__name__", str(func))
    if getattr(func, "__objclass__", None) is not None or getattr(func, "__qualname__", "").startswith("Tensor"):
        return f"torch.Tensor.{name}"
    module = getattr(func, "__module__", None) or "torch"
    return f"{module.replace('torch._C._nn', 'torch.nn.functional')}.{name}"
