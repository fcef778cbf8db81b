"""Example inputs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from seqify.errors import CannotAsk
from seqify.inputs import Inputs, find_inputs, from_values, parse_inputs


class Two(nn.Module):
    """A forward with two arguments by position and one by name alone."""

    def forward(self, image, mask=None, *, scale=None):
        return image


def shapes(inputs: Inputs) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    return {name: (tuple(value.shape), value.dtype) for name, value in inputs.values.items()}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["8,1,28,28"], {"image": ((8, 1, 28, 28), torch.float32)}),
        (["8, 1, 28"], {"image": ((8, 1, 28), torch.float32)}),
        (["int64:4,16"], {"image": ((4, 16), torch.int64)}),
        (["3", "bool:4"], {"image": ((3,), torch.float32), "mask": ((4,), torch.bool)}),
        (["mask=bool:4", "3"], {"mask": ((4,), torch.bool), "image": ((3,), torch.float32)}),
        (["3", "scale=float64:1"], {"image": ((3,), torch.float32), "scale": ((1,), torch.float64)}),
        (["bfloat16:2"], {"image": ((2,), torch.bfloat16)}),
        (["complex64:2"], {"image": ((2,), torch.complex64)}),
    ],
)
def test_parse_inputs(texts, expected):
    inputs = parse_inputs(Two(), texts)

    assert shapes(inputs) == expected
    assert inputs.origin == "given"


@pytest.mark.parametrize("text", ["", "a,b", "8x1", "float99:3", "load:3", "=3", "3,", "-1,2", "image=", "Tensor:3"])
def test_a_text_that_is_no_input(text):
    with pytest.raises(CannotAsk) as error:
        parse_inputs(Two(), [text])

    assert error.value.diagnostic.code == "SQ005"
    assert error.value.diagnostic.message == f"`{text}` is not an input"
    assert error.value.diagnostic.help == "write `[NAME=][DTYPE:]SHAPE`, as `8,3,32,32` or `ids=int64:4,16`"


@pytest.mark.parametrize("texts", [["other=3"], ["image=3", "image=3"], ["3", "3", "3"]])
def test_an_input_that_forward_does_not_take(texts):
    with pytest.raises(CannotAsk) as error:
        parse_inputs(Two(), texts)

    assert error.value.diagnostic.message == f"`{texts[-1]}`: forward has no such argument (image, mask, scale)"


def test_values_are_the_same_each_time():
    state = torch.get_rng_state()
    first, second = (parse_inputs(Two(), ["4,4", "int64:100"]).values for _ in range(2))

    assert torch.equal(first["image"], second["image"])
    assert set(first["mask"].tolist()) == {0, 1}
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (torch.ones(2), ["image"]),
        ((torch.ones(2), torch.ones(3)), ["image", "mask"]),
        ([torch.ones(2)], ["image"]),
        ({"mask": torch.ones(2), "image": torch.ones(3)}, ["mask", "image"]),
    ],
)
def test_from_values(values, names):
    assert list(from_values(Two(), values).values) == names


def test_too_many_values():
    with pytest.raises(CannotAsk, match="SQ005 input-unknown: forward takes 3 arguments, 4 were given"):
        from_values(Two(), (1, 2, 3, 4))


def test_batch():
    inputs = Inputs({"flag": True, "image": torch.arange(12).view(4, 3), "table": torch.ones(7, 3)}, "given")
    small, large = inputs.with_batch(2), inputs.with_batch(6)

    assert inputs.batch == 4
    assert small.values["image"].tolist() == inputs.values["image"][:2].tolist()
    assert large.values["image"].tolist() == [*inputs.values["image"].tolist(), *inputs.values["image"][:2].tolist()]
    assert large.values["table"] is inputs.values["table"]
    assert large.values["flag"] is True
    assert large.origin == "given"


def test_no_batch():
    inputs = Inputs({"x": torch.tensor(1.0), "n": 3}, "given")

    assert inputs.batch == 0


def test_describe():
    inputs = Inputs({"image": torch.ones(2, 3), "flag": True, "ids": torch.ones(1).long()}, "probed")

    assert inputs.describe() == (
        {"name": "image", "shape": [2, 3], "dtype": "float32", "origin": "probed"},
        {"name": "ids", "shape": [1], "dtype": "int64", "origin": "probed"},
    )


def test_to_moves_tensors_alone():
    moved = Inputs({"x": torch.ones(2), "n": 3}, "given").to("meta")

    assert moved.values["x"].is_meta
    assert moved.values["n"] == 3


def probe(*layers: nn.Module) -> tuple[tuple[int, ...], torch.dtype]:
    net = nn.Sequential(*layers)

    def accepts(inputs: Inputs) -> bool:
        try:
            with torch.no_grad():
                net.eval()(*inputs.values.values())
        except Exception:
            return False
        return True

    found = find_inputs(net, accepts)
    assert found.origin == "probed"
    (value,) = found.values.values()
    return tuple(value.shape)[1:], value.dtype


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ((nn.Linear(7, 2),), (7,)),
        ((nn.Conv2d(3, 2, 3),), (3, 32, 32)),
        ((nn.Conv2d(1, 2, 3),), (1, 28, 28)),
        ((nn.Conv1d(5, 2, 3),), (5, 32)),
        ((nn.Conv3d(1, 2, 3),), (1, 32, 32, 32)),
        ((nn.Flatten(), nn.Linear(784, 2)), (1, 28, 28)),
        ((nn.Flatten(), nn.Linear(3072, 2)), (3, 32, 32)),
        ((nn.ZeroPad2d(0), nn.Conv2d(3, 1, 1), nn.Flatten(), nn.Linear(1024, 2)), (3, 32, 32)),
        ((nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(2 * 62 * 62, 2)), (3, 64, 64)),
        ((nn.Conv2d(3, 2, 16, 16), nn.Flatten(), nn.Linear(2 * 14 * 14, 2)), (3, 224, 224)),
        ((nn.ConvTranspose2d(10, 2, 4),), (10, 1, 1)),
        ((nn.LayerNorm((4, 6)), nn.Linear(6, 2)), (4, 6)),
        ((nn.GroupNorm(2, 4),), (4, 32, 32)),
        ((nn.BatchNorm2d(4),), (4, 32, 32)),
        ((nn.BatchNorm1d(4), nn.Linear(4, 2)), (4,)),
    ],
)  # fmt: skip
def test_probing(layers, shape):
    found, dtype = probe(*layers)

    assert dtype == torch.float32
    assert len(found) == len(shape) and found[0] == shape[0]
    if not isinstance(layers[0], nn.GroupNorm | nn.Linear):
        assert found == shape


def test_probing_for_tokens():
    assert probe(nn.Embedding(50, 4), nn.Linear(4, 2)) == ((16,), torch.int64)


def test_probing_finds_nothing():
    with pytest.raises(CannotAsk) as error:
        probe(nn.ReLU(), nn.Flatten(), nn.Linear(7919, 2), nn.Linear(3, 2))

    assert error.value.diagnostic.message == "no input was given and probing found none"
    assert error.value.diagnostic.help == "give its shape: `--input 8,3,64,64`"


def test_several_arguments_are_not_guessed():
    class Net(nn.Module):
        def forward(self, a, b):
            return a

    with pytest.raises(CannotAsk) as error:
        find_inputs(Net(), lambda _: True)

    assert error.value.diagnostic.message == "forward takes 2 arguments (a, b)"
    assert error.value.diagnostic.help == "give each: --input a=... --input b=..."


def test_an_optional_argument_does_not_hinder_probing():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x, mask=None, **kwargs):
            return self.fc(x)

    assert list(find_inputs(Net(), lambda _: True).values) == ["x"]
