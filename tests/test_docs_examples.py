"""The examples of `docs/pull-requests.md` and the files beside it: they parse, and the commands in them exist."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from pathlib import Path

import click
import pytest

from seqify.cli import main
from seqify.config import read_config
from seqify.diagnostics import RULES

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "pull-requests.md").read_text(encoding="utf-8")
EXAMPLES = {path.name: path.read_text(encoding="utf-8") for path in sorted((DOCS / "examples").iterdir())}


def blocks(language: str) -> list[str]:
    """The fenced blocks of the page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    """Every command line of the page, indented or between backticks, and of the example files."""
    found = re.findall(r"^ {4}(seqify .+)$", PAGE, re.MULTILINE) + re.findall(r"`(seqify [^`\n]+)`", PAGE)
    for text in EXAMPLES.values():
        found += re.findall(r"^[ -]*(?:run|entry): (seqify .+)$", text, re.MULTILINE)
    return list(dict.fromkeys(found))


def test_the_commands_are_found():
    names = [line.split()[1] for line in commands()]

    assert names.count("verify") >= 5
    assert any("--summary" in line for line in commands())
    assert "seqify verify --base HEAD" in commands()


@pytest.mark.parametrize("line", commands())
def test_a_command_is_accepted(line):
    """By the parser of its options; it is not run."""
    line = re.sub(r"\$\{\{.*?\}\}", "main", line)
    _, name, *arguments = shlex.split(line)

    assert name in main.commands, f"seqify has no command `{name}`"
    try:
        main.commands[name].make_context(name, arguments).close()
    except click.ClickException as error:
        raise AssertionError(f"{line}: {error.format_message()}") from None


def test_the_page_holds_the_example_files():
    assert set(EXAMPLES) == {"seqify.yml", "pre-commit-config.yaml"}
    assert sorted(EXAMPLES.values()) == sorted(blocks("yaml"))
    for name in EXAMPLES:
        assert f"(examples/{name})" in PAGE


def test_the_workflow():
    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load(EXAMPLES["seqify.yml"])
    steps = workflow["jobs"]["verify"]["steps"]

    assert workflow[True] == "pull_request"  # YAML 1.1 has `on` for true
    assert workflow["permissions"] == {"contents": "read"}
    assert [step.get("uses", "").partition("@")[0] for step in steps[:2]] == [
        "actions/checkout",
        "actions/setup-python",
    ]
    assert steps[0]["with"]["fetch-depth"] == 0
    assert steps[1]["with"]["python-version"] == "3.11"
    assert all(set(step) <= {"uses", "with", "run", "name", "env"} for step in steps)
    assert steps[-1]["run"] in commands()


def test_the_pre_commit_hook():
    yaml = pytest.importorskip("yaml")
    (repository,) = yaml.safe_load(EXAMPLES["pre-commit-config.yaml"])["repos"]
    (hook,) = repository["hooks"]

    assert repository["repo"] == "local"
    assert {"id", "name", "entry", "language"} <= set(hook)
    assert hook["pass_filenames"] is False
    assert hook["entry"] in commands()


def test_the_settings(write, tmp_path):
    (text,) = blocks("toml")
    write(text, "pyproject.toml")
    config = read_config(tmp_path)

    assert [entry.target.text for entry in config.targets] == [
        "models/net.py:Net",
        "models/encoder.py:Encoder(layers=2)",
    ]
    assert [len(entry.inputs) for entry in config.targets] == [1, 2]


@pytest.mark.parametrize("text", blocks("python"))
def test_what_is_imported_exists(text):
    imported = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    names = [(node.module, alias.name) for node in imported for alias in node.names]
    ours = [(module, name) for module, name in names if module and module.split(".")[0] == "seqify"]

    assert ours
    for module, name in ours:
        assert hasattr(importlib.import_module(module), name)


def test_codes_and_links_exist():
    assert set(re.findall(r"SQ\d{3}", PAGE)) <= set(RULES)
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (DOCS / link).exists(), link
