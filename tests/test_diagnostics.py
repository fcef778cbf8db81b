"""The table of codes, and what a diagnostic says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import seqify
from seqify import diagnostics
from seqify.diagnostics import RULES, Diagnostic, Location, Severity

PACKAGE = Path(seqify.__file__).parent
ROWS = diagnostics._TABLE.strip().splitlines()


def used() -> dict[str, set[str]]:
    """Every code that is named in the package outside the table, with the files that name it."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8").replace(diagnostics._TABLE, "")
        for code in re.findall(r"\"(SQ\d{3})\"", text):
            found.setdefault(code, set()).add(path.name)
    return found


def test_codes_are_unique_and_sorted():
    codes = [row.split()[0] for row in ROWS]

    assert codes == sorted(set(codes))
    assert list(RULES) == codes


def test_names_are_unique():
    assert len({rule.name for rule in RULES.values()}) == len(RULES)


@pytest.mark.parametrize("code", RULES)
def test_a_row_is_well_formed(code):
    rule = RULES[code]

    assert re.fullmatch(r"SQ[0-69]\d\d", code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name)
    assert rule.summary and rule.help
    assert not rule.summary.endswith(".") and not rule.help.endswith(".")
    assert not rule.summary[0].isupper() and not rule.help[0].isupper()


def test_every_code_that_is_used_is_in_the_table():
    assert set(used()) <= set(RULES)


def test_every_code_of_the_table_is_used():
    assert sorted(set(RULES) - set(used())) == []


def test_messages_are_lower_case_without_a_full_stop():
    """As far as the source shows them: names and code may begin as they like."""
    for path in PACKAGE.rglob("*.py"):
        for message in re.findall(r'Diagnostic\(\s*"SQ\d{3}",\s*f?"([^"]+)"', path.read_text(encoding="utf-8")):
            assert not message.endswith("."), message
            assert message[0].islower() or message[0] in "`{", message


def test_a_diagnostic_takes_name_and_severity_from_the_table():
    item = Diagnostic("SQ302", "message")

    assert (item.name, item.severity) == ("view-regroups-batch", Severity.WARNING)
    assert Diagnostic("SQ302", "message", level=Severity.ERROR).severity is Severity.ERROR


def test_an_unknown_code_has_no_name():
    with pytest.raises(KeyError):
        Diagnostic("SQ999", "message").name  # noqa: B018


@pytest.mark.parametrize(
    ("filename", "shown"),
    [("{here}/a/model.py", "a/model.py"), ("{here}/../model.py", None), ("<stdin>", "<stdin>"), ("model.py", "model.py")],
)  # fmt: skip
def test_a_file_is_shown_from_the_working_folder(tmp_path, monkeypatch, filename, shown):
    monkeypatch.chdir(tmp_path)
    filename = filename.replace("{here}", str(tmp_path))

    assert Location(filename, 3, 5).shown == (shown or filename)
    assert str(Location(filename, 3, 5)) == f"{shown or filename}:3:5"
