"""Fixtures and options that all tests share."""

from __future__ import annotations

import dataclasses
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from seqify.chains import Chains, find_chains
from seqify.classes import ClassSource, find_class
from seqify.flow import Flow
from seqify.inputs import from_values
from seqify.load import load_target
from seqify.observe import observe
from seqify.ops import Words
from seqify.plan import is_plain
from seqify.source import read_source

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
from models import define_torchvision_operators

torch.set_num_threads(1)  # the models are tiny and the tests run side by side
TORCHVISION = define_torchvision_operators()  # the definitions last as long as this object


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", default=False, help="write the golden files anew")


def pytest_report_header() -> str:
    return f"torch: {torch.__version__}"


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(autouse=True)
def manual_seed_zero() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def imports_restored() -> Iterator[None]:
    """Undo what importing a user's file does to the interpreter."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if "pytest-of-" in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """`write(text, name="model.py")` puts dedented text into a file of the test's own folder and gives its path."""

    def write_text(text: str, name: str = "model.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    return write_text


@dataclasses.dataclass(frozen=True)
class Look:
    """What the reading stages see of the class `Net` in a file."""

    path: Path
    module: nn.Module
    cls: ClassSource
    flow: Flow
    words: Words
    chains: Chains

    @property
    def targets(self) -> list[str]:
        """The recorded calls, without the namespaces they are found in."""
        return [step.target.removeprefix("torch.").removeprefix("nn.functional.") for step in self.flow.steps]

    @property
    def lines(self) -> list[list[str]]:
        """The chains, each layer by its attribute or its constructor."""
        return [
            [layer.attribute or f"{layer.callee}({layer.arguments})" for layer in chain.layers]
            for chain in self.chains.chains
        ]

    @property
    def breaks(self) -> list[tuple[str, str]]:
        return [(item.code, item.message) for item in self.chains.breaks]


@pytest.fixture
def look(write: Callable[..., Path]) -> Callable[..., Look]:
    """`look(text, *inputs)` loads the class `Net` of a text, records its forward on the inputs and finds its chains."""

    def look_at(text: str, *inputs: Any) -> Look:
        path = write(HEADER + textwrap.dedent(text))
        model = load_target(f"{path}:Net")
        assert model.module is not None
        cls = find_class(read_source(str(path)), "Net", dict(vars(model.module)), None)
        assert cls is not None
        flow = observe(model.instance, from_values(model.instance, inputs))
        words = Words(cls, {name: value for name, value in vars(model.instance).items() if is_plain(value)})
        return Look(path, model.instance, cls, flow, words, find_chains(flow, cls, words, model.instance))

    return look_at


HEADER = """\
import math
import torch
import torch.nn.functional as F
from torch import nn
"""
