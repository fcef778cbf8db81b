"""The outcomes of one run on both sides, part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from seqify.compare.side import Outcome, Side, same_bytes
from seqify.compare.verdict import Check
from seqify.diagnostics import Location
from seqify.trial import PARTS

__all__ = ["RENAMED", "compare_numbers", "compare_outcomes", "gap"]

RENAMED = ("gradients", "buffers", "steps")  # the parts whose tensors go by the names of parameters and buffers


def compare_outcomes(sides: Sequence[Side], outcomes: Sequence[Outcome], names: Mapping[str, str]) -> list[Check]:
    old, new = outcomes

    def row(name: str, ok: bool, note: str = "", max_abs: float = 0.0, max_ulp: int | None = None) -> Check:
        return Check(name, "", "", "", ok, ok, max_abs, max_ulp, note)

    kinds = [(seen.error or "").split(":")[0] for seen in outcomes]
    if kinds[0] != kinds[1]:
        found = row("forward", False, f"the old model: {old.error or 'runs'}; the new one: {new.error or 'runs'}")
        place = new.place or old.place
        return [replace(found, location=Location(*place) if place else None)]
    if old.error is not None:
        return [row("forward", True, f"both raise {kinds[0]}")]
    if old.structure != new.structure:
        found = row("forward", False, "the outputs differ in structure, shape, dtype, strides or requires_grad")
        written = sides[1].describe().forward
        if written is not None and len(written[2]) == 1:
            found = replace(found, location=Location(written[0], written[2][0]))
        return [found]
    rows = []
    for part in (*PARTS, "steps"):
        if part not in old.digests or not any((*old.digests[part].values(), *new.digests[part].values())):
            continue  # no buffers, say, or no gradients: nothing that could be claimed to be equal
        renamed = part in RENAMED
        right = {names.get(name, name) if renamed else name: found for name, found in new.digests[part].items()}
        if old.digests[part] == right:
            rows.append(row(part, True))
            continue
        tensors = sides[0].part(part), sides[1].part(part)
        mapped = {names.get(name, name) if renamed else name: found for name, found in tensors[1].items()}
        rows.append(row(part, *compare_numbers(tensors[0], mapped)))
    return rows


def compare_numbers(
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
        elif not same_bytes(tensor, other):
            first = first or name
            greatest, distance = max(greatest, gap(tensor, other)), max(distance, _ulps(tensor, other))
    return not first, f"first in `{first}`" if first else "", greatest, distance if first else None


def gap(left: Tensor, right: Tensor) -> float:
    wide = torch.complex128 if left.is_complex() or right.is_complex() else torch.float64
    same = (left == right) | ((left != left) & (right != right))
    gap = (left.to(wide) - right.to(wide)).abs().nan_to_num(nan=float("inf"), posinf=float("inf"))
    return float(torch.where(same, torch.zeros_like(gap), gap).max().item()) if gap.numel() else 0.0


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
