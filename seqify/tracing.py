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
import gc
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
from seqify.looks import chance, changed_chance, flatten, state
from seqify.openness import Openness
from seqify.recorder import KeepWhole, NeedsNumbers, Recorder, Undecided
from seqify.references import HERE, TORCH
from seqify.sizes import TracedInt

__all__ = [
    "Applied",
    "KeepWhole",
    "NeedsNumbers",
    "Undecided",
    "copied",
    "forward_code",
    "on_meta",
    "record",
    "without_collections",
]


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


def record(module: nn.Module, inputs: Mapping[str, Any], training: bool, openness: Openness | None = None) -> Flow:
    """
    Run `module.forward(**inputs)` on a copy of the module and record the calls.

    Args:
        module: any module, on any device, meta included; it is neither changed nor run itself.
        inputs: the arguments of forward by name, on the module's device; they are cloned.
        training: the mode to run in.
        openness: which submodules are looked into; none when it is left out.

    Raises:
        Refusal: SQ101 or SQ104 where forward needs a tensor's values.
        KeepWhole: an opened submodule needs them; it can be kept whole.
        Undecided: forward asks a yes-or-no question that `openness.answers` has no answer for.
        NeedsNumbers: it needs the values of a constant, and the module is on the meta device.
        Exception: whatever forward itself raises.
    """
    before = chance()
    with without_collections():
        flow = _record(module, inputs, training, openness or Openness(), False)
        if changed_chance(before, chance()):  # somebody drew from Python's or NumPy's generator: was it forward?
            flow = _record(module, inputs, training, openness or Openness(), True)
    return flow


