"""Generated programs: each is refused with a code, or converted bit for bit with nothing of the text lost."""

# SEQIFY_EXAMPLES=5000 python -m pytest tests/test_generated.py   tries more of them, and others each time.

from __future__ import annotations

import ast
import io
import itertools
import os
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, reject, settings
from strategies import Program, programs
from torch import nn

import seqify
from seqify.diagnostics import RULES, Severity

_EXAMPLES = os.environ.get("SEQIFY_EXAMPLES")

settings.register_profile(
    "generated",
    max_examples=int(_EXAMPLES or 60),
    derandomize=_EXAMPLES is None,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)

_NUMBERS = itertools.count()


@settings(settings.get_profile("generated"))
@given(program=programs())
@pytest.mark.parametrize("layout", ["auto", "flat", "grouped", "function"])
def test_refused_or_converted_bit_for_bit(
    layout: str, program: Program, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # one folder for all: seqify leaves it on `sys.path`, as running a script would
    folder = tmp_path_factory.getbasetemp() / "generated"
    folder.mkdir(exist_ok=True)
    if not holds(program, layout, folder):
        reject()


@settings(settings.get_profile("generated"), max_examples=int(_EXAMPLES or 20))
@given(program=programs())
@pytest.mark.parametrize(("layout", "depth"), [("auto", 0), ("grouped", "full")])
def test_written_anew_or_refused(
    layout: str, depth: int | str, program: Program, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "generated"
    folder.mkdir(exist_ok=True)
    if not holds(program, layout, folder, "new", depth):
        reject()


def holds(program: Program, layout: str, folder: Path, source: str = "edit", depth: int | str = 0) -> bool:
    """Assert the property for one program; False when the comparison was found to prove nothing."""
    file = folder / f"generated_{next(_NUMBERS)}.py"
    file.write_text(program.text, encoding="utf-8")
    example = torch.randn(program.shape, generator=torch.Generator().manual_seed(0))
    try:
        report = seqify.convert(f"{file}:{program.build}", example, layout=layout, source=source, depth=depth)
    except seqify.SeqifyError as error:
        diagnostic = error.diagnostic
        assert diagnostic.code in RULES
        assert diagnostic.code not in ("SQ901", "SQ902"), str(error)
        assert diagnostic.location or diagnostic.help or RULES[diagnostic.code].help
        return True
    finally:
        sys.modules.pop(file.stem, None)
    if any(item.code == "SQ610" for item in report.diagnostics):
        return False
    failed = [item for item in report.diagnostics if item.severity is Severity.ERROR and item.code.startswith("SQ6")]
    assert report.status in ("equivalent", "unchanged"), failed
    if report.status == "unchanged":
        assert report.diff == ""
        return True
    assert report.checks
    assert all(check.bitwise for check in report.checks if check.name != "seed")
    # an initialisation that walks over modules() follows the order of registration
    seed = next((check for check in report.checks if check.name == "seed"), None)
    assert seed is None or seed.ok != any(item.code == "SQ407" for item in report.diagnostics)
    assert seed is None or seed.ok or source == "new" or "self.modules()" in program.text

    text = report.source
    ast.parse(text)
    assert apply_diff(program.text if source == "edit" else "", report.diff) == text
    if source == "edit":
        assert comments(program.text) - comments(text) == Counter()
    assert report.build is not None
    check_numbers(program, text, report)

    again = folder / f"generated_{next(_NUMBERS)}.py"
    again.write_text(text, encoding="utf-8")
    try:
        # a layer made under another name keeps "auto" from flat at first only: test_regressions.py has the program
        settled = report.layout if "made = " in program.text else layout
        second = seqify.convert(f"{again}:{report.build}", example, layout=settled, source="edit")
    finally:
        sys.modules.pop(again.stem, None)
    assert second.status == "unchanged", second.diff
    return True


def comments(text: str) -> Counter[str]:
    """Every comment, and how often it occurs."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return Counter(token.string for token in tokens if token.type == tokenize.COMMENT)


def apply_diff(old: str, diff: str) -> str:
    """
    What `patch` makes of a text: each context line and each removed line has to be there.

    Raises:
        AssertionError: the diff does not fit.
    """
    lines, result, position = old.splitlines(keepends=True), [], 0
    rows = iter(diff.splitlines(keepends=True)[2:])
    left = right = 0
    for row in rows:
        if left == right == 0:
            match = re.fullmatch(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@\n", row)
            assert match, row
            left, right = (int(match[group]) if match[group] else 1 for group in (2, 4))
            start = int(match[1]) - (1 if left else 0)
            result += lines[position:start]
            position = start
            assert len(result) == int(match[3]) - (1 if right else 0)
            continue
        sign, content = row[0], row[1:]
        if sign in " -":
            assert lines[position] == content, (lines[position], content)
            position, left = position + 1, left - 1
        if sign in " +":
            result.append(content)
            right -= 1
        assert sign in " -+", row
    assert left == right == 0
    return "".join(result + lines[position:])


def execute(text: str, build: str) -> nn.Module:
    """The module that an expression gives in a text, under a fixed seed."""
    names: dict[str, Any] = {"__name__": "generated"}
    exec(compile(text, "<generated>", "exec"), names)
    torch.manual_seed(3)
    found = eval(build, names)
    module: nn.Module = found if isinstance(found, nn.Module) else found()
    return module


def check_numbers(program: Program, text: str, report: Any) -> None:
    """Compare the two programs without any of seqify's own means."""
    old, new = execute(program.text, program.build), execute(text, report.build)
    keys: Mapping[str, str] = report.keymap.keys
    state = old.state_dict()
    assert set(keys) == set(new.state_dict())
    assert sorted(keys.values()) == sorted(state)
    if not any(item.code == "SQ407" for item in report.diagnostics):
        same = all(torch.equal(value, state[keys[key]]) for key, value in new.state_dict().items())
        assert same, "the seed builds others"
    generator = torch.Generator().manual_seed(5)
    for value in state.values():
        if value.is_floating_point():
            value.add_(torch.rand(value.shape, generator=generator) * 0.3)
    new.load_state_dict({key: state[keys[key]] for key in new.state_dict()}, strict=True)
    stricter = any(item.code == "SQ302" for item in report.diagnostics)
    for training in (False, True):
        for shape in (program.shape, *program.others):
            value = torch.randn(shape, generator=torch.Generator().manual_seed(9))
            left, right = (call(module.train(training), value) for module in (old, new))
            if isinstance(left, Exception):
                assert type(left) is type(right)
            elif isinstance(right, Exception):
                assert stricter, right
            else:
                assert equal(left, right), (training, shape)
    if report.layout != "function" and report.path is not None:
        for name in program.methods:
            left, right = (read(module, name) for module in (old, new))
            assert equal(left, right), name


def call(module: nn.Module, value: torch.Tensor) -> Any:
    """What a module answers, or the exception that it raises."""
    torch.manual_seed(1)
    try:
        return module(value.clone())
    except Exception as error:
        return error


def read(module: nn.Module, name: str) -> Any:
    found = getattr(module, name)
    return found() if callable(found) and not isinstance(found, torch.Tensor) else found


def equal(left: Any, right: Any) -> bool:
    """Whether two outputs have the same structure and the same bits."""
    if isinstance(left, torch.Tensor):
        return (
            isinstance(right, torch.Tensor)
            and left.shape == right.shape
            and left.dtype == right.dtype
            and torch.equal(left.detach().view(torch.int32), right.detach().view(torch.int32))
        )
    return type(left) is type(right) and len(left) == len(right) and all(map(equal, left, right))
