"""Lines of expressions, as a formatter leaves them."""

from __future__ import annotations

from pathlib import Path
from subprocess import run
from sys import executable

import pytest

from seqify.emit.layout import Node, call, join, quoted

LONG = call(
    "Block", [Node("in_channels" * 4), Node("out_channels" * 4)], {"norm": Node("nn.BatchNorm2d"), "n": Node("1")}
)


def test_one_line_while_there_is_room() -> None:
    node = call("f", [Node("1")], {"b": Node("(", (Node("2"),), ")", lone=",")})

    assert node.lay_out(0) == node.flat == "f(1, b=(2,))"


def test_one_argument_a_line() -> None:
    expected = f"Block(\n        {'in_channels' * 4},\n        {'out_channels' * 4},\n        norm=nn.BatchNorm2d,\n        n=1,\n    )"

    assert expected == LONG.lay_out(4)


def test_a_sole_argument_takes_no_comma() -> None:
    assert call("g", [LONG]).lay_out(0).endswith("    )\n)")


def test_lead_and_trail_count() -> None:
    node = call("f", [Node("x" * 50), Node("y" * 50)])

    assert "\n" not in node.lay_out(0, lead=5)
    assert "\n" in node.lay_out(0, lead=6)
    assert "\n" in node.lay_out(0, lead=5, trail=1)


def test_a_comprehension_over_lines() -> None:
    node = Node("*[", (LONG, Node("for _ in range(3)")), "]", separator="")

    assert node.flat.endswith(", n=1) for _ in range(3)]")
    assert node.lay_out(0).endswith("    )\n    for _ in range(3)\n]")


def test_names_that_are_no_keywords() -> None:
    assert (
        call("f", kwargs={"a": Node("1"), "class": Node("2"), "b-c": Node("3")}).flat
        == 'f(a=1, **{"class": 2, "b-c": 3})'
    )


@pytest.mark.parametrize(
    ("text", "source"),
    [("a", '"a"'), ("it's", '"it\'s"'), ('a "b"', "'a \"b\"'"), ("\n", '"\\n"'), ("'\"", "'\\'\"'"), ("\\", '"\\\\"')],
)
def test_quotes(text: str, source: str) -> None:
    assert quoted(text) == source
    assert eval(source) == text


def test_paths() -> None:
    assert (join("", "a"), join("a", "0")) == ("a", "a.0")


def test_ruff_leaves_it_as_it_is(tmp_path: Path) -> None:
    rows = Node(
        "nn.Sequential(",
        (LONG, Node("nn.ReLU()"), Node("*[", (LONG, Node("for _ in range(3)")), "]", separator="")),
        ")",
        rows=True,
    )
    listed = call("OrderedDict", [Node("[", (Node("(", (Node('"a"'), rows), ")"),), "]")])
    file = tmp_path / "model.py"
    text = "".join(f"x = {node.lay_out(0, lead=4)}\n" for node in (LONG, rows, listed, call("f", kwargs={"a": rows})))
    file.write_text(text)

    run([executable, "-m", "ruff", "format", "--line-length", "110", str(file)], check=True, capture_output=True)

    assert file.read_text() == text