@contextlib.contextmanager
def without_collections() -> Iterator[None]:
    """
    Python's garbage collector looks at all live objects again and again, and a recording makes many that stay.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _record(
    module: nn.Module, inputs: Mapping[str, Any], training: bool, openness: Openness, watches_chance: bool
) -> Flow:
    root = copied(module).train(training)
    arguments = {name: _fresh(value) for name, value in inputs.items()}
    recorder = Recorder(root, arguments, openness, watches_chance)
    before = state(root)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        _forget_shapes()
        with _patched(recorder), _counted(root, recorder), recorder:
            recorder.active = True
            try:
                # not through __call__: hooks of the module itself are not part of forward
                output = type(root).forward(root, **arguments)
                recorder.check_chance()
                if torch.default_generator.initial_seed() != 0:
                    raise recorder.refuse("SQ106", "forward sets the seed")
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
        given={name: _given(value) for name, value in inputs.items()},
        results=recorder.results,
        ragged=bool(recorder.ragged),
        reads_dtype=recorder.reads_dtype,
        reads_rank=recorder.reads_rank,
        rebound=tuple(name for name in written if _tensor_at(before.get(name)) != _tensor_at(after.get(name))),
    )


def _given(value: Any) -> Any:
    return torch.Size(map(int, value.shape)) if isinstance(value, Tensor) else value


def _tensor_at(known: Any) -> Any:
    """The identity of a tensor, of what `state` knows of it."""
    return known[0] if isinstance(known, tuple) else None


def _forget_shapes() -> None:
    """einops keeps what it worked out for a shape, with the sizes of an earlier recording in it."""
    einops = sys.modules.get("einops.einops")
    for name in ("_reconstruct_from_shape", "_prepare_transformation_recipe"):
        clear = getattr(getattr(einops, name, None), "cache_clear", None)
        if clear is not None:
            clear()


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


def _asking(recorder: Recorder, name: str) -> Callable[..., Any]:
    """A question about what surrounds forward, noted when forward itself asks it."""
    original = getattr(torch, name)

    def ask(*args: Any, **kwargs: Any) -> Any:
        answer = original(*args, **kwargs)
        asker = sys._getframe(1).f_code.co_filename
        if recorder.active and not recorder.inside and not asker.startswith((TORCH, HERE)):
            recorder.surrounding(f"torch.{name}()", answer)
        return answer

    return ask


def _callers(root: nn.Module) -> set[type]:
    """The classes, of whose modules the root is made, that define a `__call__` of their own."""
    found = set()
    for kind in {type(module) for module in root.modules()}:
        owner = next(base for base in kind.__mro__ if "__call__" in vars(base))
        if owner is not nn.Module and inspect.isfunction(vars(owner)["__call__"]):
            found.add(owner)
    return found


def _caller(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return recorder.call_module(original, module, args, kwargs)

    return call


class Applied:
    """`kind.apply` of an autograd function, as it is when no recording runs."""

    def __init__(self, kind: type[torch.autograd.Function]) -> None:
        self.kind = kind
        self.__name__ = f"{kind.__name__}.apply"

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
    enabled: Callable[..., Any] = torch.enable_grad.__enter__
    disabled: Callable[..., Any] = torch.enable_grad.__exit__
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

    def enable(block: Any) -> None:
        recorder.enabled += 1
        enabled(block)

    def disable(block: Any, *error: Any) -> None:
        recorder.enabled -= 1
        disabled(block, *error)

    def leave(block: Any, *error: Any) -> Any:
        recorder.autocast = recorder.autocast[:-1]
        return left(block, *error)

    with contextlib.ExitStack() as stack:
        stack.enter_context(_replaced(nn.Module, "__call__", call))
        stack.enter_context(_replaced(torch.autograd.Function, "apply", classmethod(apply_function)))
        stack.enter_context(_replaced(torch._C.ScriptFunction, "__call__", call_script))
        stack.enter_context(_replaced(torch.autocast, "__enter__", enter))
        stack.enter_context(_replaced(torch.autocast, "__exit__", leave))
        stack.enter_context(_replaced(torch.enable_grad, "__enter__", enable))
        stack.enter_context(_replaced(torch.enable_grad, "__exit__", disable))
        for name in ("is_grad_enabled", "is_inference_mode_enabled", "is_autocast_enabled", "get_autocast_dtype"):
            stack.enter_context(_replaced(torch, name, _asking(recorder, name)))
        for kind in _callers(recorder.root):
            stack.enter_context(_replaced(kind, "__call__", _caller(recorder, vars(kind)["__call__"])))
        if transforms is not None:
            vmap: Callable[..., Any] = transforms.vmap_impl

            def call_vmap(*args: Any, **kwargs: Any) -> Any:
                return recorder.call_opaque("torch.vmap", vmap, vmap, args, kwargs)

            stack.enter_context(_replaced(transforms, "vmap_impl", call_vmap))
        yield


@contextlib.contextmanager
def _counted(root: nn.Module, recorder: Recorder) -> Iterator[None]:
    """`len(x)` and `range(n)` in the files of the classes keep or report the size; the built-ins see a plain int."""

    def traced_len(value: Any) -> int:
        return value.shape[0] if isinstance(value, Tensor) and value.dim() else len(value)

    opened = [root, *root.modules()] if recorder.openness.depth != 0 else [root]
    spaces = {}
    for kind in {type(module) for module in opened}:
        if kind.__module__.startswith("torch."):
            continue
        names = getattr(inspect.unwrap(kind.forward), "__globals__", None)
        if names is not None:
            spaces[id(names)] = names
    patched = []
    for names in spaces.values():
        for name, made in (("len", traced_len), ("range", _TracedRange)):
            if name not in names:
                names[name] = made
                patched.append((names, name))
    try:
        yield
    finally:
        for names, name in patched:
            del names[name]


class _RangeKind(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, range)

    def __call__(cls, *bounds: Any) -> range:
        # what is done as often as a size says holds for that size alone
        return range(*(int(bound) if isinstance(bound, TracedInt) else bound for bound in bounds))


class _TracedRange(metaclass=_RangeKind):
    """`range`, which reports the sizes that it is given."""
