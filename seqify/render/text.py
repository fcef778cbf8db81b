"""The story of a report in a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from seqify.diagnostics import Severity
from seqify.render.culprit import calls_table, culprit_block
from seqify.render.paint import Paint, block, help_of
from seqify.render.rungs import Rung, rungs
from seqify.render.words import headline, input_words, side_words, summary_words, verdict_words, weight_words
from seqify.report import Report, Reports

__all__ = ["render_text"]

_WIDTH = 120
_INDENT = 4  # of a row's name, behind its mark
_NUMBERS = ("SQ601", "SQ602", "SQ603", "SQ609", "SQ614")


def render_text(report: Report | Reports, color: bool = False, unicode: bool = True) -> str:
    """
    The story: what was found, what was compared, what to know, and the verdict.

    Args:
        report: the report, or those of several targets.
        color: whether the terminal shows colour.
        unicode: whether it can show `✓`; else `ok`.
    """
    paint = Paint(color, unicode)
    if isinstance(report, Reports):
        stories = ["\n".join(_story(item, paint)) for item in report.reports]
        return paint.plain("\n\n\n".join([*stories, summary_words(report)]))
    return paint.plain("\n".join(_story(report, paint)))


def _story(report: Report, paint: Paint) -> list[str]:
    tell: Callable[[Report, Paint], list[str]] = _comparison if report.command == "verify" else _conversion
    lines = tell(report, paint)
    lines = lines[1:] if lines and not lines[0] else lines
    if lines and lines[-1]:
        lines.append("")
    verdict = verdict_words(report)
    tone = "green" if report.exit_code == 0 else "red"
    head, colon, rest = verdict.partition(":") if ":" in verdict.split(".")[0] else verdict.partition(".")
    return [*lines, paint(tone, head) + colon + rest]


def _conversion(report: Report, paint: Paint) -> list[str]:
    lines: list[str] = []
    width = max(14, len(report.target))
    if report.status not in ("refused", "failed"):
        lines.append(f"{paint('bold', report.target.ljust(width))} {headline(report)}")
        if report.inputs:
            lines.append(f"{'input'.ljust(width)} {input_words(report)}")
        lines.append("")
    lines += _table(rungs(report), paint)
    # what is told of a class that was written anew has no place: one line says enough
    anew = report.path is None and report.source
    shown = [
        item
        for item in report.diagnostics
        if item.severity is not Severity.NOTE or not (item.location or (anew and item.code not in ("SQ501", "SQ604")))
    ]
    brief = [item for item in report.diagnostics if item not in shown]
    told = [item for item in shown if item.code in ("SQ501", "SQ604", "SQ611") and report.checks]
    if report.checks:
        lines.append("")
    for item in told:
        if item.code == "SQ501":
            lines.append(f"{'keys'.ljust(width)} {item.message} ({item.code})")
            lines.append(f"{' ' * width} {help_of(item)}")
    for condition, value, at in report.specialised:
        fixed = condition if condition.startswith("the ") else f"`{condition}` is {value}"
        lines.append(f"{'taken as fixed'.ljust(width)} {fixed}{f' ({at})' if at else ''}")
    for item in brief:
        place = f" {paint('dim', f'({item.location})')}" if item.location else ""
        lines.append(f"{paint('bold', item.code)} {item.message}{place}")
    for item in shown:
        if item not in told:
            lines += ["", *block(item, paint)]
    return lines


def _comparison(report: Report, paint: Paint) -> list[str]:
    lines = _header(report, paint)
    lines += _table(rungs(report), paint)
    errors = [item for item in report.diagnostics if item.severity is Severity.ERROR or not report.checks]
    divergence = report.divergence
    parted = next((item for item in errors if item.code in _NUMBERS), None) if divergence is not None else None
    for item in errors:
        if divergence is not None and item is parted:
            table = calls_table(divergence)
            lines += ["", *table] if table else []
            lines += ["", *culprit_block(item, divergence, paint)]
        elif not (divergence is not None and item.code in _NUMBERS) and not (item.code == "SQ611" and report.checks):
            lines += ["", *block(item, paint)]
    return lines


def _header(report: Report, paint: Paint) -> list[str]:
    old, new = side_words(report)
    lines = [f"old      {paint('bold', old)}", f"new      {paint('bold', new)}"]
    if len(old) + len(new) < _WIDTH - 30:
        lines = [f"old      {paint('bold', old)}        new   {paint('bold', new)}"]
    if report.other is None:
        return []
    if report.inputs:
        lines.append(f"input    {input_words(report)}")
    if report.checks:
        lines.append(f"weights  {weight_words(report)}")
    return [*lines, ""]


def _columns(rung: Rung) -> tuple[str, str, str]:
    return rung.name, rung.device, rung.modes


def _table(rows: list[Rung], paint: Paint) -> list[str]:
    widths = [max((len(_columns(rung)[index]) for rung in rows), default=0) for index in range(3)]
    lines = []
    for rung in rows:
        head = "".join(text.ljust(width + 2) for text, width in zip(_columns(rung), widths, strict=True) if width)
        indent = " " * (_INDENT + len(head) + (0 if paint.unicode else 3))
        words = [rung.words]
        if len(indent) + len(rung.words) > _WIDTH:
            words = textwrap.wrap(rung.words, _WIDTH - len(indent), break_long_words=False, break_on_hyphens=False)
        lines.append(f"  {paint.mark(rung.mark)} {head}{words[0]}".rstrip())
        lines += [f"{indent}{line}" for line in words[1:]]
        lines += [f"{indent}{paint('dim', text)}" for text in rung.details]
    return lines
