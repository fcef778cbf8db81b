"""One recording of a forward: what is set up around it, and what is put back."""

# This file, `recorder.py` and `sizes.py` are the ones that rest on torch's internals:
#
#   torch.overrides.TorchFunctionMode     public since 1.13; sees every torch function, method and property
#   nn.Module.__call__                    replaced for the time of a recording, as torch.fx does it
#   autograd.Function.apply, torch._C.ScriptFunction.__call__, torch._functorch.apis.vmap_impl
#                                         replaced likewise: what runs inside is no dataflow of forward's own
#   autocast.__enter__, __exit__          a block that changes nothing here may change something under another autocast
#   Tensor._version                       tells a call that changes its argument from one that does not

from __future__ import annotations

import contextlib
import copy
import importlib
import inspect
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from types import CodeType
from typing import Any

import torch
from torch import Tensor, nn

from seqify.flow import AttrRef, Flow, InputRef
from seqify.looks import flatten, state
from seqify.openness import Openness
from seqify.recorder import KeepWhole, NeedsNumbers, Recorder, Undecided

__all__ = ["Applied", "KeepWhole", "NeedsNumbers", "Undecided", "copied", "forward_code", "on_meta", "record"]


def forward_code(module: nn.Module) -> CodeType | None:
    """The code of a module's forward, decorators looked through; None when it is not Python."""
    return getattr(inspect.unwrap(type(module).forward), "__code__", None)


def copied(module: nn.Module) -> nn.Module:
    """A deep copy; a tensor that autograd has computed is copied without its history, which `deepcopy` cannot do."""
    memo: dict[int, Any] = {}
    for part in module.modules():
        for value in vars(part).values():
            if isinstance(value, Tensor) and value.grad_fn is not None:
                memo[id(value)] = value.detach().clone()
    return copy.deepcopy(module, memo)


def on_meta(module: nn.Module) -> nn.Module:
    """A copy of a module whose parameters and buffers are on the meta device: shapes without numbers, no memory."""
    memo: dict[int, Any] = {}
    for tensor in itertools.chain(module.parameters(), module.buffers()):
        empty = torch.empty_like(tensor, device="meta")
        memo[id(tensor)] = nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty
    return copy.deepcopy(module, memo)


def record(
    module: nn.Module, inputs: Mapping[str, Any], training: bool, openness: Openness | None = None, own: bool = False
) -> Flow:
    """
    Run `module.forward(**inputs)` on a copy of the module and record the calls.

    Args:
        module: any module, on any device, meta included; it is neither changed nor run itself.
        inputs: the arguments of forward by name, on the module's device; they are cloned.
        training: the mode to run in.
        openness: which submodules are looked into; none when it is left out.
        own: the module is the caller's to spend: no copy is made of it.

    Raises:
        Refusal: SQ101 or SQ104 where forward needs a tensor's values.
        KeepWhole: an opened submodule needs them; it can be kept whole.
        Undecided: forward asks a yes-or-no question that `openness.answers` has no answer for.
        NeedsNumbers: it needs the values of a constant, and the module is on the meta device.
        Exception: whatever forward itself raises.
    """
    root = (module if own else copied(module)).train(training)
    arguments = {name: _fresh(value) for name, value in inputs.items()}
    recorder = Recorder(root, arguments, openness or Openness())
    before = state(root)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        with _patched(recorder), _counted(root, recorder), recorder:
            recorder.active = True
            try:
                # not through __call__: hooks of the module itself are not part of forward
                output = type(root).forward(root, **arguments)
                recorder.check_chance()
            except (RuntimeError, NotImplementedError) as error:
                if recorder.refusal is None and isinstance(error.__cause__, KeepWhole | NeedsNumbers | Undecided):
                    raise error.__cause__ from None
                raise
            finally:
                recorder.active = False
                if recorder.refusal is not None:
                    raise recorder.refusal
    after = state(root)
    written = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return Flow(
        inputs=tuple(arguments),
        steps=tuple(recorder.steps),
        output=recorder.reference(output),
        guards=tuple(recorder.guards),
        written=tuple(written),
        strays=tuple(dict.fromkeys(recorder.strays)),
        kept=tuple(recorder.kept.values()),
        device=_device(root, arguments),
        typed=(typed := _typed(root, arguments))[0],
        dtype=typed[1],
        opened=tuple(recorder.opened),
        sizes=recorder.sizes,
    )


