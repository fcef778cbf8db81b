"""The assertion for pytest."""

from __future__ import annotations

import traceback

import pytest
import torch
from torch import nn

from seqify.errors import CannotAsk
from seqify.render.text import render_text
from seqify.testing import assert_equivalent

X = torch.randn(4, 4)
OPTIONS = {"devices": ["cpu"], "dtypes": [torch.float32]}


def net(activation: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), activation, nn.Linear(4, 2))


class Written(nn.Module):
    """The same by hand."""

    def __init__(self, scale: float = 1.0):
        super().__init__()
        self.first, self.last, self.scale = nn.Linear(4, 4), nn.Linear(4, 2), scale

    def forward(self, x):
        return self.last(torch.relu(self.first(x) * self.scale))


def test_what_is_the_same_gives_the_report():
    report = assert_equivalent(Written(), Written(), X, **OPTIONS)

    assert (report.status, report.exit_code) == ("equivalent", 0)


def test_names_need_not_agree():
    report = assert_equivalent(Written(), net(nn.ReLU()), X, **OPTIONS)

    assert report.keymap is not None and report.keymap.keys["0.weight"] == "first.weight"
    assert report.matched == "by call order and shape"


def test_the_message_is_what_the_command_line_prints():
    with pytest.raises(AssertionError) as caught:
        assert_equivalent(net(nn.LeakyReLU(0.01)), net(nn.LeakyReLU(0.1)), X, **OPTIONS)
    message = str(caught.value)

    assert message.startswith("\nold      Sequential        new   Sequential\n")
    assert "SQ601 output-differs: call 2 is the first to differ; everything before it is bitwise equal" in message
    assert "help: `negative_slope=0.01` is what the old model has" in message
    assert message.endswith("Different. The first check that failed: forward (cpu, float32, eval).")
    assert "\x1b[" not in message


def test_a_proof_can_be_asked_for():
    """`x * 1.0` is no call that the other has, and every number is the same."""
    report = assert_equivalent(net(nn.ReLU()), Written(), X, **OPTIONS)
    assert report.status == "tested"
    with pytest.raises(AssertionError, match="every number is bitwise equal, and nothing was proved"):
        assert_equivalent(net(nn.ReLU()), Written(), X, require_proof=True, **OPTIONS)
    assert render_text(report).endswith("and nothing was proved.")


def test_what_cannot_be_asked_is_no_failed_assertion():
    with pytest.raises(CannotAsk, match="SQ005"):
        assert_equivalent(net(nn.ReLU()), net(nn.ReLU()), (X, X, X), **OPTIONS)


def test_pytest_shows_the_line_of_the_test():
    with pytest.raises(AssertionError) as caught:
        assert_equivalent(net(nn.ReLU()), net(nn.GELU()), X, **OPTIONS)
    (frame,) = [
        frame
        for frame, _ in traceback.walk_tb(caught.value.__traceback__)
        if "assert_equivalent" in frame.f_code.co_name
    ]

    assert frame.f_locals["__tracebackhide__"] is True
