"""The divergence: the first call of two runs whose inputs are equal and whose output is not."""

#   old   conv ─ batch_norm ─ leaky_relu(0.01) ─ pool ─ addmm
#          =        =           ≠ ▲                ≠      ≠
#   new   conv ─ batch_norm ─ leaky_relu(0.1)  ─ pool ─ addmm
#                              first
#
# One pass of each side takes a digest of what each call gives. A call is matched when the other side gives the same
# numbers somewhere; the first live one that is not is the culprit, since all that it was given is equal. What follows
# from it differs too. A second pass fetches the tensors of the culprit and of some calls behind it, to say how much of
# them differs.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seqify.compare.outcomes import gap
from seqify.compare.side import Side
from seqify.compare.verdict import Divergence, Pair, Spot
from seqify.proof.isomorphism import differing_argument
from seqify.proof.numbering import number
from seqify.proof.record import Call, Close, Place, Record, operands
from seqify.trial import Setting

__all__ = ["find_divergence"]

EMPTY = frozenset(["empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "empty_permuted"])
_ROWS = 3  # behind the culprit that are told


@dataclass(frozen=True)
class _Pass:
    record: Record
    look: Close
    live: Sequence[int]

    @property
    def digests(self) -> Sequence[tuple[str, ...]]:
        return self.look.digests

    def phase(self, index: int) -> list[int]:
        """The live calls that are forward as a call is, or backward as it is."""
        return [other for other in self.live if self.is_backward(other) == self.is_backward(index)]

    def is_backward(self, index: int) -> bool:
        return self.record.calls[index].phase == "backward"


def find_divergence(old: Side, new: Side, values: Mapping[str, Any], setting: Setting, seed: int) -> Divergence | None:
    """
    The first call that differs in one run of both sides, on the weights they were prepared with.

    Returns:
        None when no call differs: the difference is then in something else than numbers.
    """
    passes = []
    for side in (old, new):
        record, look, _ = side.calls(values, setting, seed)
        live = range(len(record.calls)) if record.error else sorted(number(record).live)
        passes.append(_Pass(record, look, live))
    lines = old.construction(), new.construction()
    errors = [each.record.error is not None for each in passes]
    if all(errors):
        return None
    if any(errors):
        return _raising(passes, lines, setting)
    first = [_first_unmatched(mine, other) for mine, other in (passes, passes[::-1])]
    if first[0] is None and first[1] is None:
        return None
    backward = [index is not None and each.is_backward(index) for index, each in zip(first, passes, strict=True)]
    if None not in first and backward[0] != backward[1]:
        first[backward.index(True)] = None  # it follows from the other
    rows: list[tuple[int | None, int | None]] = [(first[0], first[1]), *_following(passes, first)]
    wanted = [[index for index in side if index is not None] for side in zip(*rows, strict=True)]
    kept = [side.calls(values, setting, seed, numbers)[2] for side, numbers in zip((old, new), wanted, strict=True)]

    def spot(which: int, index: int | None) -> Spot | None:
        return None if index is None else _spot(passes[which].record.calls[index], lines[which])

    leader = 0 if first[0] is not None else 1
    culprit = first[leader] or 0
    same_phase = passes[leader].phase(culprit)
    equal = same_phase.index(culprit)
    pairs = []
    for place, (left, right) in _before(passes, same_phase[:equal], leader):
        pairs.append(Pair(place, spot(0, left), spot(1, right), 0.0))
    share = greatest = argument = None
    for offset, (left, right) in enumerate(rows):
        found: tuple[float | None, float | None] = None, None
        if left is not None and right is not None:
            found = _distance(kept[0].get(left, ()), kept[1].get(right, ()))
        if offset == 0:
            share, greatest = found
        pairs.append(Pair(equal + 1 + offset, spot(0, left), spot(1, right), found[1]))
    if first[0] is not None and first[1] is not None:
        argument = differing_argument(passes[0].record.calls[first[0]], passes[1].record.calls[first[1]])
    named = _culprits(passes, first, lines)
    return Divergence(
        old=named[0],
        new=named[1],
        equal=equal,
        argument=argument,
        share=share,
        max_abs=greatest,
        mode=setting.mode,
        calls=tuple(pairs),
        total=len(same_phase),
    )


def _first_unmatched(mine: _Pass, other: _Pass) -> int | None:
    known = {digest for found in other.digests for digest in found}
    for index in mine.live:
        found = mine.digests[index]
        if mine.record.calls[index].op.split(".")[1] in EMPTY:
            continue  # memory that nobody has written to yet
        if found and not all(digest in known for digest in found):
            return index
    return None


def _before(
    passes: Sequence[_Pass], equal: Sequence[int], leader: int
) -> list[tuple[int, tuple[int | None, int | None]]]:
    """The first of the equal calls and the last, each with its place and its counterpart."""
    counterpart = {found: index for index, found in reversed(list(enumerate(passes[1 - leader].digests))) if found}
    rows: list[tuple[int, tuple[int | None, int | None]]] = []
    for place in sorted({1, len(equal)}) if equal else []:
        mine = equal[place - 1]
        its = counterpart.get(passes[leader].digests[mine])
        rows.append((place, (mine, its) if leader == 0 else (its, mine)))
    return rows


def _following(passes: Sequence[_Pass], first: Sequence[int | None]) -> list[tuple[int, int]]:
    """The calls behind the culprit, as long as both sides call the same operators."""
    left, right = first
    if left is None or right is None:
        return []
    rows: list[tuple[int, int]] = []
    behind = [
        [index for index in each.phase(here) if index > here] for each, here in zip(passes, (left, right), strict=True)
    ]
    for pair in zip(*behind, strict=False):
        calls = [each.record.calls[index] for each, index in zip(passes, pair, strict=True)]
        if len(rows) == _ROWS or calls[0].op != calls[1].op:
            break
        rows.append((pair[0], pair[1]))
    return rows


def _distance(left: Sequence[Tensor], right: Sequence[Tensor]) -> tuple[float | None, float | None]:
    """The share of the elements that differ and the greatest difference, of the first of a call's tensors that does."""
    if not left or len(left) != len(right):
        return None, None
    for a, b in zip(left, right, strict=True):
        if a.shape != b.shape or a.dtype != b.dtype:
            return None, None
        differs = ~((a == b) | ((a != a) & (b != b)))
        if bool(differs.any()):
            return float(differs.to(torch.float64).mean().item()), gap(a, b)
    return 0.0, 0.0


def _spot(call: Call, lines: Mapping[str, tuple[str, int]], site: Place | None = None) -> Spot:
    """A call as it is told; `site` is the line to name instead of the call's own."""
    place = site or call.place or Place("", 0, "")
    shape = next((tuple(int(size) for size in item.size) for item in call.outputs if hasattr(item, "size")), ())
    path = place.module
    return Spot(call.op, place.function, path, place.filename, place.row, lines.get(path), call.phase, shape)


# ---- who is to be named


Lines = Mapping[str, tuple[str, int]]


def _culprits(passes: Sequence[_Pass], first: Sequence[int | None], lines: Sequence[Lines]) -> list[Spot | None]:
    """The calls to name: what leads to the first that differ, where that can be told."""
    graded = _other_grad(passes)
    if graded is not None:
        return [_placed_spot(place, where, "forward") for place, where in zip(graded, lines, strict=True)]
    calls: list[Call | None] = []
    for index, mine, other in zip(first, passes, passes[::-1], strict=True):
        call = None if index is None else mine.record.calls[index]
        view = None if index is None else _other_view(index, mine, other)
        calls.append(view or call)
    sites = _lifted(calls, passes, lines)
    return [
        None if call is None else _spot(call, where, site)
        for call, where, site in zip(calls, lines, sites, strict=True)
    ]


def _other_view(index: int, mine: _Pass, other: _Pass) -> Call | None:
    """The first view that leads to a call and shows what no tensor of the other side does."""
    storages = {item.storage for item in operands(mine.record.calls[index].arguments)}
    known = {digest for found in other.digests for digest in found} | {digest for _, _, digest in other.look.views}
    for before, view, digest in mine.look.views:
        if before <= index and digest not in known and any(item.storage in storages for item in operands(view.outputs)):
            return view
    return None


def _other_grad(passes: Sequence[_Pass]) -> list[Place | None] | None:
    """Where the same numbers require a gradient on one side alone."""
    left, right = (each.look.grads for each in passes)
    known: dict[str, list[tuple[bool, Place | None]]] = {}
    for _, digest, grad, place in left:
        known.setdefault(digest, []).append((grad, place))
    for _, digest, grad, place in right:
        same = known.get(digest, [])
        if same and all(flag != grad for flag, _ in same):
            return [same[0][1], place]
    return None


def _lifted(calls: Sequence[Call | None], passes: Sequence[_Pass], lines: Sequence[Lines]) -> list[Place | None]:
    """
    For each side, the line that calls a submodule, where that is what differs: another one is called there on the other
    side, or it is not called at all.
    """
    sites = [call.place.sites if call is not None and call.place is not None else () for call in calls]
    called = [{path for call in each.record.calls if call.place for path, _, _ in call.place.sites} for each in passes]
    if calls[0] is not None and calls[1] is not None and calls[0].op == calls[1].op:
        for mine, its in zip(*sites, strict=False):
            if mine[0] != its[0]:
                if mine[0] in called[1] and its[0] in called[0]:
                    return [Place(found[1], found[2], found[0]) for found in (mine, its)]
                break
    found: list[Place | None] = []
    for mine, others, names in zip(sites, called[::-1], lines[::-1], strict=True):
        missing = next((site for site in mine if site[0] in names and site[0] not in others), None)
        found.append(Place(missing[1], missing[2], missing[0]) if missing is not None else None)
    return found


def _raising(passes: Sequence[_Pass], lines: Sequence[Lines], setting: Setting) -> Divergence | None:
    """The divergence where one side alone raises: what it did otherwise before, or the line that raises."""
    bad = 0 if passes[0].record.error else 1
    mine, other = passes[bad], passes[1 - bad]
    first, its = _first_unmatched(mine, other), _first_unmatched(other, mine)
    spots: list[Spot | None] = [None, None]
    if first is None or mine.is_backward(first):
        # all of forward gives the same numbers; what makes backward raise is done by another operator, in place say
        operators = [_other_operator(mine, other), _other_operator(other, mine)]
        if operators[0] is not None:
            spots[bad], spots[1 - bad] = (
                None if call is None else _spot(call, where)
                for call, where in zip(operators, (lines[bad], lines[1 - bad]), strict=True)
            )
            return Divergence(spots[0], spots[1], first or len(mine.record.calls), None, None, None, setting.mode)
    place = mine.look.raised
    if first is not None:
        spots[bad] = _culprits([mine, other], [first, None], [lines[bad], lines[1 - bad]])[0]
    elif place is not None:
        spots[bad] = _placed_spot(place, lines[bad], mine.record.error or "")
    end = len(mine.record.calls) if first is None else first
    if its is not None:
        view = _missing_view(other, mine, its)
        spots[1 - bad] = _spot(view or other.record.calls[its], lines[1 - bad])
    return Divergence(spots[0], spots[1], end, None, None, None, setting.mode)


def _other_operator(mine: _Pass, other: _Pass) -> Call | None:
    """The first call that gives what the other side has too, by another operator: in place, say."""
    known = {(call.op, found) for call, found in zip(other.record.calls, other.digests, strict=True)}
    pairs = zip(mine.record.calls, mine.digests, strict=True)
    return next((call for call, found in pairs if call.phase == "forward" and (call.op, found) not in known), None)


def _missing_view(mine: _Pass, other: _Pass, index: int) -> Call | None:
    known = {digest for found in other.digests for digest in found} | {digest for _, _, digest in other.look.views}
    return next((view for before, view, digest in mine.look.views if before <= index and digest not in known), None)


def _placed_spot(place: Place | None, lines: Lines, op: str) -> Spot | None:
    if place is None:
        return None
    constructed = lines.get(place.module)
    return Spot(op, place.function, place.module, place.filename, place.row, constructed, "forward", ())
