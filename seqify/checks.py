"""The numbers: two modules side by side, compared bit for bit."""

#   old ──► trial ──► seen ──┐
#                            ├── equal in every bit? else: old beside its own copy; the noise it shows is allowed
#   new ──► trial ──► seen ──┘
#
# In eval and in train, for each dtype, on perturbed weights, at each of the inputs; the modules keep their state
# between the trials, so that statistics and counters have gone several steps when they are compared for the last time.

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from seqify.trial import PARTS, Seen, each_tensor, perturb, run, says_something

__all__ = ["Check", "Verdict", "check", "deterministic", "same_seed"]


@dataclass(frozen=True)
class Check:
    """One comparison. `max_ulp` counts the representable numbers between the two; None where it was not needed."""

    name: str
    device: str
    dtype: str
    mode: str
    ok: bool
    bitwise: bool
    max_abs: float = 0.0
    max_ulp: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """
    All comparisons of two modules.

    `ok` says that they do the same with the same weights. Other initial weights from the same seed are no difference of
    that kind: an initialisation that walks over `modules()` follows the order of registration.
    """

    checks: tuple[Check, ...] = ()

    @property
    def ok(self) -> bool:
        return bool(self.checks) and all(item.ok for item in self.checks if item.name != "seed")


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    """Deterministic algorithms, full precision on CUDA, and every setting put back afterwards."""
    # read when the CUDA context is made, so it must be there before the first call
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # not torch.use_deterministic_algorithms, which imports the whole of torch.compile for it
    algorithms = torch.get_deterministic_debug_mode()
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    settings = matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark
    try:
        torch.set_deterministic_debug_mode("warn")
        matmul.allow_tf32 = cudnn.allow_tf32 = cudnn.benchmark = False
        yield
    finally:
        torch.set_deterministic_debug_mode(algorithms)
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = settings


def check(
    old: nn.Module,
    new: nn.Module,
    inputs: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
    device: str = "cpu",
    dtypes: Sequence[torch.dtype] = (torch.float32, torch.float64),
    progress: Callable[[str], None] = lambda _: None,
    modes: Sequence[str] = ("eval", "train"),
) -> Verdict:
    """
    Compare two modules on the same weights and inputs, in eval and in train.

    Args:
        old: the reference; it is copied, not changed.
        new: the candidate; it is copied, not changed.
        inputs: the arguments of forward by name, a mapping for each trial; two batch sizes say more than one.
        names: for each parameter, buffer and state_dict key of `new`, its name in `old`.
        device: where to compare.
        dtypes: floating-point types of parameters and floating-point inputs.
        progress: told what is being done.
        modes: "eval" and "train", or one of them.
    """
    checks = [_census(old, new, names)]
    with deterministic(), torch.random.fork_rng(devices=_cuda(device)):
        for dtype in dtypes:
            progress(f"comparing on {device} in {_short(dtype)}")
            trials = [_cast(values, device, dtype) for values in inputs]
            rows, silent = _compare(old, new, trials, names, device, dtype, modes)
            for seed in (2, 3):
                if silent and all(
                    row.ok for row in rows
                ):  # other weights may wake what a dead activation kept from being compared
                    more, still = _compare(old, new, trials, names, device, dtype, modes, seed)
                    rows, silent = (
                        [min(pair, key=lambda row: row.ok) for pair in zip(rows, more, strict=False)],
                        silent & still,
                    )
            if silent and all(row.ok for row in rows):
                note = f"no gradient reaches `{min(silent)}`, so the comparison proves nothing about it"
                rows = [
                    replace(row, ok=False, note=row.note or note) if row.name == "gradients" else row for row in rows
                ]
            if any(not row.ok for row in rows):
                own = {name: name for name in (*names.values(), *old.state_dict())}
                rows = _forgive(rows, _compare(old, old, trials, own, device, dtype, modes)[0])
            checks += rows
    return Verdict(tuple(checks))


def _cuda(device: str) -> list[int]:
    return [torch.device(device).index or 0] if device.startswith("cuda") else []


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _cast(values: Mapping[str, Any], device: str, dtype: torch.dtype) -> dict[str, Any]:
    def cast(tensor: Tensor) -> Tensor:
        return tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype)

    return {name: each_tensor(value, cast) for name, value in values.items()}


