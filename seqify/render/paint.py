"""The colours and signs of a terminal, and diagnostics with the lines they point at."""

from __future__ import annotations

import linecache
import textwrap

from seqify.diagnostics import RULES, Diagnostic, Location, Severity

__all__ = ["Paint", "block", "color_diff", "excerpt", "help_of"]

_COLORS = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2"}
_MARKS = {"ok": ("✓", "ok  "), "failed": ("✗", "FAIL"), "skipped": ("·", "-   "), "warning": ("!", "!   ")}
_TONES = {"ok": "green", "failed": "red", "skipped": "dim", "warning": "yellow"}
_PLAIN = {"→": "->", "…": "...", "▶": ">"}
_WIDTH = 120


class Paint:
    """Text in colour, or as it is; signs, or what an old terminal has for them."""

    def __init__(self, color: bool, unicode: bool) -> None:
        self.color = color
        self.unicode = unicode

    def __call__(self, name: str, text: str) -> str:
        return f"\x1b[{_COLORS[name]}m{text}\x1b[0m" if self.color and text else text

    def mark(self, name: str) -> str:
        """The sign of a row: "ok", "failed", "skipped" or "warning"."""
        return self(_TONES[name], _MARKS[name][0 if self.unicode else 1])

    def plain(self, text: str) -> str:
        """A whole text, in what the terminal can show."""
        if not self.unicode:
            for sign, instead in _PLAIN.items():
                text = text.replace(sign, instead)
        return text


def help_of(item: Diagnostic) -> str:
    return item.help or RULES[item.code].help


def block(item: Diagnostic, paint: Paint, lines: list[str] | None = None) -> list[str]:
    """
    A diagnostic with the lines it points at.

    Args:
        item: the diagnostic.
        paint: the colours.
        lines: what to show of the source instead of the line that it points at.
    """
    tone = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}[item.severity]
    head = [f"{paint('bold', item.code)} {paint(tone, item.name)}: {item.message}"]
    place = item.location
    if lines is None and place is not None:
        text = linecache.getline(place.filename, place.row).rstrip("\n")
        lines = excerpt(place, text, paint, tone=tone)
    for note in item.notes:
        wrapped = textwrap.wrap(note, _WIDTH - 10, break_long_words=False)
        lines = [*(lines or []), *(f"{'      ' if index else 'note: '}{line}" for index, line in enumerate(wrapped))]
    return [*head, *(lines or []), f"help: {help_of(item)}"]


def excerpt(
    place: Location, text: str, paint: Paint, *, label: str = "", arrow: str = "-->", gutter: int = 0, tone: str = "red"
) -> list[str]:
    """
    A line of a file with carets under the place.

    Args:
        place: the place.
        text: the line; without one there is nothing but the place.
        paint: the colours.
        label: what to write behind the carets.
        arrow: in front of the place: "-->" for the first excerpt, which has an empty row, ":::" for the next.
        gutter: the width of the row numbers.
        tone: of the carets.
    """
    number = str(place.row).rjust(gutter)
    empty = " " * len(number)
    lines = [f"  {arrow} {paint('cyan', str(place))}"]
    if text.strip():
        end = place.end_column if place.end_row == place.row and place.end_column else len(text) + 1
        start = min(place.column, len(text) + 1)
        if start == 1:
            start = len(text) - len(text.lstrip()) + 1
        carets = paint(tone, "^" * max(1, min(end, len(text) + 1) - start))
        lines += [
            *([f"{empty} |"] if arrow == "-->" else []),
            f"{number} | {text}",
            f"{empty} | {' ' * (start - 1)}{carets}{f' {label}' if label else ''}",
        ]
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
