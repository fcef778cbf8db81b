"""A report as Markdown: for notebooks and job summaries."""

from __future__ import annotations

from seqify.render.words import check_rows, headline, input_words, verdict_words
from seqify.report import Report

__all__ = ["render_markdown"]


def render_markdown(report: Report) -> str:
    """Verdict, checks, diff, key table and diagnostics."""
    parts = [f"### `{report.target}`\n\n**{verdict_words(report)}**\n"]
    if report.chains:
        parts.append(f"{headline(report)}  \ninput: {input_words(report)}\n")
    rows = check_rows(report.checks)
    if rows:
        table = ["| | check | device | mode | result |", "|---|---|---|---|---|"]
        table += [
            f"| {'✓' if ok else '✗'} | {name} | {device} | {modes} | {_cell(words)} |"
            for ok, name, device, modes, words in rows
        ]
        parts.append("\n".join(table) + "\n")
    if report.diff:
        fence = "`" * max(3, 1 + max((len(run) for run in report.diff.split() if set(run) == {"`"}), default=2))
        parts.append(f"{fence}diff\n{report.diff}{fence}\n")
    if report.keymap is not None and report.keymap.renamed:
        table = ["| old | new |", "|---|---|"]
        table += [f"| `{old}` | `{new}` |" for new, old in report.keymap.renamed.items()]
        parts.append(
            f"<details><summary>{len(report.keymap.renamed)} keys renamed</summary>\n\n"
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


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
