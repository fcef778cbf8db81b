"""The correspondence: which tensor of one module is which of another, when nobody has said so."""

#   old  calls   conv(x, conv1.w) ─ relu ─ conv(·, conv2.w) ─ relu ─ addmm(fc.w)
#                 │                         │                         │
#   new  calls   conv(x, stem.0.w) ─ relu ─ conv(·, stem.2.w) ─ relu ─ addmm(head.w)
#
# Equal keys are equal tensors: that is what loading a checkpoint makes of them. Where the keys differ, both runs are
# laid side by side as sequences of (operator, shapes of the parameters that it takes), and calls at the same place of a
# common run pair their parameters. What is in no call is paired by name and shape, where that leaves no choice.

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seqify.proof.record import Operand, Record, operands

__all__ = ["Correspondence", "correspond"]


@dataclass(frozen=True)
class Correspondence:
    """
    For each name of the new module one of the old.

    Attributes:
        names: new name to old name.
        ambiguous: new names that more than one old name would fit.
        left: names of either side that have no partner, as ("old" | "new", name).
        renamed: whether any name differs.
    """

    names: Mapping[str, str]
    ambiguous: tuple[str, ...] = ()
    left: tuple[tuple[str, str], ...] = ()

    @property
    def renamed(self) -> bool:
        return any(new != old for new, old in self.names.items())


def correspond(old: Record, new: Record, traits: tuple[Mapping[str, Any], Mapping[str, Any]]) -> Correspondence:
    """
    Pair the parameters and buffers of two modules.

    Args:
        old: a run of the old module.
        new: a run of the new one, on the same inputs.
        traits: for each name of either side what has to agree, such as shape and dtype.
    """
    left, right = traits
    if left.keys() == right.keys():
        return Correspondence({name: name for name in right})
    votes: dict[str, str] = {}
    taken: set[str] = set()

    def pair(a: str, b: str) -> None:
        if b not in votes and a not in taken and left.get(a) == right.get(b):
            votes[b] = a
            taken.add(a)

    ours, theirs = _steps(old, left), _steps(new, right)
    matcher = difflib.SequenceMatcher(None, [key for key, _ in ours], [key for key, _ in theirs], autojunk=False)
    for first, second, size in matcher.get_matching_blocks():
        for offset in range(size):
            for a, b in zip(ours[first + offset][1], theirs[second + offset][1], strict=True):
                for x, y in _pairs(a, b):
                    pair(x, y)
    # a layer that was used brings along what belongs to it and was in no call: the count of a BatchNorm, say
    owners = {_owner(b): _owner(a) for b, a in votes.items()}
    for name in right:
        if name not in votes and _owner(name) in owners:
            pair(f"{owners[_owner(name)]}.{name.rpartition('.')[2]}".lstrip("."), name)
    for name in right:
        pair(name, name)
    ambiguous = []
    for name in [name for name in right if name not in votes]:
        fits = [other for other in left if other not in taken and left[other] == right[name]]
        same_end = [other for other in fits if other.rpartition(".")[2] == name.rpartition(".")[2]]
        if len(same_end) == 1 or len(fits) == 1:
            pair((same_end or fits)[0], name)
        elif fits:
            ambiguous.append(name)
    remaining = [("old", name) for name in left if name not in taken]
    remaining += [("new", name) for name in right if name not in votes]
    return Correspondence(votes, tuple(ambiguous), tuple(remaining))


def _owner(name: str) -> str:
    return name.rpartition(".")[0]


def _pairs(a: tuple[str, ...], b: tuple[str, ...]) -> list[tuple[str, str]]:
    """Names of one storage: each with its own end first, so that tied tensors keep apart."""
    if len(a) == len(b) == 1:
        return [(a[0], b[0])]
    return list(zip(sorted(a), sorted(b), strict=False))


_Step = tuple[Any, tuple[tuple[str, ...], ...]]


def _steps(record: Record, traits: Mapping[str, Any]) -> list[_Step]:
    """Each forward call as what it looks like, and the parameters and buffers that it takes."""
    found: list[_Step] = []
    for call in record.calls:
        if call.phase == "forward":
            leaves = [record.leaves.get(item.storage) for item in operands(call.arguments)]
            names = tuple(leaf.names for leaf in leaves if leaf is not None and leaf.kind == "state")
            looks = tuple(_look(value) for _, value in call.arguments)
            key = (call.op, looks, tuple(str(traits.get(each[0])) for each in names))
            found.append((key, names))
    return found


def _look(value: Any) -> Any:
    """An operand as its shape."""
    if isinstance(value, Operand):
        return value.size
    return tuple(map(_look, value)) if isinstance(value, tuple) else "plain"
