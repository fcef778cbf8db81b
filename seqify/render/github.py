"""A report as GitHub workflow commands: annotations on the lines of a pull request."""

from __future__ import annotations

import os

from seqify.diagnostics import RULES, Severity
from seqify.render.words import verdict_words
from seqify.report import Report

__all__ = ["render_github"]

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render_github(report: Report) -> str:
    """One command a diagnostic, and one for the verdict."""
    lines = []
    for item in report.diagnostics:
        place = item.location
        where = ""
        if place is not None:
            where = f",file={_property(os.path.relpath(place.filename))},line={place.row},col={place.column}"
            if place.end_row is not None:
                where += f",endLine={place.end_row},endColumn={place.end_column}"
        message = f"{item.name}: {item.message}\n  help: {item.help or RULES[item.code].help}"
        lines.append(f"::{_LEVELS[item.severity]} title={_property(f'seqify ({item.code})')}{where}::{_data(message)}")
    level = "error" if report.exit_code else "notice"
    lines.append(f"::{level} title=seqify::{_data(f'{report.target}: {verdict_words(report)}')}")
    return "\n".join(lines) + "\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
