"""What two modules look like from outside: their tensors, keys, order, signature, hooks and initial weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqify.compare.description import Description
from seqify.compare.divergence import EMPTY
from seqify.compare.side import Side
from seqify.compare.verdict import Check
from seqify.diagnostics import Location
from seqify.proof.numbering import number

__all__ = ["compare_interfaces", "compare_tensors", "same_seed"]

Lines = Mapping[str, tuple[str, int]]


def _row(name: str, note: str = "", place: tuple[str, int] | None = None, level: str = "error") -> Check:
    location = Location(*place) if place is not None else None
    return Check(name, "-", "-", "-", not note, not note, note=note, level=level, location=location)


def _line(lines: Lines, name: str) -> tuple[str, int] | None:
    """Where a tensor, or else the submodule that holds it, was made."""
    while name not in lines and name:
        name = name.rpartition(".")[0]
    return lines.get(name) if name else None


def compare_tensors(
    old: Description, new: Description, names: Mapping[str, str], lines: tuple[Lines, Lines] = ({}, {})
) -> Check:
    """
    What must agree before anything runs: each tensor's traits, which tensors are one, which are saved, the mode.

    Args:
        old: the reference.
        new: the candidate.
        names: for each parameter, buffer and key of `new`, its name in `old`.
        lines: where each side constructs what.
    """
    left, right = _traits(old, {}), _traits(new, names)
    back = {names.get(name, name): name for name in new.traits}
    for name in sorted(left.keys() | right.keys()):
        mine, its = left.get(name), right.get(name)
        if mine == its:
            continue
        here = back.get(name, name)
        if its is None:
            return _row("tensors", f"the new module has no `{name}`", _outermost(name, lines[0], lines[1]))
        if mine is None:
            return _row("tensors", f"the old module has no `{here}`", _outermost(here, lines[1], lines[0]))
        if mine[:4] == its[:4] and mine[4] != its[4]:
            return _ties(name, here, mine[4], its[4], lines)
        return _row("tensors", f"`{name}` differs in shape, dtype or role", _line(lines[1], here))
    if old.training != new.training:
        return _row("tensors", "one is in train, the other in eval")
    if old.others != new.others:
        sides = [", ".join(dict.fromkeys(side.others)) or "no layer" for side in (old, new)]
        return _row(
            "tensors", f"in another mode than the rest: {sides[0]} in the old module, {sides[1]} in the new one"
        )
    return _row("tensors")


def _ties(name: str, here: str, first: str, second: str, lines: tuple[Lines, Lines]) -> Check:
    """One tensor on one side and two on the other; the line is the one that ties them."""
    if first != name:
        note, place = f"`{name}` and `{first}` are one tensor in the old module alone", _later(lines[0], name, first)
    else:
        note, place = f"`{name}` and `{second}` are one tensor in the new module alone", _later(lines[1], here, second)
    return _row("tensors", note, place)


def _later(lines: Lines, *names: str) -> tuple[str, int] | None:
    found = [place for place in (_line(lines, name) for name in names) if place is not None]
    return max(found, key=lambda place: place[1], default=None)


def _outermost(name: str, lines: Lines, others: Lines) -> tuple[str, int] | None:
    """Where the outermost submodule that one side alone has was constructed, or the tensor itself."""
    parts = name.split(".")
    for count in range(1, len(parts)):
        path = ".".join(parts[:count])
        if path in lines and path not in others:
            return lines[path]
    return _line(lines, name)


def _traits(side: Description, names: Mapping[str, str]) -> dict[str, tuple[Any, ...]]:
    """By the old name: shape, dtype, requires_grad, whether it is a parameter, the first name of it, whether saved."""
    found: dict[str, tuple[Any, ...]] = {}
    first: dict[str, str] = {}
    for name in sorted(side.traits, key=lambda name: names.get(name, name)):
        *traits, owner = side.traits[name]
        mapped = names.get(name, name)
        found[mapped] = (*traits, first.setdefault(owner, mapped), name in side.saved)
    others = sorted(names.get(name, name) for name in side.saved if name not in side.traits)
    return {**found, **({"other saved values": (*others, "", "", "", "")} if others else {})}


def compare_interfaces(
    old: Description, new: Description, names: Mapping[str, str], lines: tuple[Lines, Lines] = ({}, {})
) -> list[Check]:
    """
    What may differ between two modules that compute the same, and that whoever uses them will notice.

    Args:
        old: the reference.
        new: the candidate.
        names: for each parameter, buffer and key of `new`, its name in `old`.
        lines: where each side constructs what.
    """
    return [
        _signature(old, new),
        _keys(new, names, lines[1]),
        _order(old, new, names, lines[1]),
        _hooks(old, new, lines),
        _copies(old, new),
    ]


def _signature(old: Description, new: Description) -> Check:
    if old.signature == new.signature:
        return _row("signature", level="warning")
    note = f"forward({_words(old)}) became forward({_words(new)})"
    return _row("signature", note, new.forward[:2] if new.forward else None, "warning")


def _words(side: Description) -> str:
    return ", ".join(f"{name}={default}" if default else name for name, _, default in side.signature)


def _keys(new: Description, names: Mapping[str, str], lines: Lines) -> Check:
    renamed = [key for key in new.saved if names.get(key, key) != key]
    if not renamed:
        return _row("keys", level="warning")
    more = ", …" if len(renamed) > 1 else ""
    note = f"{len(renamed)} renamed: {names[renamed[0]]} → {renamed[0]}{more}"
    return _row("keys", note, _line(lines, renamed[0]), "warning")


def _order(old: Description, new: Description, names: Mapping[str, str], lines: Lines) -> Check:
    """A shared parameter counts under the first of its names, which is another one in another order."""
    owner = {name: traits[-1] for name, traits in old.traits.items()}
    left = [owner.get(name, name) for name in old.parameters]
    right = [owner.get(names.get(name, name), names.get(name, name)) for name in new.parameters]
    for mine, its, name in zip(left, right, new.parameters, strict=False):
        if mine != its:
            note = f"`parameters()` has `{name}` where the old module has `{mine}`"
            return _row("order", note, _line(lines, name), "warning")
    return _row("order", "" if len(left) == len(right) else "`parameters()` has another length", level="warning")


def _hooks(old: Description, new: Description, lines: tuple[Lines, Lines]) -> Check:
    for kind in sorted(old.hooks.keys() | new.hooks.keys()):
        counts = old.hooks.get(kind, 0), new.hooks.get(kind, 0)
        if counts[0] != counts[1]:
            mine, its = (old, new) if counts[0] > counts[1] else (new, old)
            where = next((name for name in mine.hooked if name not in its.hooked), next(iter(mine.hooked), ""))
            place = lines[0 if mine is old else 1].get(f"hook of {where}")
            on = f", as on `{where}`" if where else ""
            return _row("hooks", f"{kind.strip('_')}: {counts[0]} and {counts[1]}{on}", place, "warning")
    return _row("hooks", level="warning")


def _copies(old: Description, new: Description) -> Check:
    lost = sorted(kind for kind, works in old.copies.items() if works and not new.copies.get(kind))
    return _row("copies", f"the new module has no {lost[0]}" if lost else "", level="warning")


def same_seed(old: Side, new: Side, names: Mapping[str, str], seeds: Sequence[int] = (0, 1)) -> Check | None:
    """
    Whether both constructors, each called with the same seed, draw the same weights; None where one cannot be called.

    Other initial weights are a warning: an initialisation that walks over `modules()` follows the order of
    registration.
    """
    for seed in seeds:
        left, right = old.seeded(seed), new.seeded(seed)
        if left is None or right is None:
            return None
        for name, value in right.items():
            if left.get(names.get(name, name)) != value:
                note = f"`{name}` starts with other values"
                place = _first_draw(old, new, seed)
                location = Location(*place) if place is not None else None
                return Check("seed", "cpu", "-", "-", False, False, note=note, level="warning", location=location)
    return Check("seed", "cpu", "-", "-", True, True, level="warning")


def _first_draw(old: Side, new: Side, seed: int) -> tuple[str, int] | None:
    """The first line of the new constructor, or else of the old, that makes numbers which the other does not make."""
    passes = []
    for side in (new, old):
        record, digests = side.building(seed)
        passes.append((record, digests, sorted(number(record).live)))
    for (record, digests, live), (_, others, _) in (passes, passes[::-1]):
        known = {digest for found in others for digest in found}
        for index in live:
            call = record.calls[index]
            place = None if call.op.split(".")[1] in EMPTY else call.place
            if place is not None and any(digest not in known for digest in digests[index]):
                return place.filename, place.row
    return None
