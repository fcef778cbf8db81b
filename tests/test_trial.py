"""One call of a module, and what it leaves behind."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqify.trial import PARTS, Seen, perturb, run, says_something

X = torch.randn(8, 4)


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))


def test_every_part_is_seen():
    seen = run(net(), {"input": X}, 0, "cpu")

    assert seen.error is None
    assert tuple(seen.parts) == PARTS
    assert {part: list(tensors) for part, tensors in seen.parts.items()} == {
        "forward": ["output"],
        "inputs": ["input"],
        "gradients": ["0.weight", "0.bias", "1.weight", "1.bias"],
        "input gradients": ["input"],
        "buffers": ["1.running_mean", "1.running_var", "1.num_batches_tracked"],
        "random": ["generator"],
    }
    assert all(value is not None for tensors in seen.parts.values() for value in tensors.values())


def test_one_seed_gives_one_result():
    model = net()
    first = run(copy.deepcopy(model), {"input": X}, 3, "cpu")
    second = run(copy.deepcopy(model), {"input": X}, 3, "cpu")
    other = run(copy.deepcopy(model), {"input": X}, 4, "cpu")

    for part in PARTS:
        assert all(torch.equal(value, second.parts[part][name]) for name, value in first.parts[part].items())
    assert not torch.equal(first.parts["forward"]["output"], other.parts["forward"]["output"])


def test_inputs_are_not_changed():
    class Net(nn.Module):
        def forward(self, x):
            return x.add_(1)

    x = X.clone()
    seen = run(Net(), {"x": x}, 0, "cpu")

    assert torch.equal(x, X)
    assert torch.equal(seen.parts["inputs"]["x"], X + 1)


def test_old_gradients_do_not_add_up():
    model = nn.Linear(4, 4)
    first = run(model, {"input": X}, 0, "cpu").parts["gradients"]
    second = run(model, {"input": X}, 0, "cpu").parts["gradients"]

    assert torch.equal(first["weight"], second["weight"])


def test_a_parameter_without_gradient_is_none():
    model = nn.Linear(4, 4)
    model.bias.requires_grad_(False)

    assert run(model, {"input": X}, 0, "cpu").parts["gradients"]["bias"] is None


def test_an_error_is_one_line_and_nothing_else():
    seen = run(nn.Linear(5, 4), {"input": X}, 0, "cpu")

    assert seen.error == "RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x4 and 5x4)"
    assert seen.parts == {}


def test_several_arguments_go_by_name():
    class Net(nn.Module):
        def forward(self, a, b=None, scale=1):
            return {"sum": a + b, "rest": [a * scale, (b, None)]}

    seen = run(Net(), {"b": X, "a": X * 2, "scale": 3}, 0, "cpu")

    assert list(seen.parts["forward"]) == [
        "output['sum']",
        "output['rest'][0]",
        "output['rest'][1][0]",
    ]
    assert torch.equal(seen.parts["forward"]["output['rest'][0]"], X * 6)


def test_a_single_argument_goes_by_position():
    """The converted model calls it `input`, whatever the old one called it."""

    class Net(nn.Module):
        def forward(self, input):
            return input * 2

    assert run(Net(), {"x": X}, 0, "cpu").error is None


@pytest.mark.parametrize(
    "other",
    [
        lambda x: x.t().contiguous().t(),
        lambda x: x.detach(),
        lambda x: x.double(),
        lambda x: x[:4],
        lambda x: (x,),
        lambda x: [x],
        lambda x: {"x": x},
        lambda x: (x, 1),
        lambda x: None,
    ],
)
def test_structure_tells_outputs_apart(other):
    """Shape, dtype, strides, requires_grad and the containers, by their type."""

    class Net(nn.Module):
        def __init__(self, change):
            super().__init__()
            self.change = change

        def forward(self, x):
            return self.change(x)

    assert (
        run(Net(lambda x: x * 1), {"x": X}, 0, "cpu").structure
        != run(Net(lambda x: other(x * 1)), {"x": X}, 0, "cpu").structure
    )


def test_no_two_elements_of_an_output_cancel():
    """The sum of a softmax is 1 whatever its input: its gradient would be zero."""

    class Net(nn.Module):
        def forward(self, x):
            return F.softmax(x, 1)

    gradient = run(Net(), {"x": X}, 0, "cpu").parts["input gradients"]["x"]

    assert float(gradient.abs().max()) > 1e-3


def test_a_complex_output_has_a_gradient():
    class Net(nn.Module):
        def forward(self, x):
            return torch.fft.fft(x)

    seen = run(Net(), {"x": X}, 0, "cpu")

    assert seen.error is None
    assert seen.parts["input gradients"]["x"] is not None


def test_a_sparse_output_is_looked_at():
    class Net(nn.Module):
        def forward(self, x):
            return x.detach().to_sparse()

    assert torch.equal(run(Net(), {"x": X}, 0, "cpu").parts["forward"]["output"], X)


def test_an_integer_input_has_no_gradient():
    seen = run(nn.Embedding(3, 4), {"input": torch.tensor([0, 1, 2])}, 0, "cpu")

    assert seen.parts["input gradients"] == {"input": None}
    assert seen.parts["gradients"]["weight"] is not None


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ([0.0, 0.0], False),
        ([1.0, 1.0], False),
        ([1.0, 2.0], True),
        ([3.0], True),
        ([], False),
        ([float("nan"), float("nan")], False),
        ([float("inf"), 1.0, 1.0], False),
        ([float("inf"), 1.0, 2.0], True),
        ([1j, 1j], True),
    ],
)
def test_says_something(output, expected):
    """One real number, or two that differ; a complex one is two."""
    assert says_something(Seen(parts={"forward": {"output": torch.tensor(output)}})) is expected


def test_an_output_without_tensors_says_nothing():
    assert not says_something(Seen(parts={"forward": {}}))


def test_perturb_moves_all_that_is_saved():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.PReLU(), nn.LayerNorm(4))
    before = copy.deepcopy(model.state_dict())
    perturb(model, before.keys())

    for name, value in model.state_dict().items():
        if value.is_floating_point():
            assert bool((value != before[name]).all()), name
        else:
            assert torch.equal(value, before[name])


def test_perturb_keeps_variances_positive():
    model = nn.BatchNorm1d(1000)
    perturb(model, model.state_dict().keys())

    assert float(model.running_var.min()) > 0


def test_perturb_leaves_masks_and_unsaved_buffers_alone():
    model = nn.Module()
    model.register_buffer("mask", torch.full((3,), float("-inf")))
    model.register_buffer("grid", torch.ones(3), persistent=False)
    perturb(model, model.state_dict().keys())

    assert torch.equal(model.mask, torch.full((3,), float("-inf")))
    assert torch.equal(model.grid, torch.ones(3))


def test_perturb_depends_on_its_seed_alone():
    first, second, third = (copy.deepcopy(net()) for _ in range(3))
    for model in (second, third):
        model.load_state_dict(first.state_dict())
    state = torch.get_rng_state()
    for model, seed in ((first, 1), (second, 1), (third, 2)):
        perturb(model, model.state_dict().keys(), seed)

    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first[0].weight, second[0].weight)
    assert not torch.equal(first[0].weight, third[0].weight)


def test_perturb_in_half_precision():
    model = nn.Linear(4, 4).half()
    perturb(model, model.state_dict().keys())

    assert model.weight.dtype == torch.float16
    assert bool(torch.isfinite(model.weight).all())