def _census(old: nn.Module, new: nn.Module, names: Mapping[str, str]) -> Check:
    """What must agree before anything runs: each tensor's traits, which tensors are one, which are saved."""

    def traits(module: nn.Module, name_of: Mapping[str, str]) -> dict[str, tuple[Any, ...]]:
        found: dict[str, tuple[Any, ...]] = {}
        first: dict[int, str] = {}
        tensors = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
        saved = set(module.state_dict())
        for name, item in sorted((name_of.get(name, name), item) for name, item in tensors):
            owner = first.setdefault(id(item), name)
            found[name] = (tuple(item.shape), item.dtype, item.requires_grad, isinstance(item, nn.Parameter), owner)
        return {**found, "saved": tuple(sorted(name_of.get(name, name) for name in saved))}

    left, right = traits(old, {}), traits(new, names)
    differing = sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))
    ok = not differing and old.training == new.training
    return Check(
        "tensors", "-", "-", "-", ok, ok, note=f"`{differing[0]}` differs in shape, dtype or role" if differing else ""
    )


def _compare(
    old: nn.Module,
    new: nn.Module,
    trials: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
    device: str,
    dtype: torch.dtype,
    modes: Sequence[str],
    seed: int = 1,
) -> tuple[list[Check], set[str]]:
    """The rows, and the parameters whose gradient was zero everywhere in every trial: nothing depended on them."""
    left = copy.deepcopy(old).to(device=device, dtype=dtype)
    right = copy.deepcopy(new).to(device=device, dtype=dtype)
    state = left.state_dict()
    perturb(left, state.keys(), seed)
    try:
        right.load_state_dict({name: state[names[name]] for name in right.state_dict()}, strict=True)
    except (KeyError, RuntimeError) as error:
        note = str(error).strip().splitlines()[0]
        note = f"the mapped weights do not load: {note}"
        return [Check("weights", device, _short(dtype), "-", False, False, note=note)], set()
    checks: list[Check] = []
    silent = {name for name, item in left.named_parameters() if item.requires_grad}
    for mode in modes:
        left.train(mode == "train")
        right.train(mode == "train")
        rows: list[list[Check]] = []
        telling, ran = False, False
        for number, values in enumerate(trials):
            seen = run(left, values, 1000 + number, device), run(right, values, 1000 + number, device)
            telling = telling or (seen[0].error is None and says_something(seen[0]))
            ran = ran or seen[0].error is None
            slopes = seen[0].parts.get("gradients", {}).items()
            silent -= {name for name, slope in slopes if slope is None or bool(slope.any())}
            rows.append(
                [replace(row, device=device, dtype=_short(dtype), mode=mode) for row in _compare_seen(*seen, names)]
            )
        joined = _join(rows)
        if joined and not telling:
            note = (
                "the output is constant or not finite, which proves nothing"
                if ran
                else "both models raise on every input"
            )
            joined[0] = replace(joined[0], ok=False, bitwise=False, note=joined[0].note or note)
        checks += joined
    return checks, silent


def _compare_seen(old: Seen, new: Seen, names: Mapping[str, str]) -> list[Check]:
    def row(name: str, ok: bool, note: str = "", max_abs: float = 0.0, max_ulp: int | None = None) -> Check:
        return Check(name, "", "", "", ok, ok, max_abs, max_ulp, note)

    kinds = [(seen.error or "").split(":")[0] for seen in (old, new)]
    if kinds[0] != kinds[1]:
        return [row("forward", False, f"the old model: {old.error or 'runs'}; the new one: {new.error or 'runs'}")]
    if old.error is not None:
        return [row("forward", True, f"both raise {kinds[0]}")]
    if old.structure != new.structure:
        return [row("forward", False, "the outputs differ in structure, shape, dtype, strides or requires_grad")]
    rows = []
    for part in PARTS:
        left, right = old.parts[part], new.parts[part]
        if part in ("gradients", "buffers"):
            right = {names.get(name, name): value for name, value in right.items()}
        rows.append(row(part, *_compare_tensors(left, right)))
    return rows


