"""Unified diffs."""

from __future__ import annotations

import random
import subprocess

import pytest

from seqify.diff import unified_diff

LETTERS = "".join(f"{letter}\n" for letter in "abcdefghijklmnop")


def patched(old: str, diff: str, tmp_path) -> str:
    """What `git apply` makes of a text."""
    (tmp_path / "model.py").write_bytes(old.encode())
    subprocess.run(
        ["git", "apply", "--unidiff-zero", "--whitespace=nowarn", "-"],
        input=diff.encode(), cwd=tmp_path, check=True, env={"GIT_CEILING_DIRECTORIES": str(tmp_path.parent), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    return (tmp_path / "model.py").read_bytes().decode()


def test_equal_texts():
    assert unified_diff(LETTERS, LETTERS, "model.py") == ""


def test_one_line():
    assert unified_diff(LETTERS, LETTERS.replace("h", "H"), "model.py") == (
        "--- a/model.py\n+++ b/model.py\n@@ -5,7 +5,7 @@\n e\n f\n g\n-h\n+H\n i\n j\n k\n"
    )


def test_two_places_are_two_hunks():
    diff = unified_diff(LETTERS, LETTERS.replace("b\n", "").replace("o", "O"), "model.py")

    assert [line for line in diff.splitlines() if line.startswith("@@")] == ["@@ -1,5 +1,4 @@", "@@ -12,5 +11,5 @@"]


@pytest.mark.parametrize(("old", "new"), [("a", "b"), ("a\n", "a"), ("a", "a\n"), ("a\nb", "a\nc")])
def test_a_missing_newline_at_the_end(tmp_path, old, new):
    diff = unified_diff(old, new, "model.py")

    assert "\\ No newline at end of file" in diff
    assert patched(old, diff, tmp_path) == new


@pytest.mark.parametrize(("old", "new"), [("", "a\nb\n"), ("a\n", "")])
def test_empty_sides(old, new):
    diff = unified_diff(old, new, "model.py")

    assert [line[0] for line in diff.splitlines()[3:]] == ["+", "+"] if new else ["-"]


def test_methods_stay_with_their_names():
    """Lines that occur once are matched first; the blank and closing lines between them do not pull blocks apart."""
    old = "def a():\n    x = 1\n    return x\n\ndef b():\n    x = 2\n    return x\n"
    new = "def b():\n    x = 2\n    return x\n"
    diff = unified_diff(old, new, "model.py")

    assert [line for line in diff.splitlines()[3:] if line[0] in "+-"] == [
        "-def a():", "-    x = 1", "-    return x", "-",
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_a_diff_applies(tmp_path, seed):
    generator = random.Random(seed)
    old = [f"{generator.randrange(12)}\n" for _ in range(generator.randrange(1, 60))]
    new = [line for line in old if generator.random() > 0.2]
    for _ in range(generator.randrange(6)):
        new.insert(generator.randrange(len(new) + 1), f"new {generator.randrange(4)}\n")
    old_text, new_text = "".join(old), "".join(new)
    diff = unified_diff(old_text, new_text, "model.py")
    if diff:
        assert patched(old_text, diff, tmp_path) == new_text


def test_windows_newlines_are_kept(tmp_path):
    old = LETTERS.replace("\n", "\r\n")
    new = old.replace("h", "H")

    assert patched(old, unified_diff(old, new, "model.py"), tmp_path) == new


def test_a_form_feed_ends_no_line(tmp_path):
    old = "a = 1\n\x0cb = 2\nc = '\u2028'\n"
    new = old.replace("2\n", "3\n")

    assert patched(old, unified_diff(old, new, "model.py"), tmp_path) == new


def test_long_texts_without_unique_lines_are_replaced(tmp_path):
    old, new = "x\ny\n" * 2000, "y\nx\n" * 2000

    assert patched(old, unified_diff(old, new, "model.py"), tmp_path) == new
