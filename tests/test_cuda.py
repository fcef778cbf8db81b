"""Conversions compared on a GPU as well."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import seqify

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA, which this machine lacks")

SAMPLES = Path(__file__).parent.parent / "samples"
TARGETS = ["lenet.py:LeNet", "swapped_mlp.py:SwappedMLP", "unet.py:UNet", "residual.py:ResidualBlock"]


@pytest.mark.parametrize("target", TARGETS)
def test_agrees_on_cpu_and_cuda(target: str) -> None:
    report = seqify.convert(f"{SAMPLES}/{target}")

    assert report.status == "equivalent"
    assert {check.device for check in report.checks} >= {"cpu", "cuda"}


def test_a_live_model_stays_on_its_device() -> None:
    model = seqify.convert(f"{SAMPLES}/lenet.py:LeNet").module().cuda()

    assert all(parameter.is_cuda for parameter in model.parameters())
