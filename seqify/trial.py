"""One call of a module, and all that it leaves behind."""

# This file and `checks.py` know two modules, a map of their names and some inputs. They know nothing of how one
# module was made from the other, and import nothing that does; a test holds them to that.

from __future__ import annotations

import contextlib
import copy
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from seqify.structure import flatten

__all__ = [
    "PARTS",
    "Seen",
    "Setting",
    "cast_module",
    "copied",
    "deterministic",
    "each_tensor",
    "perturb",
    "run",
    "says_something",
    "steps",
    "strided_copy",
]

PARTS = ("forward", "inputs", "gradients", "input gradients", "buffers", "random")


@dataclass
class Seen:
    """
    What one call left behind, as named tensors in parts; None stands for an absent gradient.

    `structure` describes the output without its numbers; `error` is set when the call raised, and
    nothing else is then but `place`, the line of user code it came through.
    """

    error: str | None = None
    place: tuple[str, int] | None = None
    structure: Any = None
    parts: dict[str, dict[str, Tensor | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """
    How a module is run.

    Attributes:
        mode: "eval" or "train".
        device: where it is; whose random generator is looked at besides the CPU's.
        dtype: of its floating-point weights; None leaves them.
        autocast: run under autocast to this dtype.
        grad: whether gradients are computed; without, forward runs under `torch.no_grad()`.
        deployed: with torch's own choice of algorithms and precision, instead of deterministic ones.
        input_grad: whether floating-point inputs take a gradient too, where gradients are computed.
    """

    mode: str = "eval"
    device: str = "cpu"
    dtype: torch.dtype | None = None
    autocast: torch.dtype | None = None
    grad: bool = True
    deployed: bool = False
    input_grad: bool = True

    @contextlib.contextmanager
    def around(self) -> Iterator[None]:
        """What forward runs in."""
        casting = torch.autocast(torch.device(self.device).type, self.autocast, enabled=self.autocast is not None)
        with torch.set_grad_enabled(self.grad), casting if self.autocast else contextlib.nullcontext():
            yield


@contextlib.contextmanager
def deterministic(device: str = "cpu") -> Iterator[None]:
    """
    Deterministic algorithms, full precision and one attention kernel on CUDA, and every setting put back afterwards.

    The random state of the CPU, and of the device, is put back too.
    """
    # read when the CUDA context is made, so it must be there before the first call
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # not torch.use_deterministic_algorithms, which imports the whole of torch.compile for it
    algorithms = torch.get_deterministic_debug_mode()
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    names = ("allow_tf32", "allow_fp16_reduced_precision_reduction", "allow_bf16_reduced_precision_reduction")
    settings = [getattr(matmul, name) for name in names]
    others = cudnn.allow_tf32, cudnn.benchmark
    devices = [torch.device(device).index or 0] if device.startswith("cuda") else []
    try:
        torch.set_deterministic_debug_mode("warn")
        for name in names:
            setattr(matmul, name, False)
        cudnn.allow_tf32 = cudnn.benchmark = False
        with torch.random.fork_rng(devices=devices), _one_attention() if devices else contextlib.nullcontext():
            yield
    finally:
        torch.set_deterministic_debug_mode(algorithms)
        for name, value in zip(names, settings, strict=True):
            setattr(matmul, name, value)
        cudnn.allow_tf32, cudnn.benchmark = others


def _one_attention() -> contextlib.AbstractContextManager[None]:
    """The attention that is a few plain operators: the fused ones may sum in another order each time."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    return sdpa_kernel(SDPBackend.MATH)


def run(module: nn.Module, values: Mapping[str, Any], seed: int, setting: Setting | str) -> Seen:
    """
    Call a module on clones of some inputs, and go backward through it where there is a gradient.

    Args:
        module: its gradients are cleared first, its buffers change as forward changes them.
        values: the arguments by name; a single one is passed by position.
        seed: of the random state before the call.
        setting: how it is run, its mode and dtype apart; a text is a device.
    """
    setting = Setting(device=setting) if isinstance(setting, str) else setting
    device = setting.device
    # not torch.manual_seed: it queues a call, with the whole stack as text, for a CUDA that may never start
    torch.default_generator.manual_seed(seed)
    if device.startswith("cuda"):
        torch.cuda.manual_seed(seed)
    module.zero_grad(set_to_none=True)
    leaves = {name: value.detach().clone() for name, value in values.items() if isinstance(value, Tensor)}
    for leaf in leaves.values():
        leaf.requires_grad_(setting.grad and setting.input_grad and leaf.is_floating_point())
    # a clone of the leaf is what the module gets: a leaf itself could not be changed in place
    given = {
        name: strided_copy(leaves[name], values[name]) if name in leaves else each_tensor(value, _cloned)
        for name, value in values.items()
    }
    seen = Seen()
    outputs: dict[str, Tensor | None] = {}
    try:
        with setting.around(), _python_seed(seed) as drawn:
            output = module(*given.values()) if len(given) == 1 else module(**given)
        # a buffer that takes a gradient from now on holds on to every step's graph
        taking = sum(item.requires_grad for item in module.buffers())
        seen.structure = (flatten(output, "output", outputs, _look), taking)
        seen.parts["forward"] = _copies(outputs)
        seen.parts["inputs"] = _copies({name: value for name, value in given.items() if isinstance(value, Tensor)})
        total = _scalar([tensor for tensor in outputs.values() if tensor is not None])
        if total is not None:
            total.backward()  # type: ignore[no-untyped-call]
    except (Exception, SystemExit) as error:
        return Seen(error=f"{type(error).__name__}: {error}".splitlines()[0], place=user_place(error))
    seen.parts["gradients"] = _copies({name: item.grad for name, item in module.named_parameters()})
    seen.parts["input gradients"] = _copies({name: leaf.grad for name, leaf in leaves.items()})
    seen.parts["buffers"] = _copies(dict(module.named_buffers()))
    seen.parts["random"] = {"generator": torch.get_rng_state(), **drawn}
    if device.startswith("cuda"):
        seen.parts["random"]["cuda generator"] = torch.cuda.get_rng_state(device)
    return seen


@contextlib.contextmanager
def _python_seed(seed: int) -> Iterator[dict[str, Tensor | None]]:
    """Seed the generators of Python and numpy meanwhile; what is given tells of those that were drawn from."""
    numpy = sys.modules.get("numpy")
    before = random.getstate(), numpy.random.get_state() if numpy else None
    drawn: dict[str, Tensor | None] = {}
    random.seed(seed)
    started = random.getstate()
    if numpy:
        numpy.random.seed(seed)
        numbers = numpy.random.get_state()
    try:
        yield drawn
        if random.getstate() != started:
            drawn["python generator"] = torch.tensor(random.getstate()[1])
        if numpy:
            after = numpy.random.get_state()
            if after[2:] != numbers[2:] or (after[1] != numbers[1]).any():
                drawn["numpy generator"] = torch.tensor([*after[1].tolist(), after[2]])
    finally:
        random.setstate(before[0])
        if numpy:
            numpy.random.set_state(before[1])


_RATE, _MOMENTUM = 1e-3, 0.9


def steps(module: nn.Module, values: Mapping[str, Any], seed: int, setting: Setting, count: int) -> Seen:
    """
    Train a module for some steps of SGD with momentum, and look at its state afterwards.

    The part "steps" holds the parameters and buffers afterwards. The optimizer is written out here, since the first use
    of `torch.optim` imports the whole of torch.compile.
    """
    trained = [item for item in module.parameters() if item.requires_grad]
    if not trained:
        return Seen(parts={"steps": _copies(dict(module.named_buffers()))})
    velocities = [torch.zeros_like(item) for item in trained]
    for step in range(count):
        seen = run(module, values, seed + step, replace(setting, input_grad=False))
        if seen.error is not None:
            return seen
        with torch.no_grad():
            for item, velocity in zip(trained, velocities, strict=True):
                if item.grad is not None:
                    velocity.mul_(_MOMENTUM).add_(item.grad.to_dense() if item.grad.is_sparse else item.grad)
                    item.sub_(velocity, alpha=_RATE)
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return Seen(structure=count, parts={"steps": _copies(state)})


def copied(module: nn.Module) -> nn.Module:
    """
    A deep copy that has the hooks of the module's parameters too, which `copy.deepcopy` leaves behind.

    A hook that knows the module by itself, not by its arguments, still knows the old one. A tensor that autograd has
    computed, as an activation that was kept, is copied without its history; tensors of one memory have one in the copy,
    too; what cannot be copied at all, as a lock, is shared.
    """
    memo: dict[Any, Any] = {}
    held = [value for part in module.modules() for value in vars(part).values() if isinstance(value, Tensor)]
    dense = {id(item): item for item in (*module.parameters(), *module.buffers(), *held) if _is_dense(item)}
    owners = Counter(item.untyped_storage()._cdata for item in dense.values())
    for item in dense.values():
        shared = owners[item.untyped_storage()._cdata] > 1  # which a copy of a parameter would not be
        if item.grad_fn is not None or (shared and type(item) is nn.Parameter):
            plain = copy.deepcopy(item.detach(), memo) if shared else item.detach().clone()
            memo[id(item)] = nn.Parameter(plain) if isinstance(item, nn.Parameter) else plain
            memo[id(item)].requires_grad_(item.requires_grad)
    try:
        new = copy.deepcopy(module, dict(memo))
    except Exception:
        new = copy.deepcopy(module, {**memo, **{id(value): value for value in _uncopied(module)}})
    for old, item in zip(module.parameters(), new.parameters(), strict=True):
        for hook in (old._backward_hooks or {}).values():
            item.register_hook(hook)  # type: ignore[no-untyped-call]
        for hook in (getattr(old, "_post_accumulate_grad_hooks", None) or {}).values():
            item.register_post_accumulate_grad_hook(hook)  # type: ignore[no-untyped-call]
    return new


def cast_module(module: nn.Module, device: str, dtype: torch.dtype | None) -> nn.Module:
    """
    Move a module, and give its floating-point parameters and buffers another dtype, in place.

    Complex ones get the complex dtype of that precision, where there is one; `nn.Module.to` would make them real.
    """

    def cast(tensor: Tensor) -> Tensor:
        if dtype is None or not (tensor.is_floating_point() or tensor.is_complex()):
            return tensor.to(device)
        if tensor.is_complex():
            return tensor.to(device, dtype.to_complex()) if dtype is not torch.bfloat16 else tensor.to(device)
        return tensor.to(device, dtype)

    module._apply(cast)  # type: ignore[no-untyped-call]
    return module


def _is_dense(tensor: Tensor) -> bool:
    return tensor.layout is torch.strided and not is_lazy(tensor)


def _uncopied(module: nn.Module) -> Iterator[Any]:
    """The attributes of a module and its submodules that have no copy."""
    known = {id(item) for item in (*module.modules(), *module.parameters(), *module.buffers())}
    for part in module.modules():
        for name, value in vars(part).items():
            if name not in _OWN and id(value) not in known and not isinstance(value, Tensor):
                try:
                    copy.deepcopy(value)
                except Exception:
                    yield value


_OWN = frozenset(["_parameters", "_buffers", "_modules"])


def user_place(error: BaseException) -> tuple[str, int] | None:
    """The innermost line of user code that an error came through."""
    found = None
    trace = error.__traceback__
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if not filename.startswith(_HIDDEN):
            found = filename, trace.tb_lineno
        trace = trace.tb_next
    return found


_HIDDEN = (os.path.dirname(torch.__file__) + os.sep, os.path.dirname(__file__) + os.sep, "<frozen")


def each_tensor(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A value with every tensor in it changed, those in lists, tuples and dicts included."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, tuple | list):
        items = [each_tensor(item, change) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, dict):
        new = copy.copy(value)
        new.update({key: each_tensor(item, change) for key, item in value.items()})
        return new
    return value


def strided_copy(leaf: Tensor, like: Tensor) -> Tensor:
    """A copy of a tensor that autograd follows, with the strides of another one, gaps in its memory included."""
    copied = leaf.clone()
    if copied.stride() == like.stride() or 0 in like.stride() or like.layout is not torch.strided:
        return copied
    gapped = torch.empty_strided(like.shape, like.stride(), dtype=leaf.dtype, device=leaf.device)
    return gapped.copy_(leaf)


def _cloned(tensor: Tensor) -> Tensor:
    return tensor.detach().clone()


def _copies(tensors: Mapping[str, Tensor | None]) -> dict[str, Tensor | None]:
    def copied(tensor: Tensor | None) -> Tensor | None:
        if tensor is None:
            return None
        dense = tensor.detach().to_dense() if tensor.layout is not torch.strided else tensor.detach()
        return dense.clone()

    return {name: copied(tensor) for name, tensor in tensors.items()}


def _look(tensor: Tensor) -> Any:
    return (tuple(tensor.shape), str(tensor.dtype), str(tensor.layout), _strides(tensor), tensor.requires_grad)


def _strides(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.stride()) if tensor.layout is torch.strided else ()


def _scalar(outputs: Sequence[Tensor]) -> Tensor | None:
    """A weighted sum of all that has a gradient; the weights are random, so that no two elements cancel."""
    generator = torch.Generator().manual_seed(7)
    total = None
    for tensor in outputs:
        if tensor.requires_grad:
            weight = torch.randn(tensor.shape, generator=generator, dtype=torch.float64).to(tensor.device, tensor.dtype)
            term = (tensor * weight).sum()
            total = term if total is None else total + term
    return None if total is None else (total.real if total.is_complex() else total)


def says_something(seen: Seen) -> bool:
    """
    Whether the output has finite numbers that are not all the same, and follows the input: a comparison of zeros, or of
    the last bias alone, proves nothing about the layers before.
    """
    slopes = [slope for slope in seen.parts.get("input gradients", {}).values() if slope is not None]
    if slopes and not any(bool(slope.any()) for slope in slopes):
        return False
    for tensor in seen.parts.get("forward", {}).values():
        if tensor is None or not tensor.numel():
            continue
        numbers = torch.view_as_real(tensor) if tensor.is_complex() else tensor
        finite = numbers.flatten()[torch.isfinite(numbers.flatten())]
        if finite.numel() == 1 or (finite.numel() and bool((finite != finite[0]).any())):
            return True
    return False


def _is_pattern(buffer: Tensor) -> bool:
    """Whether a buffer holds different whole numbers, which mean something; fresh statistics are all the same."""
    return buffer.numel() > 1 and bool((buffer == buffer.round()).all()) and bool((buffer != buffer.flatten()[0]).any())


def perturb(module: nn.Module, names: Collection[str], seed: int = 1, scale: float = 1.0) -> None:
    """
    Move parameters and floating-point buffers away from their initial values, in place.

    Fresh weights hide bugs: a fresh BatchNorm is nearly the identity, a fresh bias often zero. Values are scaled by a
    factor from 0.5 to 1.5 and shifted; a buffer without negative numbers (a variance) stays without, and one with
    infinities or of different whole numbers (a mask, a table) is left alone: moved, it would mask nothing.

    Args:
        module: the module to change.
        names: the keys of its state_dict to change; what is not saved is not changed either.
        seed: of the noise, the same on every device.
        scale: of the parameters, afterwards.
    """
    generator = torch.Generator().manual_seed(seed)
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        for name, tensor in {**parameters, **dict(module.named_buffers())}.items():
            if name not in names or not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
                continue
            if name not in parameters and _is_pattern(tensor):
                continue
            factor = torch.rand(tensor.shape, generator=generator, dtype=torch.float32) + 0.5
            shift = torch.randn(tensor.shape, generator=generator, dtype=torch.float32)
            if name in parameters and tensor.dim() > 1:
                shift *= 0.1 * float(tensor.detach().float().std(unbiased=False).clamp(min=0.01))
            elif name in parameters or bool((tensor < 0).any()) or not bool((tensor > 0).any()):
                shift *= 0.1
            else:
                shift = 0.1 * shift.abs()
            tensor.mul_(factor.to(tensor)).add_(shift.to(tensor))
            if scale != 1.0 and name in parameters:
                tensor.mul_(scale)
