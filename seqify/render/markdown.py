"""A report as Markdown: for notebooks and job summaries."""

from __future__ import annotations

from seqify.render.culprit import calls_table
from seqify.render.rungs import rungs
from seqify.render.words import count, headline, input_words, side_words, summary_words, verdict_words, weight_words
from seqify.report import Report, Reports

__all__ = ["render_markdown"]

_SIGNS = {"ok": "✓", "failed": "✗", "warning": "!", "skipped": "·"}


def render_markdown(report: Report | Reports) -> str:
    """Verdict, checks, diff or divergence, key table and diagnostics."""
    if isinstance(report, Reports):
        pages = "\n".join(_page(item) for item in report.reports)
        return f"{pages}\n**{summary_words(report)}**\n" if len(report.reports) > 1 else pages
    return _page(report)


def _page(report: Report) -> str:
    parts = [f"### {_title(report)}\n\n**{verdict_words(report)}**\n"]
    if report.chains:
        parts.append(f"{headline(report)}  \ninput: {input_words(report)}\n")
    elif report.other is not None and report.checks:
        parts.append(f"input: {input_words(report)}  \nweights: {weight_words(report)}\n")
    rows = rungs(report)
    if rows:
        table = ["| | check | device | mode | result |", "|---|---|---|---|---|"]
        table += [
            f"| {_SIGNS[row.mark]} | {row.name} | {row.device} | {row.modes} | {_cell(row.words)} |" for row in rows
        ]
        parts.append("\n".join(table) + "\n")
    if report.divergence is not None and report.divergence.calls:
        parts.append(_fenced("\n".join(calls_table(report.divergence)) + "\n", "text"))
    if report.diff:
        parts.append(_fenced(report.diff, "diff"))
    if report.keymap is not None and report.keymap.renamed:
        table = ["| old | new |", "|---|---|"]
        table += [f"| `{old}` | `{new}` |" for new, old in report.keymap.renamed.items()]
        parts.append(
            f"<details><summary>{count(len(report.keymap.renamed), 'key')} renamed</summary>\n\n"
            + "\n".join(table)
            + "\n\n</details>\n"
        )
    if report.diagnostics:
        parts.append(
            "\n".join(
                f"- **{item.code}** {item.name}: {item.message}{f' ({item.location})' if item.location else ''}"
                for item in report.diagnostics
            )
            + "\n"
        )
    return "\n".join(parts)


def _title(report: Report) -> str:
    if report.other is None:
        return f"`{report.target}`"
    old, new = side_words(report)
    return f"`{old}` → `{new}`"


def _fenced(text: str, language: str) -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in text.split() if set(run) == {"`"}), default=2))
    return f"{fence}{language}\n{text}{fence}\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
