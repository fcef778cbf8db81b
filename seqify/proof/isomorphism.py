"""The question whether two records are one graph, and the place where they part."""

#   old   input ─ conv ─ batch_norm ─ relu ────────── flatten ─ addmm ─ output
#   new   input ─ conv ─ batch_norm ─ leaky_relu ──── flatten ─ addmm ─ output
#                                      ▲
#                                      the first live call of each side whose value number the other side does not have
#
# Equal value numbers of all results mean that both runs compute the same from the same leaves, whatever the numbers.
# The converse does not hold: `x + x` and `2 * x` part here and are equal. So two graphs that part refute nothing.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from seqify.proof.numbering import Numbered, number
from seqify.proof.record import Call, Operand, Place, Record
from seqify.proof.spelling import spell

__all__ = ["Case", "Parting", "Proof", "compare", "differing_argument", "prove"]


@dataclass(frozen=True)
class Case:
    """One way of running both modules: `words` for each axis, as `{"mode": "train", "dtype": "float32", ...}`."""

    words: Mapping[str, str]
    old: Record
    new: Record


@dataclass(frozen=True)
class Parting:
    """
    Where two graphs part: the call of each side, None where one side has no counterpart, and the argument that differs.
    """

    old: Call | None
    new: Call | None
    argument: tuple[str, Any, Any] | None = None
    reason: str = ""


@dataclass(frozen=True)
class Proof:
    """
    What the graphs say.

    Attributes:
        status: "proved", "unproved", or "refuted", which follows only from a number that differs.
        scope: what a proof holds for, in words.
        reason: why there is none.
        parting: where the graphs part, if they do.
        conditions: what symbolic sizes have to meet.
    """

    status: str
    scope: str = ""
    reason: str = ""
    parting: Parting | None = None
    conditions: tuple[str, ...] = ()


def compare(old: Record, new: Record, names: Mapping[str, str]) -> Parting | None:
    """
    Whether two records are isomorphic.

    Args:
        old: the reference.
        new: the candidate.
        names: for each parameter and buffer of `new`, its name in `old`.

    Returns:
        None when they are; else the place where they part.
    """
    left, right = number(old), number(new, lambda name: names.get(name, name))
    if old.error != new.error:
        return Parting(None, None, reason=f"old {_outcome(old)}, new {_outcome(new)}")
    if old.conditions != new.conditions or old.symbols != new.symbols:
        return Parting(None, None, reason="the sizes have to meet other conditions")
    reason = _difference(left, right) or _clash(new, names)
    if reason is None and (old.later is not None or new.later is not None):
        # one that does other things from the second run on, as with a cache
        found = compare(old.later or replace(old, later=None), new.later or replace(new, later=None), names)
        return found and replace(found, reason=f"from the second run on, {found.reason}")
    if reason is None:
        return None
    pair = _first(left, right), _first(right, left)
    calls = [None if index is None else side.calls[index] for index, side in zip(pair, (old, new), strict=True)]
    return Parting(calls[0], calls[1], _argument(left, right, pair), reason)


def _clash(new: Record, names: Mapping[str, str]) -> str | None:
    """Whether two tensors of the new module go by one name of the old: they may hold different numbers."""
    owners: dict[str, int] = {}
    for storage, leaf in new.leaves.items():
        for name in leaf.names if leaf.kind == "state" else ():
            if owners.setdefault(names.get(name, name), storage) != storage:
                return f"two tensors of the new module are `{names.get(name, name)}`"
    return None


def _outcome(record: Record) -> str:
    return f"raises {record.error}" if record.error else "runs"


def _difference(left: Numbered, right: Numbered) -> str | None:
    if left.record.structure != right.record.structure:
        return "the outputs have another structure"
    for part in left.results:
        a, b = left.results[part], right.results.get(part, {})
        missing = sorted(name for name in a.keys() ^ b.keys())
        if missing:
            return f"one side alone has `{missing[0]}` ({part})"
        differing = [name for name in a if a[name] != b[name]]
        if differing:
            return f"`{differing[0]}` ({part}) comes from other calls"
    if left.aliases != right.aliases:
        name = next(name for name in left.aliases if left.aliases[name] != right.aliases.get(name))
        return f"`{name}` shares memory with another tensor"
    if left.generator != right.generator:
        return "random numbers are drawn in another order or number"
    return None


def _first(side: Numbered, other: Numbered) -> int | None:
    """The first live call that the other side does not have."""
    known = set(other.calls)
    return next((index for index, found in enumerate(side.calls) if found not in known and index in side.live), None)


def _argument(left: Numbered, right: Numbered, pair: Sequence[int | None]) -> tuple[str, Any, Any] | None:
    old, new = pair
    if old is None or new is None:
        return None
    return differing_argument(left.record.calls[old], right.record.calls[new])


def differing_argument(a: Call, b: Call) -> tuple[str, Any, Any] | None:
    """The one plain argument in which two calls of the same operator differ, as (name, its value, the other's)."""
    if a.op != b.op:
        return None
    differing = [
        (name, value, other)
        for (name, value), (_, other) in zip(spell(a.op, a.arguments), spell(b.op, b.arguments), strict=True)
        if not _has_operand(value) and not _has_operand(other) and repr(value) != repr(other)
    ]
    return differing[0] if len(differing) == 1 else None


def _has_operand(value: Any) -> bool:
    return isinstance(value, Operand) or (isinstance(value, tuple) and any(map(_has_operand, value)))


def prove(cases: Sequence[Case], names: Mapping[str, str], device: str) -> Proof:
    """
    Compare the records of all cases.

    A case in which both sides raise the same type of error is not part of the proof.
    """
    held: list[Case] = []
    for case in cases:
        for record, side in ((case.old, "old"), (case.new, "new")):
            if record.doubts and record.error is None:
                reason, place = record.doubts[0]
                return Proof("unproved", reason=f"{reason} ({side}{_at(place)})")
        parting = compare(case.old, case.new, names)
        if parting is not None:
            return Proof("unproved", reason=_words(parting, case), parting=parting)
        if case.old.error is None:
            held.append(case)
    if not held:
        return Proof("unproved", reason="both sides raise on every input")
    conditions = tuple(dict.fromkeys(found for case in held for found in case.old.conditions))
    return Proof("proved", scope=_scope(held, device), conditions=conditions)


def _at(place: Place | None) -> str:
    return f", {place.filename}:{place.row}" if place else ""


def _words(parting: Parting, case: Case) -> str:
    told = f"{parting.reason}, in {case.words['mode']}"
    name, *values = parting.argument or ("", None, None)
    sides = []
    for side, call, value in zip(("old", "new"), (parting.old, parting.new), values, strict=True):
        if call is not None:
            given = f" with {name}={value}" if name else ""
            sides.append(f"{side} calls `{call.op.split('.')[1]}`{given}{_at(call.place)}")
    return f"{told}: {'; '.join(sides)}" if sides else told


def _scope(cases: Sequence[Case], device: str) -> str:
    """As `on cpu, eval and train, forward and backward, float32, for x (8, 1, 28, 28) and (3, 1, 28, 28)`."""

    def join(key: str) -> str:
        found = list(dict.fromkeys(case.words[key] for case in cases if case.words.get(key)))
        return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)

    gradients = any("gradients" in case.old.results and case.old.results["gradients"] for case in cases)
    parts = [f"on {device}", join("mode"), "forward and backward" if gradients else "forward", join("dtype")]
    return f"{', '.join(part for part in parts if part)}, for {join('inputs')}"
