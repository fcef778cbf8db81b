"""What seqify says of a mutant: the one place that knows `seqify.verify`."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from .mutant import Mutant

__all__ = ["Answer", "ask", "available"]


# What a constructor made: a tensor is named exactly where its attribute is one that the fault makes.
CONSTRUCTED = ("tensors", "weights", "order", "keys", "seed")


@dataclass(frozen=True)
class Answer:
    """
    The answer of `seqify.verify`.

    Attributes:
        status: as seqify gives it, or "crashed" when it raised something that is no refusal of its own.
        check: the first check that is not ok, errors before warnings; "proof" where only the status says that there is
            a difference.
        named: whether the culprit is named exactly: the call that is given is in a row of the fault, calls what a
            faulty constructor made, or is of a layer that is constructed in a row of the fault, or a check that
            failed says a row of the fault; without either, or where a constructor was changed, the check's note says
            one of the names.
        place: what was named, to look at.
    """

    status: str
    check: str = ""
    named: bool = False
    place: str = ""
    seconds: float = 0.0

    @property
    def found(self) -> bool:
        """Whether anything is said against the mutant, a warning included."""
        return self.status == "different" or bool(self.check)


def available() -> bool:
    import seqify

    return hasattr(seqify, "verify")


def ask(
    old: tuple[Path, nn.Module],
    new: tuple[Path, nn.Module],
    values: dict[str, Any],
    mutant: Mutant,
    names: Sequence[str],
    text: bool,
) -> Answer:
    """
    Ask seqify whether two networks are the same.

    Args:
        old: the file and the network built from it.
        new: the mutant, likewise.
        values: the example inputs by name.
        mutant: what was planted.
        names: that are exact where no place can be given, as for first values and for the structure of an output.
        text: name the files, so that both are constructed by seqify, as in the child of a command but without the
            process; else give it the two networks as they are.
    """
    import seqify
    from seqify.verification import compare_opened, open_here, open_live

    began = time.perf_counter()
    try:
        sides = [
            open_here(f"{path}:{type(network).__name__}") if text else open_live(network)
            for path, network in (old, new)
        ]
        report = compare_opened(*sides, values, devices=["cpu"])
    except seqify.SeqifyError as error:
        status = "refused" if isinstance(error, seqify.Refusal) else "failed"
        return Answer(status, place=error.diagnostic.code, seconds=time.perf_counter() - began)
    except Exception as error:
        return Answer("crashed", place=f"{type(error).__name__}: {error}"[:160], seconds=time.perf_counter() - began)
    seconds = time.perf_counter() - began
    wrong = sorted((item for item in report.checks if not item.ok), key=lambda item: item.level != "error")
    check = wrong[0].name if wrong else "proof" if report.status == "different" else ""
    spots = [] if report.divergence is None else [("old", report.divergence.old), ("new", report.divergence.new)]
    spots = [(side, spot) for side, spot in spots if spot is not None]
    places = [f"{side} {spot.function or spot.op} in row {spot.row}" for side, spot in spots]
    texts = {"old": old[0].read_text(encoding="utf-8"), "new": mutant.text}
    named = any(hits(spot, mutant, side, texts[side]) for side, spot in spots)
    for item in wrong:
        if item.location is not None:
            places.append(f"{item.name} in row {item.location.row}")
            named |= item.location.row in (*mutant.old_rows, *mutant.new_rows, *mutant.old_calls, *mutant.new_calls)
    if wrong and (not places or wrong[0].name in CONSTRUCTED):
        places = places or [wrong[0].note]
        named |= any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", wrong[0].note) for name in names if name)
    return Answer(report.status, check, named, ", ".join(places[:4]), round(seconds, 3))


def looped(text: str, rows: Sequence[int]) -> set[int]:
    """The rows of the loops whose header is in one of the rows: what a loop goes over shows in what it calls."""
    loops = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.For) and node.lineno in rows]
    return {row for loop in loops for row in range(loop.lineno, (loop.end_lineno or loop.lineno) + 1)}


def hits(spot: Any, mutant: Mutant, side: str, text: str) -> bool:
    """Whether a call is where the fault is, or where it shows."""
    rows = mutant.old_rows if side == "old" else mutant.new_rows
    rows = (*rows, *looped(text, rows))
    calls = mutant.old_calls if side == "old" else mutant.new_calls
    layers = {name for name in mutant.names if mutant.constructs} & set(spot.module.split("."))
    return spot.row in (*rows, *calls) or bool(layers) or (spot.constructed is not None and spot.constructed[1] in rows)
