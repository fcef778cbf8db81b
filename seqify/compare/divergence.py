"""The divergence: the first call of two runs whose inputs are equal and whose output is not."""

#   old   conv ─ batch_norm ─ leaky_relu(0.01) ─ pool ─ addmm
#          =        =           ≠ ▲                ≠      ≠
#   new   conv ─ batch_norm ─ leaky_relu(0.1)  ─ pool ─ addmm
#                              first
#
# One pass of each side takes a digest of what each call gives. A call is matched when the other side gives the same
# numbers somewhere; the first live one that is not is the culprit, since all that it was given is equal. What follows
# from it differs too, and is not told. A second pass fetches the two tensors, to say how much of them differs.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seqify.compare.outcomes import gap
from seqify.compare.side import Side
from seqify.compare.verdict import Divergence, Spot
from seqify.proof.isomorphism import differing_argument
from seqify.proof.numbering import number
from seqify.proof.record import Call, Place, Record
from seqify.trial import Setting

__all__ = ["find_divergence"]


@dataclass(frozen=True)
class _Pass:
    record: Record
    digests: Sequence[tuple[str, ...]]
    live: frozenset[int]


def find_divergence(old: Side, new: Side, values: Mapping[str, Any], setting: Setting, seed: int) -> Divergence | None:
    """
    The first call that differs in one run of both sides, on the weights they were prepared with.

    Returns:
        None when no call differs: the difference is then in something else than numbers.
    """
    passes = []
    for side in (old, new):
        record, digests, _ = side.calls(values, setting, seed)
        if record.error:
            return None
        passes.append(_Pass(record, digests, number(record).live))
    first = [_first_unmatched(mine, other) for mine, other in (passes, passes[::-1])]
    if first[0] is None and first[1] is None:
        return None
    calls = [None if index is None else each.record.calls[index] for index, each in zip(first, passes, strict=True)]
    share = greatest = None
    if first[0] is not None and first[1] is not None:
        tensors = [side.calls(values, setting, seed, index)[2] for side, index in zip((old, new), first, strict=True)]
        share, greatest = _distance(tensors[0], tensors[1])
    lines = old.construction(), new.construction()
    spots = [_spot(call, where) for call, where in zip(calls, lines, strict=True)]
    equal = first[0] if first[0] is not None else first[1]
    argument = differing_argument(calls[0], calls[1]) if calls[0] is not None and calls[1] is not None else None
    return Divergence(spots[0], spots[1], equal or 0, argument, share, greatest, setting.mode)


def _first_unmatched(mine: _Pass, other: _Pass) -> int | None:
    known = {digest for found in other.digests for digest in found}
    for index, found in enumerate(mine.digests):
        if index in mine.live and found and not all(digest in known for digest in found):
            return index
    return None


def _distance(left: Sequence[Tensor], right: Sequence[Tensor]) -> tuple[float | None, float | None]:
    if not left or not right or left[0].shape != right[0].shape or left[0].dtype != right[0].dtype:
        return None, None
    a, b = left[0], right[0]
    differs = ~((a == b) | ((a != a) & (b != b)))
    return float(differs.to(torch.float64).mean().item()) if a.numel() else 0.0, gap(a, b)


def _spot(call: Call | None, lines: Mapping[str, tuple[str, int]]) -> Spot | None:
    if call is None:
        return None
    place = call.place or Place("", 0, "")
    shape = next((tuple(int(size) for size in item.size) for item in call.outputs if hasattr(item, "size")), ())
    path = place.module
    return Spot(call.op, place.function, path, place.filename, place.row, lines.get(path), call.phase, shape)
