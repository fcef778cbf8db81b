"""The project's settings."""

from __future__ import annotations

import pytest

from seqify.config import Config, read_config
from seqify.errors import CannotAsk
from seqify.target import parse_target


def test_the_nearest_file_counts(write, tmp_path):
    write("[tool.seqify]\nmin-length = 3\n", "pyproject.toml")
    write("[tool.seqify]\nmin-length = 4\n", "inner/pyproject.toml")
    (tmp_path / "outer").mkdir()

    assert read_config(tmp_path / "inner").min_length == 4
    assert read_config(tmp_path / "outer").min_length == 3
    assert read_config(tmp_path / "inner" / "model.py").min_length == 4
    assert read_config(tmp_path).root == tmp_path.resolve()


def test_a_file_without_settings(write, tmp_path):
    write("[project]\nname = 'x'\n", "pyproject.toml")

    assert read_config(tmp_path) == Config(tmp_path.resolve())


def test_inputs_for_a_target(write, tmp_path, monkeypatch):
    write(
        """
        [[tool.seqify.target]]
        target = "models/net.py:Net"
        inputs = ["8,3,32,32"]

        [[tool.seqify.target]]
        target = "package.net:Net"
        inputs = ["int64:4", "mask=bool:4"]
        """,
        "pyproject.toml",
    )
    config = read_config(tmp_path)
    monkeypatch.chdir(tmp_path)

    assert config.inputs_for(parse_target("models/net.py:Net")) == ("8,3,32,32",)
    assert config.inputs_for(parse_target(f"{tmp_path}/models/net.py:Net(width=3)")) == ("8,3,32,32",)
    assert config.inputs_for(parse_target("package.net:Net")) == ("int64:4", "mask=bool:4")
    assert config.inputs_for(parse_target("models/net.py:Other")) == ()
    assert config.inputs_for(parse_target("models/other.py:Net")) == ()
    assert Config().inputs_for(parse_target("models/net.py:Net")) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.seqify]\nminlength = 3\nzoo = 1\n", "unknown setting in `[tool.seqify]` (minlength, zoo)"),
        ("[tool.seqify]\nmin-length = 0\n", "`min-length` in `[tool.seqify]` is not a whole number above 0 (0)"),
        ("[tool.seqify]\nmin-length = 'two'\n", "`min-length` in `[tool.seqify]` is not a whole number above 0 (two)"),
        ("[[tool.seqify.target]]\ninputs = []\n",
         'each `[[tool.seqify.target]]` has `target = "..."` and `inputs = ["..."]`'),
        ("[[tool.seqify.target]]\ntarget = 'a.py:A'\ninputs = [1]\n",
         'each `[[tool.seqify.target]]` has `target = "..."` and `inputs = ["..."]`'),
    ],
)  # fmt: skip
def test_settings_of_the_wrong_form(write, tmp_path, text, message):
    path = write(text, "pyproject.toml")
    with pytest.raises(CannotAsk) as error:
        read_config(tmp_path)

    assert (error.value.diagnostic.code, error.value.diagnostic.message) == ("SQ001", message)
    assert error.value.diagnostic.location is not None
    assert error.value.diagnostic.location.filename == str(path.resolve())


@pytest.mark.parametrize(
    "text",
    [
        "[tool.seqify]\nmin-length = true\n",
        "[tool]\nseqify = 3\n",
        "[tool.seqify]\ntarget = 'model.py:Net'\n",
        "[[tool.seqify.target]]\ntarget = 'a.py:A'\ninputs = '8,3'\n",
        "[[tool.seqify.target]]\ntarget = 'a.py:A'\ninputs = 8\n",
    ],
)
def test_settings_of_a_form_nobody_expects(write, tmp_path, text):
    write(text, "pyproject.toml")
    with pytest.raises(CannotAsk, match="SQ001"):
        read_config(tmp_path)


def test_a_file_that_is_not_toml(write, tmp_path):
    write("[tool.seqify\n", "pyproject.toml")
    with pytest.raises(CannotAsk, match=r"pyproject.toml:1:1: SQ001 target-not-found: not valid TOML \("):
        read_config(tmp_path)


def test_a_target_of_the_wrong_form(write, tmp_path):
    write("[[tool.seqify.target]]\ntarget = 'nonsense'\n", "pyproject.toml")
    with pytest.raises(CannotAsk, match="`nonsense` is not a target"):
        read_config(tmp_path)
