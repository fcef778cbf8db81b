"""Targets as the user names them."""

from __future__ import annotations

import pytest

from seqify.errors import CannotAsk
from seqify.target import parse_target


@pytest.mark.parametrize(
    ("text", "path", "module", "name", "arguments"),
    [
        ("model.py:Net", "model.py", None, "Net", "()"),
        ("a/b c/model.py:Net", "a/b c/model.py", None, "Net", "()"),
        ("/abs/model.py:Net", "/abs/model.py", None, "Net", "()"),
        (r"C:\models\net.py:Net", r"C:\models\net.py", None, "Net", "()"),
        ("../model.py:Outer.Net", "../model.py", None, "Outer.Net", "()"),
        ("package.module:Net", None, "package.module", "Net", "()"),
        ("module:Net", None, "module", "Net", "()"),
        ("model.py:Net()", "model.py", None, "Net", "()"),
        ("model.py:Net(width=64)", "model.py", None, "Net", "(width=64)"),
        ("model.py:ResNet(BasicBlock, [2, 2])", "model.py", None, "ResNet", "(BasicBlock, [2, 2])"),
        ("model.py:Net (num_classes = 10)", "model.py", None, "Net", "(num_classes = 10)"),
        ("  model.py: Net  ", "model.py", None, "Net", "()"),
        ("model.py:Net('a:b.py:c')", "model.py", None, "Net", "('a:b.py:c')"),
        ("größe.py:Größe", "größe.py", None, "Größe", "()"),
    ],
)
def test_parse_target(text, path, module, name, arguments):
    target = parse_target(text)

    assert (target.path, target.module, target.name, target.arguments) == (path, module, name, arguments)
    assert target.text == text.strip()
    assert (target.call is not None) == ("(" in text)


@pytest.mark.parametrize(
    "text",
    ["", "model.py", "model.py:", ":Net", "model.py:Net(", "model.py:1", "model.py:Net()()", "model.py:Net[0]",
     "model.py:lambda: 1", "model.p y:Net", "model.py:a b", "1module:Net", "model.py:f().Net"],
)  # fmt: skip
def test_what_is_no_target(text):
    with pytest.raises(CannotAsk) as error:
        parse_target(text)

    diagnostic = error.value.diagnostic
    assert (diagnostic.code, diagnostic.message) == ("SQ001", f"`{text}` is not a target")
    assert diagnostic.help == "write `path/model.py:Net`, `package.module:Net` or `model.py:Net(num_classes=10)`"
