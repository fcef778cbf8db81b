"""What two modules look like from outside: their tensors, keys, order, signature, hooks and initial weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqify.compare.side import Description, Side
from seqify.compare.verdict import Check

__all__ = ["compare_interfaces", "compare_tensors", "same_seed"]


def _row(name: str, notes: Sequence[str], level: str = "error") -> Check:
    return Check(name, "-", "-", "-", not notes, not notes, note=notes[0] if notes else "", level=level)


def compare_tensors(old: Description, new: Description, names: Mapping[str, str]) -> Check:
    """What must agree before anything runs: each tensor's traits, which tensors are one, which are saved, the mode."""
    left, right = _traits(old, {}), _traits(new, names)
    differing = sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))
    notes = [f"`{name}` differs in shape, dtype or role" for name in differing]
    if not notes and old.training != new.training:
        notes = ["one is in train, the other in eval"]
    return _row("tensors", notes)


def _traits(side: Description, names: Mapping[str, str]) -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    first: dict[str, str] = {}
    for name in sorted(side.traits, key=lambda name: names.get(name, name)):
        *traits, owner = side.traits[name]
        mapped = names.get(name, name)
        found[mapped] = (*traits, first.setdefault(owner, mapped), name in side.saved)
    others = sorted(names.get(name, name) for name in side.saved if name not in side.traits)
    return {**found, **({"other saved values": tuple(others)} if others else {})}


def compare_interfaces(old: Description, new: Description, names: Mapping[str, str]) -> list[Check]:
    """What may differ between two modules that compute the same, and that whoever uses them will notice."""
    renamed = [key for key in new.saved if names.get(key, key) != key]
    more = ", …" if len(renamed) > 1 else ""
    first = f"{len(renamed)} renamed: {names[renamed[0]]} → {renamed[0]}{more}" if renamed else ""
    order = tuple(names.get(name, name) for name in new.parameters)
    signature = [] if _same_signature(old, new) else [f"forward({_words(old)}) became forward({_words(new)})"]
    hooks = sorted(kind for kind in old.hooks.keys() | new.hooks.keys() if old.hooks.get(kind) != new.hooks.get(kind))
    copies = sorted(kind for kind, works in old.copies.items() if works and not new.copies.get(kind))
    return [
        _row("signature", signature, "warning"),
        _row("keys", [first] if first else [], "warning"),
        _row("order", [] if _same_order(old, order) else ["`parameters()` has another order"], "warning"),
        _row("hooks", [f"{kind}: {old.hooks.get(kind, 0)} and {new.hooks.get(kind, 0)}" for kind in hooks], "warning"),
        _row("copies", [f"the new module has no {kind}" for kind in copies], "warning"),
    ]


def _same_order(old: Description, order: Sequence[str]) -> bool:
    """A shared parameter counts under the first of its names, which is another one in another order."""
    owner = {name: traits[-1] for name, traits in old.traits.items()}
    return [owner.get(name, name) for name in order] == [owner.get(name, name) for name in old.parameters]


def _same_signature(old: Description, new: Description) -> bool:
    return old.signature == new.signature


def _words(side: Description) -> str:
    return ", ".join(f"{name}={default}" if default else name for name, _, default in side.signature)


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
                return Check("seed", "cpu", "-", "-", False, False, note=note, level="warning")
    return Check("seed", "cpu", "-", "-", True, True, level="warning")