def _compare_tensors(
    left: Mapping[str, Tensor | None], right: Mapping[str, Tensor | None]
) -> tuple[bool, str, float, int | None]:
    """Whether all agree in every bit; else a note, the greatest difference and the greatest distance in ulp."""
    if left.keys() != right.keys():
        return False, f"one side alone has `{sorted(left.keys() ^ right.keys())[0]}`", 0.0, None
    first, greatest, distance = "", 0.0, 0
    for name, tensor in left.items():
        other = right[name]
        if tensor is None or other is None:
            if tensor is not other:
                return False, f"`{name}` has a value on one side alone", 0.0, None
        elif tensor.shape != other.shape or tensor.dtype != other.dtype:
            return False, f"`{name}` has another shape or dtype", 0.0, None
        elif not _same_bits(tensor, other):
            first = first or name
            wide = torch.complex128 if tensor.is_complex() else torch.float64
            gap = (tensor.to(wide) - other.to(wide)).abs().nan_to_num(nan=float("inf")).max().item()
            greatest, distance = max(greatest, gap), max(distance, _ulps(tensor, other))
    return not first, f"first in `{first}`" if first else "", greatest, distance if first else None


def _same_bits(left: Tensor, right: Tensor) -> bool:
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    a, b = (tensor.detach().cpu().contiguous().flatten().view(torch.uint8) for tensor in (left, right))
    return torch.equal(a, b)


_INTEGERS = {
    torch.float64: torch.int64,
    torch.float32: torch.int32,
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
}


def _ulps(left: Tensor, right: Tensor) -> int:
    """The greatest number of representable values between two tensors, elementwise; 0 for types that are not real."""
    kind = _INTEGERS.get(left.dtype)
    if kind is None:
        return 0

    def ordered(tensor: Tensor) -> Tensor:
        bits = tensor.detach().contiguous().view(kind).to(torch.int64)
        return torch.where(bits < 0, torch.iinfo(kind).min - bits, bits)

    return int((ordered(left) - ordered(right)).abs().max().item())


def _join(trials: Sequence[Sequence[Check]]) -> list[Check]:
    """One row for each part, over all trials."""
    joined: dict[str, Check] = {}
    for row in (row for rows in trials for row in rows):
        known = joined.get(row.name)
        if known is None:
            joined[row.name] = row
            continue
        joined[row.name] = replace(
            known,
            ok=known.ok and row.ok,
            bitwise=known.bitwise and row.bitwise,
            max_abs=max(known.max_abs, row.max_abs),
            max_ulp=max((value for value in (known.max_ulp, row.max_ulp) if value is not None), default=None),
            note=known.note if not known.ok else row.note if not row.ok else known.note or row.note,
        )
    return list(joined.values())


def _forgive(rows: Sequence[Check], noise: Sequence[Check]) -> list[Check]:
    """Accept a difference of at most twice what the old model shows against its own copy."""
    floor = {(row.name, row.mode): row for row in noise}
    result = []
    for row in rows:
        known = floor.get((row.name, row.mode))
        if not row.ok and known is not None and not known.ok and 0 < row.max_abs <= 2 * known.max_abs < float("inf"):
            row = replace(row, ok=True, note=f"within the old model's own noise ({known.max_abs:.2e})")
        result.append(row)
    return result


def same_seed(
    build_old: Callable[[int], nn.Module],
    build_new: Callable[[int], nn.Module],
    names: Mapping[str, str],
    seeds: Sequence[int] = (0, 1),
) -> Check:
    """Whether both constructors, each called with the same seed, draw the same weights."""
    for seed in seeds:
        left, right = build_old(seed).state_dict(), build_new(seed).state_dict()
        for name, value in right.items():
            other = left.get(names.get(name, name))
            if isinstance(value, Tensor) and not (isinstance(other, Tensor) and _same_bits(value, other)):
                return Check("seed", "cpu", "-", "-", False, False, note=f"`{name}` starts with other values")
    return Check("seed", "cpu", "-", "-", True, True)
