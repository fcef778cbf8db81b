"""Source text and edits to it."""

from __future__ import annotations

import ast
import linecache

import pytest

from seqify.errors import CannotAsk
from seqify.source import Edit, SourceFile, apply_edits, read_source


def expressions(source: SourceFile, kind: type[ast.expr]) -> list[str]:
    return [source.segment(node) for node in ast.walk(source.tree) if isinstance(node, kind)]


@pytest.mark.parametrize(
    ("data", "encoding", "text"),
    [
        (b"x = 1\n", "utf-8", "x = 1\n"),
        ("x = 'ä'\n".encode(), "utf-8", "x = 'ä'\n"),
        (b"\xef\xbb\xbfx = 1\n", "utf-8-sig", "x = 1\n"),
        (b"# coding: latin-1\nx = '\xe4'\n", "iso-8859-1", "# coding: latin-1\nx = 'ä'\n"),
        (b"x = 1\r\ny = 2\r\n", "utf-8", "x = 1\r\ny = 2\r\n"),
        (b"", "utf-8", ""),
    ],
)
def test_read_source_keeps_encoding_and_newlines(tmp_path, data, encoding, text):
    path = tmp_path / "model.py"
    path.write_bytes(data)
    source = read_source(str(path))

    assert source.encoding == encoding
    assert source.text == text
    assert source.encode(source.text) == data


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(CannotAsk) as error:
        read_source(str(tmp_path / "model.py"))

    assert error.value.diagnostic.code == "SQ003"
    assert error.value.diagnostic.message == f"cannot read `{tmp_path}/model.py` (No such file or directory)"


@pytest.mark.parametrize("data", [b"def f(:\n", b"# coding: utf-8\nx = '\xff'\n", b"# coding: nonsense\n"])
def test_a_file_that_is_not_python(tmp_path, data):
    path = tmp_path / "model.py"
    path.write_bytes(data)

    with pytest.raises(CannotAsk, match="SQ003 import-failed: not valid Python"):
        read_source(str(path))


def test_a_syntax_error_has_its_row(tmp_path):
    path = tmp_path / "model.py"
    path.write_text("x = 1\ndef f(:\n")

    with pytest.raises(CannotAsk) as error:
        read_source(str(path))

    assert error.value.diagnostic.location is not None
    assert error.value.diagnostic.location.row == 2


def test_a_notebook_cell_is_found():
    name = "<ipython-input-1-seqify>"
    linecache.cache[name] = (6, None, ["x = 1\n"], name)
    try:
        assert read_source(name).text == "x = 1\n"
    finally:
        del linecache.cache[name]


def test_segments_are_cut_by_bytes_that_are_read_as_characters():
    """`ast` counts columns in UTF-8 bytes."""
    source = SourceFile("model.py", "é = 'ü'; f('→', g(x))  # naïve\n")

    assert expressions(source, ast.Call) == ["f('→', g(x))", "g(x)"]


def test_segments_over_several_rows():
    source = SourceFile("model.py", "f(\r\n    'ü', g(x)\r\n)\r\n")

    assert expressions(source, ast.Call) == ["f(\r\n    'ü', g(x)\r\n)", "g(x)"]


def test_locations_count_characters_from_one():
    source = SourceFile("model.py", "é = 'ü'; f(x)\n")
    call = next(node for node in ast.walk(source.tree) if isinstance(node, ast.Call))
    place = source.location(call)

    assert (place.row, place.column, place.end_row, place.end_column) == (1, 10, 1, 14)


def test_rows():
    source = SourceFile("model.py", "a = 1\r\n  b = 2\n\nc")

    assert [source.row_text(row) for row in range(1, source.last_row + 1)] == ["a = 1", "  b = 2", "", "c"]
    assert [source.indent(row) for row in range(1, 5)] == ["", "  ", "", ""]
    assert source.row_start(99) == len(source.text)
    assert [source.row_of(offset) for offset in (0, 6, 7, 14, 15, 16)] == [1, 1, 2, 2, 3, 4]


@pytest.mark.parametrize(("text", "newline"), [("a\n", "\n"), ("a\r\n", "\r\n"), ("a", "\n")])
def test_newline(text, newline):
    assert SourceFile("model.py", text).newline == newline


def test_a_row_ends_at_a_newline_alone():
    """A form feed or a line separator in a string ends no row for Python, and none here."""
    source = SourceFile("model.py", "a = '\u2028'\n\x0cb = f(1)\n")

    assert expressions(source, ast.Call) == ["f(1)"]


def test_comments():
    source = SourceFile("model.py", "# top\nx = '# no'  # yes \n    # in\n")

    assert [(item.row, item.text, item.alone) for item in source.comments.values()] == [
        (1, "# top", True),
        (2, "# yes", False),
        (3, "# in", True),
    ]
    assert source.text[source.comments[2].start :].startswith("# yes")
    assert [item.text for item in source.comments_between(0, source.row_start(3))] == ["# top", "# yes"]
    assert [item.text for item in source.comments_between(3, source.row_start(3))] == ["# yes"]


def test_edits_apply_in_the_order_of_the_text():
    source = SourceFile("model.py", "abcdef")

    assert apply_edits(source, [Edit(4, 5, "E"), Edit(0, 1, "A"), Edit(2, 2, "-")]) == "Ab-cdEf"


def test_insertions_at_one_place_keep_their_order():
    assert apply_edits(SourceFile("model.py", "ab"), [Edit(1, 1, "1"), Edit(1, 1, "2")]) == "a12b"


def test_an_insertion_before_a_replacement():
    assert apply_edits(SourceFile("model.py", "ab"), [Edit(0, 1, "A"), Edit(0, 0, "-")]) == "-Ab"


def test_new_lines_take_the_newline_of_the_file():
    assert apply_edits(SourceFile("model.py", "a\r\n"), [Edit(3, 3, "b\nc\r\n")]) == "a\r\nb\r\nc\r\n"


def test_overlapping_edits_are_a_bug():
    with pytest.raises(AssertionError, match="edits overlap"):
        apply_edits(SourceFile("model.py", "abc"), [Edit(0, 2, ""), Edit(1, 3, "")])


def test_no_edits_change_nothing():
    text = "a\r\nb\n\tc"

    assert apply_edits(SourceFile("model.py", text), []) == text
