"""What a flat result has to be able to do, as any other `nn.Sequential`."""

from __future__ import annotations

import copy
import pickle
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint_sequential

import seqify

SAMPLES = Path(__file__).parent.parent / "samples"
FLAT = ["lenet.py:LeNet", "projector.py:Projector", "dcgan.py:Generator(ngf=8)", "swapped_mlp.py:SwappedMLP"]


@pytest.fixture(scope="module", params=FLAT, ids=lambda target: target.split(":")[1])
def converted(request: pytest.FixtureRequest) -> tuple[nn.Module, torch.Tensor]:
    """The converted model in eval, and an input."""
    report = seqify.convert(f"{SAMPLES}/{request.param}", dtypes=[torch.float32])
    assert (report.layout, report.status) == ("flat", "equivalent")
    return report.module().eval(), torch.randn(report.inputs[0]["shape"])


def test_is_a_sequential_without_a_forward_of_its_own(converted):
    model, _ = converted

    assert isinstance(model, nn.Sequential)
    assert type(model).forward is nn.Sequential.forward


def test_slices(converted):
    model, x = converted
    head, tail = model[:-1], model[-1:]

    assert type(head) is nn.Sequential
    assert list(head._modules) == list(model._modules)[:-1]
    assert torch.equal(tail(head(x)), model(x))


def test_slices_share_their_layers(converted):
    model, _ = converted

    assert all(left is right for left, right in zip(model[1:4], list(model)[1:4], strict=True))


def test_indexes(converted):
    model, _ = converted

    assert model[0] is next(iter(model))
    assert model[-1] is list(model)[-1]
    with pytest.raises(IndexError):
        model[len(model)]


def test_deep_copies(converted):
    model, x = converted

    assert torch.equal(copy.deepcopy(model)(x), model(x))


def test_pickles(converted):
    model, x = converted

    assert torch.equal(pickle.loads(pickle.dumps(model))(x), model(x))


def test_scripts(converted):
    model, x = converted
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.script(model)

    assert torch.equal(scripted(x), model(x))


def test_runs_under_checkpoint_sequential(converted):
    model, x = converted
    plain, saved = x.clone().requires_grad_(), x.clone().requires_grad_()
    model(plain).sum().backward()
    checkpoint_sequential(model, 2, saved, use_reentrant=False).sum().backward()

    assert torch.equal(plain.grad, saved.grad)


def test_compiles(converted):
    model, x = converted
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = torch.compile(model, backend="eager")
        found = compiled(x)

    assert torch.equal(found, model(x))


def test_grows_and_shrinks(converted):
    model = copy.deepcopy(converted[0])
    length = len(model)
    model.append(nn.Identity())
    model.extend([nn.Identity()])
    assert len(model) == length + 2
    del model[-1]
    assert isinstance(model.pop(-1), nn.Identity)
    assert len(model) == length
    assert len(model + nn.Sequential(nn.Identity())) == length + 1
