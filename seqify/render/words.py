"""Phrases that several renderers share."""

from __future__ import annotations

from seqify.report import Report, Reports

__all__ = ["count", "headline", "input_words", "side_words", "summary_words", "verdict_words", "weight_words"]


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


def side_words(report: Report) -> tuple[str, str]:
    """The old side and the new one: `model.py:Net at origin/main (4f1c2ab)`, `model.py:Net, working tree`."""
    if report.base is None:
        return report.target, report.other or ""
    return f"{report.target} at {report.base.name} ({report.base.short})", f"{report.other}, working tree"


def weight_words(report: Report) -> str:
    """How many tensors were carried over, and how it was found out which is which."""
    if report.keymap is None or not report.keymap.keys:
        return "none" if report.keymap is not None else ""
    renamed = len(report.keymap.renamed)
    told = f"; {renamed} renamed" if renamed else ""
    return f"{count(len(report.keymap.keys), 'tensor')} carried from old to new, matched {report.matched}{told}"


def verdict_words(report: Report) -> str:
    """The last line: the verdict, and what to do next."""
    if report.command == "verify":
        return _verified(report)
    if report.status == "unchanged":
        return "Unchanged: there is nothing to convert."
    if report.status == "different":
        return "Different: the result does not do what the original does. Nothing was written."
    if report.status in ("refused", "failed"):
        return f"{_stopped(report)} Nothing was written."
    verdict = "Converted, and not compared (--no-verify)." if report.status == "converted" else _compared(report)
    if report.written:
        return f"{verdict} Wrote {report.written}."
    if report.exit_code and report.status == "tested":
        return f"{verdict} Nothing was written: --allow-unproved, if exact numbers are enough."
    if report.path is None:
        return f"{verdict} Nothing was written: -o FILE writes the new class, --map map.json saves the key map."
    return f"{verdict} Nothing was written: --write applies the diff, --map map.json saves the key map."


def _verified(report: Report) -> str:
    if report.status == "different":
        first = next(item for item in report.checks if item.level == "error" and not item.ok)
        where = ", ".join(part for part in (first.device, first.dtype, first.mode, first.variant) if part.strip("-"))
        return f"Different. The first check that failed: {first.name}{f' ({where})' if where else ''}."
    if report.status == "new":
        return "New: the base has no such target, so there is nothing to compare."
    if report.status in ("refused", "failed"):
        return _stopped(report)
    verdict = _compared(report)
    return f"{verdict} --require-proof asks for more." if report.exit_code else verdict


def _stopped(report: Report) -> str:
    if report.status == "refused":
        return "Refused."
    return f"Failed: {'what was compared proves nothing' if report.checks else 'the question could not be asked'}."


def _compared(report: Report) -> str:
    devices = " and ".join(dict.fromkeys(check.device for check in report.checks if check.device != "-"))
    if report.status == "equivalent":
        return f"Equivalent on {devices}."
    exact = all(check.bitwise for check in report.checks if check.level == "error")
    numbers = "bitwise equal" if exact else "within the old model's own noise"
    proved = report.proof is not None and report.proof.status == "proved"
    graphs = "and both are one graph" if proved else "and nothing was proved"
    return f"Tested on {devices}: every number is {numbers}, {graphs}."


def summary_words(reports: Reports) -> str:
    """`3 targets: 2 equivalent, 1 different`."""
    statuses = [item.status for item in reports.reports]
    parts = ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses))
    return f"{count(len(statuses), 'target')}: {parts}"
