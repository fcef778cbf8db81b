"""The rungs of the ladder that a comparison climbs: one row for each thing that was compared."""

#   checks, one for each part, device, dtype, mode and variant   ──►   ✓ forward   cpu   eval and train   bitwise equal
#
# A row says what it covers, and no more: a comparison without gradients is not in the row of the gradients.

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from seqify.compare.verdict import CODES, Check
from seqify.render.words import count
from seqify.report import Report

__all__ = ["Rung", "rungs"]

_NUMBERS = ("forward", "inputs", "gradients", "input gradients", "buffers", "random", "steps", "weights")
_INTERFACE = {
    "signature": "signature",
    "keys": "keys",
    "order": "order",
    "hooks": "hooks",
    "copies": "copies",
    "errors": "errors on bad inputs",
}
_TITLES = {"random": "random numbers", "inputs": "inputs after"}
_SAYS = {
    "tensors": "shapes, dtypes, ties and saved keys agree",
    "seed": "the same seed builds the same weights",
}
_OTHERWISE = {"seed": "the same seed builds other weights: "}


@dataclass(frozen=True)
class Rung:
    """One row: `mark` is "ok", "failed", "warning" or "skipped"; `details` are sentences below it."""

    mark: str
    name: str
    device: str
    modes: str
    words: str
    details: tuple[str, ...] = ()


def rungs(report: Report) -> list[Rung]:
    """The rows of a report, its proof among them."""
    checks = report.checks
    found = []
    for name, device in dict.fromkeys((check.name, check.device) for check in checks if check.name in _NUMBERS):
        group = [check for check in checks if (check.name, check.device) == (name, device)]
        if name != "inputs" or not all(check.ok for check in group):
            others = {check.variant for check in checks if check.name != name and check.name in _NUMBERS}
            found.append(_numbers(name, device, group, others))
    found.sort(key=lambda rung: [_TITLES.get(name, name) for name in _NUMBERS].index(rung.name))
    for check in checks:
        if check.name == "tensors":
            found.append(_plain(check))
    found += _interface(checks, report)
    if checks:
        for item in report.diagnostics:
            if item.code == "SQ604" and report.exit_code < 2:
                found.append(Rung("skipped", "cuda", "", "", f"{item.message.removeprefix('cuda is ')} (SQ604)"))
    proof = _proof(report)
    return [*found, proof] if proof else found


def _numbers(name: str, device: str, group: Sequence[Check], others: Collection[str]) -> Rung:
    failed = [check for check in group if not check.ok]
    mark, shown = ("failed", failed) if failed else ("ok", list(group))
    modes = " and ".join(dict.fromkeys(check.mode for check in shown if check.mode != "-"))
    if failed:
        worst = max(failed, key=lambda check: check.max_abs)
        distance = f"greatest difference {worst.max_abs:.3g}, " if worst.max_abs else ""
        verdict = "different: " if worst.level == "error" and distance else ""
        where = ", ".join(part for part in (worst.mode, worst.dtype, worst.variant) if part not in ("", "-"))
        words = f"{verdict}{distance}{worst.note}{f' ({where})' if where else ''}"
        if len(group) > 1:
            words += f"; {len(failed)} of {len(group)} comparisons"
    else:
        noise = [check for check in group if not check.bitwise]
        words = "bitwise equal" if not noise else f"within noise: {noise[0].note}"
        words += f"   {_coverage(group, others)}"
    return Rung(mark, _TITLES.get(name, name), device, modes, words)


def _coverage(group: Sequence[Check], others: Collection[str]) -> str:
    """
    `18 runs: float32 float64 bfloat16 autocast, batch of 1, channels last, strided, no_grad`.

    Args:
        group: the checks of a row.
        others: the variants of the other rows, which have none where every run raised.
    """
    ran = [check for check in group if not check.note.startswith("both raise")]
    dtypes = " ".join(dict.fromkeys(check.dtype.split()[0] for check in ran if check.dtype != "-"))
    variants = dict.fromkeys(check.variant for check in group if check.variant)
    raised = [check for check in group if check not in ran]
    notes = {item.variant: f" ({item.note}{' in some' if item.variant in others else ''})" for item in raised}
    parts = [dtypes, *(f"{name}{notes.get(name, '')}" for name in variants)]
    return f"{count(sum(check.runs for check in group), 'run')}: {', '.join(part for part in parts if part)}"


def _plain(check: Check) -> Rung:
    """A row of its own for something that either agrees or does not."""
    code = f" ({CODES[check.name]})" if check.level == "warning" else ""
    words = _SAYS.get(check.name, "") if check.ok else f"{_OTHERWISE.get(check.name, '')}{check.note}{code}"
    return Rung("ok" if check.ok else "warning" if check.level == "warning" else "failed", check.name, "", "", words)


def _interface(checks: Sequence[Check], report: Report) -> list[Rung]:
    """One row for all that is as it was, and one for each thing that is not."""
    same = [words for name, words in _INTERFACE.items() if any(item.name == name and item.ok for item in checks)]
    found = []
    if same:
        found.append(Rung("ok", "interface", "", "", f"{', '.join(same)}: as before"))
    for name in (*_INTERFACE, "sizes", "seed"):
        rows = [item for item in checks if item.name == name]
        wrong = [item for item in rows if not item.ok]
        if not wrong:
            found += [_plain(item) for item in rows[:1] if name in _SAYS]
            continue
        rung = _plain(wrong[0])
        help_ = next((item.help for item in report.diagnostics if item.code == CODES[name] and item.help), None)
        found.append(Rung(rung.mark, rung.name, "", "", rung.words, (help_,) if help_ else ()))
    return found


def _proof(report: Report) -> Rung | None:
    proof = report.proof
    if proof is None or not report.checks:
        return None
    if proof.status == "proved":
        held = f", for sizes that meet {count(len(proof.conditions), 'condition')}" if proof.conditions else ""
        return Rung("ok", "proof", "", "", f"one graph: {proof.scope}{held}")
    required = report.status == "tested" and report.exit_code != 0
    verdict = "refuted" if proof.status == "refuted" else "not proved"
    return Rung("failed" if required else "skipped", "proof", "", "", f"{verdict}: {proof.reason}")
