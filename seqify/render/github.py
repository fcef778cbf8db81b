"""A report as GitHub workflow commands: annotations on the lines of a pull request."""

from __future__ import annotations

import os

from seqify.diagnostics import Diagnostic, Severity
from seqify.render.paint import help_of
from seqify.render.words import side_words, summary_words, verdict_words
from seqify.report import Report, Reports

__all__ = ["render_github"]

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render_github(report: Report | Reports) -> str:
    """One command a diagnostic, and one for each verdict."""
    if isinstance(report, Reports):
        lines = [line for item in report.reports for line in _commands(item)]
        if len(report.reports) > 1:
            lines.append(_command("error" if report.exit_code else "notice", "seqify", "", summary_words(report)))
    else:
        lines = _commands(report)
    return "\n".join(lines) + "\n"


def _commands(report: Report) -> list[str]:
    lines = []
    for item in report.diagnostics:
        where, place = _where(item), item.location
        # what lies in another revision has no line to be shown on
        elsewhere = f" ({place})" if place is not None and not where else ""
        notes = "".join(f"\n  note: {note}" for note in item.notes)
        message = f"{item.name}: {item.message}{elsewhere}{notes}\n  help: {help_of(item)}"
        lines.append(_command(_LEVELS[item.severity], f"seqify ({item.code})", where, message))
    verdict = f"{side_words(report)[0]}: {verdict_words(report)}"
    return [*lines, _command("error" if report.exit_code else "notice", "seqify", "", verdict)]


def _where(item: Diagnostic) -> str:
    place = item.location
    if place is None or not os.path.exists(place.filename):
        return ""
    where = f",file={_property(os.path.relpath(place.filename))},line={place.row},col={place.column}"
    if place.end_row is not None:
        where += f",endLine={place.end_row},endColumn={place.end_column}"
    return where


def _command(level: str, title: str, where: str, message: str) -> str:
    return f"::{level} title={_property(title)}{where}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
