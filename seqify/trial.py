"""One call of a module, and all that it leaves behind."""

# This file and `checks.py` know two modules, a map of their names and some inputs. They know nothing of how one
# module was made from the other, and import nothing that does; a test holds them to that.

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

__all__ = [
    "PARTS",
    "Seen",
    "Setting",
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

    `structure` describes the output without its numbers; `error` is set when the call raised, and nothing else is then.
    """

    error: str | None = None
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
    """

    mode: str = "eval"
    device: str = "cpu"
    dtype: torch.dtype | None = None
    autocast: torch.dtype | None = None
    grad: bool = True
    deployed: bool = False

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
        leaf.requires_grad_(setting.grad and leaf.is_floating_point())
    # a clone of the leaf is what the module gets: a leaf itself could not be changed in place
    given = {
        name: strided_copy(leaves[name], values[name]) if name in leaves else each_tensor(value, _cloned)
        for name, value in values.items()
    }
    seen = Seen()
    outputs: dict[str, Tensor | None] = {}
    try:
        with setting.around():
            output = module(*given.values()) if len(given) == 1 else module(**given)
        seen.structure = _flatten(output, "output", outputs)
        seen.parts["forward"] = _copies(outputs)
        seen.parts["inputs"] = _copies({name: value for name, value in given.items() if isinstance(value, Tensor)})
        total = _scalar([tensor for tensor in outputs.values() if tensor is not None])
        if total is not None:
            total.backward()  # type: ignore[no-untyped-call]
    except (Exception, SystemExit) as error:
        return Seen(error=f"{type(error).__name__}: {error}".splitlines()[0])
    seen.parts["gradients"] = _copies({name: item.grad for name, item in module.named_parameters()})
    seen.parts["input gradients"] = _copies({name: leaf.grad for name, leaf in leaves.items()})
    seen.parts["buffers"] = _copies(dict(module.named_buffers()))
    seen.parts["random"] = {"generator": torch.get_rng_state()}
    if device.startswith("cuda"):
        seen.parts["random"]["cuda generator"] = torch.cuda.get_rng_state(device)
    return seen


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
        seen = run(module, values, seed + step, setting)
        if seen.error is not None:
            return seen
        with torch.no_grad():
            for item, velocity in zip(trained, velocities, strict=True):
                if item.grad is not None:
                    velocity.mul_(_MOMENTUM).add_(item.grad.to_dense() if item.grad.is_sparse else item.grad)
                    item.sub_(velocity, alpha=_RATE)
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return Seen(structure=count, parts={"steps": _copies(state)})


def each_tensor(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A value with every tensor in it changed, those in lists, tuples and dicts included."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        return type(value)(each_tensor(item, change) for item in value)
    return {key: each_tensor(item, change) for key, item in value.items()} if type(value) is dict else value


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


def _flatten(value: Any, name: str, found: dict[str, Tensor | None]) -> Any:
    """Collect the tensors of an output; what is returned is its structure, with everything but the numbers."""
    if isinstance(value, Tensor):
        found[name] = value
        return (tuple(value.shape), str(value.dtype), str(value.layout), _strides(value), value.requires_grad)
    if isinstance(value, Mapping):
        return (type(value).__name__, {key: _flatten(item, f"{name}[{key!r}]", found) for key, item in value.items()})
    if isinstance(value, tuple | list):
        return (type(value).__name__, [_flatten(item, f"{name}[{index}]", found) for index, item in enumerate(value)])
    return value if isinstance(value, int | float | str | bool | None) else type(value).__name__


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


def perturb(module: nn.Module, names: Collection[str], seed: int = 1) -> None:
    """
    Move parameters and floating-point buffers away from their initial values, in place.

    Fresh weights hide bugs: a fresh BatchNorm is nearly the identity, a fresh bias often zero. Values are scaled by a
    factor from 0.5 to 1.5 and shifted; a buffer without negative numbers (a variance) stays without, and one with
    infinities (a mask) is left alone.

    Args:
        module: the module to change.
        names: the keys of its state_dict to change; what is not saved is not changed either.
        seed: of the noise, the same on every device.
    """
    generator = torch.Generator().manual_seed(seed)
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        for name, tensor in {**parameters, **dict(module.named_buffers())}.items():
            if name not in names or not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
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
