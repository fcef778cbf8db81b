"""Conversions compared byte for byte: each file of `golden` holds an input and what has to come of it."""

# ---- input (Net, 2,3,8,8)              the target and its inputs, separated by `; `; crlf behind them for such line ends
# ...the user's file...
# ---- output (layout: grouped)          and again for each layout, or `refused` with the diagnostic that stopped it
# ...the converted file...

from __future__ import annotations

import re
from pathlib import Path

import pytest

import seqify

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(GOLDEN.glob("*.py"))


def sections(text: str) -> list[tuple[str, str, str]]:
    """A case's parts: what it is, the words in brackets, and the text."""
    parts = re.split(r"^# ---- (\w+) \((.*)\)\n", text, flags=re.MULTILINE)
    assert parts[0] == "", "a case starts with `# ---- input (TARGET, INPUTS)`"
    return [(parts[index], parts[index + 1], parts[index + 2]) for index in range(1, len(parts), 3)]


def converted(path: Path, build: str, inputs: list[str], layout: str) -> tuple[str, str]:
    """What the section of a layout is called, and its text."""
    try:
        report = seqify.convert(f"{path}:{build}", inputs, layout=layout, source="edit")
    except seqify.Refusal as error:
        item = error.diagnostic
        place = f"{item.location.row}:{item.location.column} " if item.location else ""
        return "refused", f"# {place}{item.code} {item.name}: {item.message}\n"
    assert report.status == "equivalent", report.diagnostics
    told = {item.code for item in report.diagnostics}
    assert all(check.bitwise or (check.name == "seed" and "SQ407" in told) for check in report.checks)
    return "output", report.source


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_golden(case: Path, tmp_path: Path, update_golden: bool) -> None:
    (_, header, text), *expected = sections(case.read_text(encoding="utf-8"))
    build, *inputs = header.removesuffix(", crlf").split(", ", 1)
    inputs = inputs[0].split("; ") if inputs else []
    newline = "\r\n" if header.endswith(", crlf") else "\n"
    path = tmp_path / "model.py"
    path.write_bytes(text.replace("\n", newline).encode())
    layouts = [words.removeprefix("layout: ") for _, words, _ in expected]
    actual = []
    for layout in layouts:
        what, result = converted(path, build, inputs, layout)
        if what == "output":
            assert result.count("\r\n") == (result.count("\n") if newline == "\r\n" else 0)
        actual.append((what, f"layout: {layout}", result.replace("\r\n", "\n")))
    if update_golden:
        parts = [("input", header, text), *actual]
        case.write_text("".join(f"# ---- {what} ({words})\n{body}" for what, words, body in parts), encoding="utf-8")
        return

    assert expected == actual


def test_there_are_cases() -> None:
    assert len(CASES) >= 25
