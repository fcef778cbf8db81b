"""The script that shows a difference: it is run, and says what the report says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seqify.report import Report
from seqify.verification import compare_opened, open_here

HEADER = """
    import torch
    import torch.nn.functional as F
    from torch import nn


    class Net(nn.Module):
"""
PLAIN = """
        def __init__(self, width=3):
            super().__init__()
            self.fc1, self.bn, self.fc2 = nn.Linear(4, width), nn.BatchNorm1d(width), nn.Linear(width, 2)

        def forward(self, x):
            return self.fc2(F.relu(self.bn(self.fc1(x))))
"""
TOKENS = """
        def __init__(self):
            super().__init__()
            self.table, self.fc = nn.Embedding(20, 4), nn.Linear(4, 2)

        def forward(self, ids, mask):
            x = self.table(ids) * mask.unsqueeze(-1)
            return {"logits": [self.fc(x)], "mean": x.mean(1)}
"""


@pytest.fixture
def verify(write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Report]:
    """`verify(old, new, *inputs)` compares the class `Net` of two texts, in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # two texts of one size, in one second

    def compare(old: str, new: str, *inputs: str, **options: Any) -> Report:
        write(HEADER + old, "old.py")
        write(HEADER + new, "new.py")
        sides = open_here("old.py:Net"), open_here("new.py:Net")
        return compare_opened(*sides, list(inputs), devices=["cpu"], dtypes=[torch.float32], **options)

    return compare


def run(script: str) -> list[str]:
    """What the script prints, in the working folder."""
    done = subprocess.run([sys.executable, "-"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("before", "after", "part", "tensor"),
    [
        ("F.relu(", "F.gelu(", "forward", "output"),
        ("self.fc1(x)", "(self.fc1(x) / 2 + self.fc1(x).detach() / 2)", "gradients", "fc1.weight"),
        ("self.fc1(x)", "self.fc1(x / 2 + x.detach() / 2)", "input gradients", "x"),
        ("nn.BatchNorm1d(width)", "nn.BatchNorm1d(width, momentum=0.2)", "buffers", "bn.running_mean"),
    ],
)
def test_it_shows_the_same_number(verify, before, after, part, tensor):
    report = verify(PLAIN, PLAIN.replace(before, after), "8,4")
    first = next(item for item in report.checks if item.name == part and not item.ok)
    told = [re.fullmatch(r"(.+) differs by up to (.+)", line) for line in run(report.repro)]

    assert (report.status, first.note) == ("different", f"first in `{tensor}`")
    assert told[0] is not None and told[0][1] == tensor
    greatest = max(float(match[2]) for match in told if match is not None)
    # the report has the greatest of all tensors, the script that of the first
    assert greatest == pytest.approx(first.max_abs, rel=0.01) or (part == "buffers" and 0 < greatest < first.max_abs)
    assert "seqify" not in report.repro.split('"""')[2]
    assert len([line for line in report.repro.splitlines() if line.strip()]) <= 60, report.repro


def test_names_are_mapped(verify):
    new = PLAIN.replace("self.fc1, self.bn, self.fc2 =", "self.first, self.norm, self.last =").replace(
        "return self.fc2(F.relu(self.bn(self.fc1(x))))", "return self.last(torch.tanh(self.norm(self.first(x))))"
    )
    report = verify(PLAIN, new, "8,4")

    assert "RENAMED = {'first': 'fc1', 'norm': 'bn', 'last': 'fc2'}" in report.repro
    assert run(report.repro)[0].startswith("output differs by up to ")


def test_structures_and_whole_numbers(verify):
    new = TOKENS.replace("self.fc(x)", "self.fc(x) * 1.5")
    report = verify(TOKENS, new, "ids=int64:4,6", "mask=bool:4,6")

    assert "count((4, 6), torch.int64, 2)" in report.repro
    assert run(report.repro)[0].startswith("output['logits'][0] differs by up to ")


def test_a_difference_along_an_axis(verify):
    """In one type, at one size or after some steps alone."""
    new = PLAIN.replace("return self.fc2", "return (2 if len(x) == 1 else 1) * self.fc2")
    report = verify(PLAIN, new, "8,4")
    assert "{'x': fit(draw((8, 4), torch.float32), (1, 4))}" in report.repro
    assert "output differs" in run(report.repro)[0]

    new = PLAIN.replace("return self.fc2", "return (2 if x.dtype == torch.bfloat16 else 1) * self.fc2")
    report = verify(PLAIN, new, "8,4")
    assert 'to("cpu", torch.bfloat16)' in report.repro
    assert "output differs" in run(report.repro)[0]


def test_a_difference_at_other_magnitudes(verify):
    """Where no number is above 40, a bound of 40 is none."""
    report = verify(
        PLAIN, PLAIN.replace("F.relu(self.bn(self.fc1(x)))", "F.hardtanh(self.bn(self.fc1(x)), 0, 40)"), "8,4"
    )

    assert "other magnitudes" in report.repro or "item.data *= " in report.repro
    assert "output differs" in " ".join(run(report.repro))


def test_values_that_were_given(verify):
    new = PLAIN.replace("F.relu(", "F.gelu(")
    report = verify(PLAIN + "\n\n    def seqify_inputs():\n        return torch.tensor([[0.5, 1, 2, 3]] * 2)\n", new)
    assert "torch.tensor([[0.5, 1.0, 2.0, 3.0], [0.5, 1.0, 2.0, 3.0]], dtype=torch.float32)" in report.repro
    assert "output differs" in run(report.repro)[0]


@pytest.mark.parametrize(
    "new",
    [PLAIN, PLAIN.replace("return self", "raise ValueError('bad')\n            return self"), PLAIN.replace("width=3", "width=5")],
    ids=["same", "raises", "shapes"],
)  # fmt: skip
def test_without_a_number_that_differs_there_is_none(verify, new):
    assert verify(PLAIN, new, "8,4").repro == ""