def _device(root: nn.Module, arguments: Mapping[str, Any]) -> torch.device:
    tensors = (value for value in flatten(arguments) if isinstance(value, Tensor))
    first = next(itertools.chain(tensors, root.parameters(), root.buffers()), None)
    return first.device if first is not None else torch.device("cpu")


def _typed(root: nn.Module, arguments: Mapping[str, Any]) -> tuple[InputRef | AttrRef | None, torch.dtype | None]:
    """The tensor whose dtype stands for the model's, and that dtype."""
    for name, value in arguments.items():
        if isinstance(value, Tensor) and value.is_floating_point():
            return InputRef(name), value.dtype
    for path, parameter in root.named_parameters():
        if parameter.is_floating_point():
            return AttrRef(path), parameter.dtype
    return None, None


def _fresh(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value


@contextlib.contextmanager
def _replaced(owner: Any, name: str, made: Any) -> Iterator[None]:
    original = owner.__dict__[name] if isinstance(owner, type) else getattr(owner, name)
    setattr(owner, name, made)
    try:
        yield
    finally:
        setattr(owner, name, original)


class Applied:
    """`kind.apply` of an autograd function, as it is when no recording runs."""

    def __init__(self, kind: type[torch.autograd.Function]) -> None:
        self.kind = kind

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Applied) and other.kind is self.kind

    def __hash__(self) -> int:
        return hash(self.kind)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        apply: Callable[..., Any] = self.kind.apply
        return apply(*args, **kwargs)


@contextlib.contextmanager
def _patched(recorder: Recorder) -> Iterator[None]:
    """Calls that the torch-function mode does not see go through the recorder."""
    module_call = nn.Module.__call__
    apply = torch.autograd.Function.__dict__["apply"].__func__
    script_call = torch._C.ScriptFunction.__call__
    entered: Callable[..., Any] = torch.autocast.__enter__
    left: Callable[..., Any] = torch.autocast.__exit__
    transforms = importlib.import_module("torch._functorch.apis") if "torch._functorch.apis" in sys.modules else None

    def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return recorder.call_module(module_call, module, args, kwargs)

    def apply_function(kind: Any, *args: Any, **kwargs: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            return apply(kind, *args, **kwargs)

        return recorder.call_opaque(f"{kind.__module__}.{kind.__qualname__}.apply", Applied(kind), run, args, kwargs)

    def call_script(function: Any, *args: Any, **kwargs: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            return script_call(function, *args, **kwargs)

        return recorder.call_opaque(f"torch.jit.{function.name}", function, run, args, kwargs)

    def enter(block: Any) -> Any:
        recorder.autocast += ((block.device, block.fast_dtype, block._enabled),)
        return entered(block)

    def leave(block: Any, *error: Any) -> Any:
        recorder.autocast = recorder.autocast[:-1]
        return left(block, *error)

    with contextlib.ExitStack() as stack:
        stack.enter_context(_replaced(nn.Module, "__call__", call))
        stack.enter_context(_replaced(torch.autograd.Function, "apply", classmethod(apply_function)))
        stack.enter_context(_replaced(torch._C.ScriptFunction, "__call__", call_script))
        stack.enter_context(_replaced(torch.autocast, "__enter__", enter))
        stack.enter_context(_replaced(torch.autocast, "__exit__", leave))
        if transforms is not None:
            vmap: Callable[..., Any] = transforms.vmap_impl

            def call_vmap(*args: Any, **kwargs: Any) -> Any:
                return recorder.call_opaque("torch.vmap", vmap, vmap, args, kwargs)

            stack.enter_context(_replaced(transforms, "vmap_impl", call_vmap))
        yield


@contextlib.contextmanager
def _counted(root: nn.Module, recorder: Recorder) -> Iterator[None]:
    """`len(x)` in a forward keeps its size; the built-in always returns a plain int."""

    def traced_len(value: Any) -> int:
        return value.shape[0] if isinstance(value, Tensor) and value.dim() else len(value)

    opened = [root, *root.modules()] if recorder.openness.depth != 0 else [root]
    spaces = {}
    for kind in {type(module) for module in opened}:
        function = inspect.unwrap(kind.forward)
        names = getattr(function, "__globals__", None)
        if names is not None and not kind.__module__.startswith("torch.") and "len" in function.__code__.co_names:
            spaces[id(names)] = names
    patched = [names for names in spaces.values() if "len" not in names]
    for names in patched:
        names["len"] = traced_len
    try:
        yield
    finally:
        for names in patched:
            del names["len"]
