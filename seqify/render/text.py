"""The story of a report in a terminal."""

from __future__ import annotations

import linecache
import textwrap

from seqify.diagnostics import RULES, Diagnostic, Severity
from seqify.render.words import check_rows, headline, input_words, verdict_words
from seqify.report import Report

__all__ = ["color_diff", "render_text"]

_COLORS = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2"}


class _Paint:
    """Text in colour, or as it is."""

    def __init__(self, color: bool, unicode: bool) -> None:
        self.color = color
        self.marks = ("✓", "✗", "·") if unicode else ("ok  ", "FAIL", "-   ")
        self.unicode = unicode

    def __call__(self, name: str, text: str) -> str:
        return f"\x1b[{_COLORS[name]}m{text}\x1b[0m" if self.color and text else text


def render_text(report: Report, color: bool = False, unicode: bool = True) -> str:
    """
    The story: what was found, what was compared, what to know, and the verdict.

    Args:
        report: the report.
        color: whether the terminal shows colour.
        unicode: whether it can show `✓`; else `ok`.
    """
    paint = _Paint(color, unicode)
    lines: list[str] = []
    width = max(14, len(report.target))
    if report.status not in ("refused", "failed"):
        lines.append(f"{paint('bold', report.target.ljust(width))} {headline(report)}")
        if report.inputs:
            lines.append(f"{'input'.ljust(width)} {input_words(report)}")
        lines.append("")
    for ok, name, device, modes, words in check_rows(report.checks):
        mark = paint("green", paint.marks[0]) if ok else paint("red", paint.marks[1])
        lines.append(f"  {mark} {name:<16}{device:<6}{modes:<16}{words}".rstrip())
    # what is told of a class that was written anew has no place: one line says enough
    anew = report.path is None and report.source
    shown = [
        item
        for item in report.diagnostics
        if item.severity is not Severity.NOTE or not (item.location or (anew and item.code not in ("SQ501", "SQ604")))
    ]
    brief = [item for item in report.diagnostics if item not in shown]
    told = [item for item in shown if item.code in ("SQ604", "SQ501")]
    for item in told:
        if item.code == "SQ604" and report.exit_code == 0:
            lines.append(f"  {paint.marks[2]} {'cuda':<16}{item.message} ({item.code})")
    if report.checks:
        lines.append("")
    for item in told:
        if item.code == "SQ501":
            lines.append(f"{'keys'.ljust(width)} {item.message} ({item.code})")
            lines.append(f"{' ' * width} {_help(item)}")
    for condition, value, at in report.specialised:
        fixed = condition if condition.startswith("the ") else f"`{condition}` is {value}"
        lines.append(f"{'taken as fixed'.ljust(width)} {fixed}{f' ({at})' if at else ''}")
    for item in brief:
        place = f" {paint('dim', f'({item.location})')}" if item.location else ""
        lines.append(f"{paint('bold', item.code)} {item.message}{place}")
    for item in shown:
        if item not in told or report.exit_code:
            lines += ["", *_block(item, paint)]
    if lines and lines[-1]:
        lines.append("")
    verdict = verdict_words(report)
    tone = "green" if report.exit_code == 0 else "red"
    head, colon, rest = verdict.partition(":") if ":" in verdict.split(".")[0] else verdict.partition(".")
    lines.append(paint(tone, head) + colon + rest)
    text = "\n".join(lines)
    return text if unicode else text.replace("→", "->").replace("…", "...")


def _help(item: Diagnostic) -> str:
    return item.help or RULES[item.code].help


def _block(item: Diagnostic, paint: _Paint) -> list[str]:
    """A diagnostic with the lines it points at."""
    tone = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}[item.severity]
    lines = [f"{paint('bold', item.code)} {paint(tone, item.name)}: {item.message}"]
    place = item.location
    if place is not None:
        lines.append(f"  --> {paint('cyan', str(place))}")
        text = linecache.getline(place.filename, place.row).rstrip("\n")
        if text.strip():
            number = str(place.row)
            end = place.end_column if place.end_row == place.row and place.end_column else len(text) + 1
            start = min(place.column, len(text) + 1)
            if start == 1:
                start = len(text) - len(text.lstrip()) + 1
            gutter = " " * len(number)
            lines += [
                f"{gutter} |",
                f"{number} | {text}",
                f"{gutter} | {' ' * (start - 1)}{paint(tone, '^' * max(1, min(end, len(text) + 1) - start))}",
            ]
    for note in item.notes:
        lines += textwrap.wrap(note, 116, initial_indent="note: ", subsequent_indent="      ")
    lines.append(f"help: {_help(item)}")
    return lines


def color_diff(diff: str) -> str:
    """A unified diff in the colours of git."""
    colored = []
    for line in diff.splitlines(keepends=True):
        name = {"+": "32", "-": "31", "@": "36"}.get(line[:1])
        if line.startswith(("+++", "---")):
            name = "1"
        colored.append(f"\x1b[{name}m{line.rstrip(chr(10))}\x1b[0m\n" if name else line)
    return "".join(colored)
