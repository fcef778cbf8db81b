"""What is asked of two modules, and what it comes to."""

from __future__ import annotations

import json
import re

import pytest
import torch
from torch import nn

import seqify
from seqify.errors import CannotAsk, Refusal
from seqify.report import Report

X = torch.randn(4, 4)


class Old(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)))


class New(nn.Module):
    def __init__(self, slope: float = 0.0) -> None:
        super().__init__()
        self.body, self.head, self.slope = nn.Linear(4, 4), nn.Linear(4, 4), slope

    def forward(self, x):
        return self.head(torch.relu(self.body(x)))


def verify(old: nn.Module, new: nn.Module, inputs: object = X, **options) -> Report:
    return seqify.verify(old, new, inputs, devices=["cpu"], dtypes=[torch.float32], **options)


KEYS = {
    f"{new}.{kind}": f"{old}.{kind}"
    for new, old in (("body", "first"), ("head", "last"))
    for kind in ("weight", "bias")
}


def test_the_key_map_that_is_found():
    report = verify(Old(), New())
    assert report.keymap is not None

    assert (report.status, report.exit_code, report.matched) == ("equivalent", 0, "by call order and shape")
    assert dict(report.keymap.keys) == KEYS
    assert report.keymap.parameter_order == (0, 1, 2, 3)
    assert report.keymap.modules == {"body": "first", "head": "last"}
    report.raise_if_different()


def test_names_that_agree_are_the_same_tensors():
    assert verify(Old(), Old()).matched == "by name"


def test_a_key_map_that_is_given(tmp_path):
    """One that crosses the two layers is taken at its word."""
    crossed = {new: KEYS[other] for new, other in zip(KEYS, [*list(KEYS)[2:], *list(KEYS)[:2]], strict=True)}
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"keymap": crossed}))

    assert verify(Old(), New(), keymap=KEYS).status == "equivalent"
    report = verify(Old(), New(), keymap=path)
    assert (report.status, report.matched) == ("different", "as the key map says")


@pytest.mark.parametrize(
    ("keymap", "message"),
    [
        ({**KEYS, "body.bias": "gone"}, "the key map says `body.bias` is `gone`, and the old module has no such key"),
        ({}, "the key map says nothing of `body.weight`, and the old module has no such key"),
    ],
)
def test_a_key_map_of_something_else_is_no_difference(keymap, message):
    with pytest.raises(CannotAsk, match=f"SQ608 weights-unmatched: {re.escape(message)}"):
        verify(Old(), New(), keymap=keymap)


def test_a_checkpoint_is_compared_too(tmp_path):
    path = tmp_path / "old.pt"
    torch.save({"state_dict": {f"module.{key}": item for key, item in Old().state_dict().items()}}, path)
    report = verify(Old(), New(), checkpoint=path)

    assert report.status == "equivalent"
    assert "checkpoint" in {item.variant for item in report.checks}
    with pytest.raises(CannotAsk, match="SQ608 .* does not load into the old module: Missing key"):
        verify(New(), Old(), checkpoint=path)


def test_what_both_raise_on_is_no_difference():
    with pytest.raises(
        CannotAsk, match="SQ006 input-fails: the old model raises on this input in eval and train: RuntimeError: mat1"
    ):
        verify(Old(), New(), torch.randn(4, 5))


def test_a_difference_can_be_raised():
    class Other(New):
        def forward(self, x):
            return self.head(torch.tanh(self.body(x)))

    report = verify(Old(), Other())
    with pytest.raises(Refusal, match="SQ601 output-differs: call 2 is the first to differ: `relu` became `tanh`"):
        report.raise_if_different()
    found = next(item for item in report.diagnostics if item.code == "SQ601")
    assert found.location is not None and found.location.filename == __file__
    assert report.repro == ""  # of live modules nobody knows the files


def test_what_proves_nothing_can_be_raised():
    class Constant(Old):
        def forward(self, x):
            return torch.zeros(len(x), 2) + 0 * self.last(self.first(x)).sum()

    report = verify(Constant(), Constant())

    assert (report.status, report.exit_code) == ("failed", 2)
    with pytest.raises(CannotAsk, match="SQ610 vacuous-check"):
        report.raise_if_different()


def test_tensors_without_a_partner_are_named():
    class More(New):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(7))

    found = next(item for item in verify(Old(), More()).diagnostics if item.code == "SQ608")

    assert found.notes == ("of the new model without a partner: `scale`",)


def test_live_modules_stay_as_they_are():
    old, new = Old(), New()
    before = [item.clone() for item in (*old.parameters(), *new.parameters())]
    verify(old, new)

    assert all(torch.equal(*pair) for pair in zip(before, (*old.parameters(), *new.parameters()), strict=True))
