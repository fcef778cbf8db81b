"""The first call that differs: the calls around it, and the source of both sides."""

from __future__ import annotations

from seqify.compare.verdict import Divergence, Pair, Spot
from seqify.diagnostics import Diagnostic
from seqify.render.paint import Paint, block, excerpt

__all__ = ["calls_table", "culprit_block", "label"]

_LONGEST = 34  # characters of a call's name


def calls_table(divergence: Divergence) -> list[str]:
    """The calls before the culprit, itself, and some behind it."""
    calls = divergence.calls
    if not calls:
        return []
    ambiguous = [{name for name in names if names.count(name) > 1} for names in (_names(calls, 0), _names(calls, 1))]
    rows = [["", "old", "new", "shape", "greatest difference"]]
    gaps: dict[int, str] = {}  # what is left out, by the row that it stands before
    behind = 0
    for pair in calls:
        if pair.number - behind > 1:
            gaps[len(rows)] = f"{pair.number - behind - 1} more, all bitwise equal"
        behind = pair.number
        spot = pair.new or pair.old
        here = "▶ " if pair.number == divergence.equal + 1 else ""
        names = [_cut(label(side, found)) for side, found in zip((pair.old, pair.new), ambiguous, strict=True)]
        rows.append([f"{here}{pair.number}", *names, str(spot.shape) if spot is not None else "", _gap(pair)])
    if divergence.total > behind:
        gaps[len(rows)] = f"{divergence.total - behind} more"
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = []
    for index, row in enumerate([*rows, []]):
        if index in gaps:
            lines.append(f"{'…':>{widths[0]}}  {gaps[index]}")
        if row:
            cells = "   ".join(text.ljust(width) for text, width in zip(row[1:], widths[1:], strict=True))
            lines.append(f"{row[0]:>{widths[0]}}  {cells}".rstrip())
    return lines


def _names(calls: tuple[Pair, ...], which: int) -> list[str]:
    return [label((pair.old, pair.new)[which], set()) for pair in calls]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _gap(pair: Pair) -> str:
    if pair.max_abs is None:
        return "" if pair.old is None or pair.new is None else "another shape or dtype"
    return "0" if pair.max_abs == 0 else f"{pair.max_abs:.2e}"


def label(spot: Spot | None, ambiguous: set[str]) -> str:
    """A call as a reader would name it: `F.relu`, `conv1 conv2d`; with the operator where the name is `ambiguous`."""
    if spot is None:
        return "–"
    name = spot.function or spot.operator
    place = spot.place
    if spot.module:
        name = f"{spot.module} {name}"
    elif place is not None and place.row == spot.row and spot.text[place.column - 1 :].split("(")[0].endswith(name):
        name = spot.text[place.column - 1 : (place.end_column or 0) - 1]
    return f"{name}: {spot.operator}" if name in ambiguous else name


def culprit_block(item: Diagnostic, divergence: Divergence, paint: Paint) -> list[str]:
    """A diagnostic with the line of the new side, and the line of the old one below."""
    sides = [(divergence.new, 2), (divergence.old, 1)]
    places = [spot.place for spot, _ in sides if spot is not None and spot.place is not None]
    gutter = max((len(str(place.row)) for place in places), default=0)
    lines: list[str] = []
    for spot, which in sides:
        if spot is None or spot.place is None:
            continue
        text = f"{divergence.argument[0]}={divergence.argument[which]}" if divergence.argument else ""
        arrow = ":::" if lines else "-->"
        lines += excerpt(spot.place, spot.text, paint, label=text, arrow=arrow, gutter=gutter)
    if lines:
        lines.append(f"{' ' * gutter} |")
    return block(item, paint, lines)
