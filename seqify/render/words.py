"""Phrases that several renderers share."""

from __future__ import annotations

from collections.abc import Sequence

from seqify.compare.verdict import Check
from seqify.report import Report

__all__ = ["check_rows", "count", "headline", "input_words", "verdict_words"]


def count(number: int, noun: str) -> str:
    """`1 layer`, `2 layers`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def headline(report: Report) -> str:
    """What was found: `12 calls in one straight line → features (6), classifier (6)`."""
    layers = sum(len(chain.layers) for chain in report.chains)
    if not report.chains:
        return "nothing to convert" if report.status == "unchanged" else report.status
    where = ", ".join(f"{chain.name or report.layout} ({len(chain.layers)})" for chain in report.chains)
    found = (
        f"{count(report.calls, 'call')} in one straight line"
        if layers == report.calls
        else f"{layers} of {count(report.calls, 'call')}"
    )
    return f"{found} → {where}"


def input_words(report: Report) -> str:
    """The inputs and where they came from."""
    shapes = ", ".join(
        f"{item['name']} ({', '.join(map(str, item['shape']))}) {item['dtype']}" for item in report.inputs
    )
    origins = {
        "probed": "found by probing; choose with --input",
        "configured": "from pyproject.toml",
        "file": "from seqify_inputs()",
        "given": "as given",
    }
    return f"{shapes}, {origins[str(report.inputs[0]['origin'])]}" if report.inputs else ""


_TITLES = {
    "tensors": "shapes, dtypes, ties and saved keys agree",
    "seed": "the same seed builds the same weights",
}


def check_rows(checks: Sequence[Check]) -> list[tuple[bool, str, str, str, str]]:
    """One row for each kind of check and device: verdict, name, device, modes, words."""
    rows = []
    for name, device in dict.fromkeys((check.name, check.device) for check in checks):
        group = [check for check in checks if (check.name, check.device) == (name, device)]
        failed = [check for check in group if not check.ok]
        modes = " and ".join(dict.fromkeys(check.mode for check in group if check.mode != "-"))
        dtypes = " ".join(dict.fromkeys(check.dtype for check in group if check.dtype != "-"))
        if failed:
            worst = max(failed, key=lambda check: check.max_abs)
            distance = f"greatest difference {worst.max_abs:.3g}, " if worst.max_abs else ""
            words = f"{distance}{worst.note} ({worst.mode}, {worst.dtype})" if worst.mode != "-" else worst.note
        elif all(check.bitwise for check in group):
            notes = ", ".join(dict.fromkeys(check.note for check in group if check.note))
            words = _TITLES.get(name) or f"bitwise equal   {dtypes}{f'   {notes}' if notes else ''}"
        else:
            words = next(check.note for check in group if not check.bitwise)
        rows.append((not failed, name, "" if device == "-" or name == "seed" else device, modes, words))
    return rows


def verdict_words(report: Report) -> str:
    """The last line: the verdict, and what to do next."""
    devices = " and ".join(dict.fromkeys(check.device for check in report.checks if check.device not in ("-",)))
    if report.status == "unchanged":
        return "Unchanged: there is nothing to convert."
    if report.status == "different":
        return "Different: the result does not do what the original does. Nothing was written."
    if report.status in ("refused", "failed"):
        return {"refused": "Refused.", "failed": "Failed: the question could not be asked."}[
            report.status
        ] + " Nothing was written."
    if report.status == "converted":
        verdict = "Converted, and not compared (--no-verify)."
    elif all(check.bitwise for check in report.checks if check.name != "seed"):
        verdict = f"Tested on {devices}: every number is bitwise equal."
    else:
        verdict = f"Tested on {devices}: every number is within the original's own noise."
    if report.written:
        return f"{verdict} Wrote {report.written}."
    if report.path is None:
        return f"{verdict} Nothing was written: -o FILE writes the new class, --map map.json saves the key map."
    return f"{verdict} Nothing was written: --write applies the diff, --map map.json saves the key map."
