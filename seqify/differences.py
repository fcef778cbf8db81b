"""What a comparison has to say, as diagnostics."""

# Numbers that differ in one place differ in many checks: there is one diagnostic for each code, and the first of them
# has the place where the two part. The others are in the table of checks.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from seqify.compare.comparison import Comparison
from seqify.compare.verdict import CODES, Check, Divergence, Spot
from seqify.diagnostics import Diagnostic, Location, Severity

__all__ = ["comparison_diagnostics"]

_SAYS = {"seed": "the same seed builds other weights: ", "errors": "errors on a bad input: "}
# The ways out in the table of codes are those of `convert`; here nobody has asked for a layout.
_HELP = {
    "seed": "construct the layers in the old order, or accept",
    "keys": "`--save-map FILE` saves the key map, which old checkpoints then need",
    "order": "`--save-map FILE` saves the order, which the state of an old optimizer then needs",
    "signature": "give forward the parameters it had",
    "errors": "accept, if nobody relies on the error",
    "copies": "hold nothing that cannot be copied",
}
_UNPROVED = {"convert": None, "verify": "leave `--require-proof` out, if exact numbers are enough"}


def comparison_diagnostics(
    comparison: Comparison,
    places: Sequence[str],
    asked: Sequence[str],
    unproved: bool,
    command: str = "convert",
    here: Location | None = None,
) -> list[Diagnostic]:
    """
    What there is to say of a comparison.

    Args:
        comparison: what was found out.
        places: the devices it was made on.
        asked: the devices that were asked for.
        unproved: whether a proof was asked for and is missing.
        command: who says it, "convert" or "verify".
        here: where the new module's class is.
    """
    found = []
    if list(asked) == ["auto"] and "cuda" not in places:
        found.append(Diagnostic("SQ604", "cuda is not available on this machine, not checked"))
    if comparison.status == "tested" and comparison.proof.status != "proved":
        level = Severity.ERROR if unproved else Severity.NOTE
        text = f"every number agrees, and there is no proof: {comparison.proof.reason}"
        found.append(Diagnostic("SQ611", text, help=_UNPROVED[command], level=level))
    for item in comparison.verdict.checks:
        if item.level == "warning" and not item.ok:
            text = f"{_SAYS.get(item.name, '')}{item.note}"
            if command == "verify":
                help_ = _HELP.get(item.name)
                place = item.location or here
                found.append(Diagnostic(CODES[item.name], text, place, help_, level=Severity.WARNING))
            else:
                found.append(Diagnostic(CODES[item.name], text))  # the new text is in a file that nobody sees
    noisy = {
        f"{item.name} on {item.device}: {item.note}": item
        for item in comparison.verdict.checks
        if item.ok and item.note.startswith("within")
    }
    found += [Diagnostic("SQ605", text) for text in noisy]
    return found + _failures(comparison, command, here)


def _failures(comparison: Comparison, command: str, here: Location | None) -> list[Diagnostic]:
    by_code: dict[str, list[Check]] = {}
    for item in comparison.verdict.checks:
        void = item.level == "void" and comparison.status != "equivalent"
        if not item.ok and (void or item.level == "error"):
            by_code.setdefault("SQ610" if void else CODES[item.name], []).append(item)
    found = []
    for code, rows in by_code.items():
        first, more = rows[0], len(rows) - 1
        where = ", ".join(
            part for part in (first.device, first.dtype, first.mode, first.variant) if part not in ("", "-")
        )
        text = f"{first.name} ({where}): {first.note}" if where else f"{first.name}: {first.note}"
        text += f", and {more} more check{'s' if more > 1 else ''}" if more else ""
        notes = tuple(_unmatched(comparison)) if code == "SQ608" else ()
        place = next((item.location for item in rows if item.location is not None and command == "verify"), here)
        found.append(Diagnostic(code, text, place, notes=notes, level=Severity.ERROR))
    parted = next((index for index, item in enumerate(found) if item.code not in ("SQ608", "SQ610")), None)
    if comparison.divergence is not None and parted is not None:
        found[parted] = _parting(found[parted], comparison.divergence)
    return found


def _parting(item: Diagnostic, divergence: Divergence) -> Diagnostic:
    """The diagnostic with the place where the two part, and what is known of it."""
    new, old = divergence.new, divergence.old
    spot = new or old
    place = spot.place if spot is not None else None
    if not divergence.calls:  # one side raises, and has no calls to lay beside the other's
        return replace(item, location=place or item.location)
    notes = [item.message]
    if divergence.share:
        share = f"{divergence.share:.1%}".replace("%", " %") if divergence.share >= 0.0005 else "under 0.1 %"
        greatest = f", greatest difference {divergence.max_abs:.2g}" if divergence.max_abs is not None else ""
        notes.append(f"given the same input, this call alone differs in {share} of its elements{greatest}")
    help_ = item.help
    if divergence.argument is not None:
        name, value, _ = divergence.argument
        help_ = f"`{name}={value}` is what the old model has"
    location = place or item.location
    return replace(item, message=_words(divergence), location=location, notes=tuple(notes), help=help_)


def _words(divergence: Divergence) -> str:
    old, new = divergence.old, divergence.new
    spot = new or old
    backward = spot is not None and spot.phase == "backward"
    before = "all of forward, and everything before it, is" if backward else "everything before it is"
    call = f"call {divergence.equal + 1}{' of backward' if backward else ''}"
    rows = [pair for pair in divergence.calls if pair.number == divergence.equal + 1]
    told = [(old, pair.old) for pair in rows] + [(new, pair.new) for pair in rows]
    if any(a is not None and b is not None and a.op != b.op for a, b in told):
        return f"this leads to {call}, the first to differ; {before} bitwise equal"
    if old is not None and new is not None:
        became = f": `{_name(old)}` became `{_name(new)}`" if _name(old) != _name(new) else ""
        return f"{call} is the first to differ{became}; {before} bitwise equal"
    if new is not None:
        return f"{call} is new: `{_name(new)}`, which the old model has not; {before} bitwise equal"
    return f"{call} is gone: `{_name(old)}`, which the new model has not; {before} bitwise equal"


def _name(spot: Spot | None) -> str:
    if spot is None:
        return ""
    return spot.function if spot.phase == "forward" and spot.function else spot.operator


def _unmatched(comparison: Comparison) -> list[str]:
    """The tensors that found no partner."""
    left = comparison.correspondence.left if comparison.correspondence is not None else ()
    found = []
    for side in ("old", "new"):
        names = [f"`{name}`" for which, name in left if which == side]
        if names:
            more = f" and {len(names) - 4} more" if len(names) > 4 else ""
            found.append(f"of the {side} model without a partner: {', '.join(names[:4])}{more}")
    return found
