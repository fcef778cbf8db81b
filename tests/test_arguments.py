"""Arguments that are read off live layers of torch.nn, with no record of how they were built."""

from __future__ import annotations

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqify.constructed import recording
from seqify.emit.arguments import from_attributes, is_layer, parameters, takes_anything, takes_nothing, tidy
from seqify.emit.layers import Writer

LAYERS = [
    "nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)",
    "nn.Conv2d(4, 4, kernel_size=(3, 5), padding=(1, 2), groups=4)",
    'nn.Conv2d(4, 4, kernel_size=3, padding="same", padding_mode="reflect")',
    "nn.Conv1d(4, 8, kernel_size=3, dilation=2)",
    "nn.Conv3d(2, 2, kernel_size=(1, 3, 3))",
    "nn.ConvTranspose2d(4, 2, kernel_size=2, stride=2, output_padding=1)",
    "nn.Linear(4, 2)",
    "nn.Linear(4, 2, bias=False)",
    "nn.Linear(4, 2, dtype=torch.float64)",
    "nn.Bilinear(2, 3, out_features=5)",
    "nn.BatchNorm2d(8)",
    "nn.BatchNorm1d(8, eps=0.001, momentum=None, affine=False)",
    "nn.BatchNorm2d(8, track_running_stats=False)",
    "nn.InstanceNorm2d(8, affine=True)",
    "nn.GroupNorm(2, 8)",
    "nn.LayerNorm(16)",
    "nn.LayerNorm((4, 4), eps=1e-06, bias=False)",
    "nn.RMSNorm(16)",
    "nn.LocalResponseNorm(5, alpha=0.001)",
    "nn.Embedding(10, 4)",
    "nn.Embedding(10, 4, padding_idx=0)",
    'nn.EmbeddingBag(10, 4, mode="sum")',
    "nn.MaxPool2d(2)",
    "nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True)",
    "nn.AvgPool1d(2)",
    "nn.AvgPool2d((2, 3), count_include_pad=False)",
    "nn.AdaptiveAvgPool2d(1)",
    "nn.AdaptiveAvgPool2d((1, 1))",
    "nn.AdaptiveMaxPool2d((None, 7))",
    "nn.Upsample(scale_factor=2.0)",
    'nn.Upsample(size=(4, 4), mode="bilinear", align_corners=False)',
    "nn.PixelShuffle(2)",
    "nn.ZeroPad2d(1)",
    "nn.ReflectionPad2d((1, 2, 3, 4))",
    "nn.ConstantPad1d(1, 0.5)",
    "nn.Softmax(dim=-1)",
    "nn.Dropout(p=0.2)",
    "nn.Dropout(inplace=True)",
    'nn.GELU(approximate="tanh")',
    "nn.ReLU()",
    "nn.ReLU6(inplace=True)",
    "nn.LeakyReLU(negative_slope=0.2)",
    "nn.PReLU(num_parameters=4)",
    "nn.Hardtanh(min_val=-2)",
    "nn.ELU(alpha=0.5)",
    "nn.Softplus(beta=2)",
    "nn.GLU(dim=1)",
    "nn.SiLU()",
    "nn.Flatten()",
    "nn.Flatten(start_dim=0)",
    "nn.Unflatten(1, (2, 2))",
    "nn.Unfold(3, dilation=2)",
    "nn.Identity()",
    "nn.LSTM(4, 8)",
    "nn.LSTM(4, 8, num_layers=2, batch_first=True, bidirectional=True, proj_size=3)",
    "nn.GRU(4, 8, bias=False)",
    'nn.RNN(4, 8, nonlinearity="relu")',
    "nn.LSTMCell(4, 8, bias=False)",
    'nn.RNNCell(4, 8, nonlinearity="relu")',
    "nn.MultiheadAttention(8, 2)",
    "nn.MultiheadAttention(8, 2, dropout=0.1, bias=False, add_bias_kv=True, kdim=4, batch_first=True)",
    "nn.TransformerEncoderLayer(8, 2)",
    "nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, dropout=0.0, activation=F.gelu, batch_first=True, norm_first=True)",
    "nn.TransformerEncoderLayer(8, 2, layer_norm_eps=1e-06, bias=False)",
    "nn.TransformerDecoderLayer(8, 2, dim_feedforward=16)",
    "nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2), 2)",
    "nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True), 2, norm=nn.LayerNorm(8))",
    "nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2), 1)",
    "nn.CrossEntropyLoss(label_smoothing=0.1)",
    'nn.MSELoss(reduction="sum")',
    "nn.CosineSimilarity()",
]


def built(source: str) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: nn.Module = eval(source, {"nn": nn, "F": F, "torch": torch})
    return module


@pytest.mark.parametrize("source", LAYERS)
def test_without_a_record(source: str) -> None:
    assert source == " ".join(Writer().expression(built(source)).split()).replace("( ", "(").replace(", )", ")")


@pytest.mark.parametrize("source", LAYERS)
def test_with_a_record(source: str) -> None:
    with recording() as made:
        module = built(source)

    text = " ".join(Writer(made).expression(module).split()).replace("( ", "(").replace(", )", ")")

    assert source == text


@pytest.mark.parametrize(
    ("source", "tidied"),
    [
        ("nn.Conv2d(3, 8, (3, 3), (1, 1), (1, 1), (1, 1), 1, True, 'zeros', None, None)", "nn.Conv2d(3, 8, kernel_size=3, padding=1)"),
        ("nn.LayerNorm([8])", "nn.LayerNorm(8)"),
        ("nn.Linear(4, 2, True, 'cpu', torch.float32)", "nn.Linear(4, 2)"),
        ("nn.Upsample(scale_factor=2)", "nn.Upsample(scale_factor=2)"),
        ("nn.Linear(4, 2).double()", "nn.Linear(4, 2, dtype=torch.float64)"),
        ("nn.Embedding.from_pretrained(torch.ones(3, 2))", "nn.Embedding(3, 2).requires_grad_(False)"),
        ("nn.Identity(3, width=4)", "nn.Identity()"),
    ],
)  # fmt: skip
def test_a_record_is_written_shorter(source: str, tidied: str) -> None:
    with recording() as made:
        module = built(source)

    assert tidied == Writer(made).expression(module)


def test_what_cannot_be_read() -> None:
    class Net(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()

    assert from_attributes(Net(3)) == []
    assert from_attributes(nn.Tanh())[0].kwargs == {}


def test_what_a_constructor_takes() -> None:
    class Bare(nn.Module):
        pass

    class Empty(nn.Module):
        def __init__(self) -> None:
            super().__init__()

    assert [takes_nothing(kind) for kind in (Bare, Empty, nn.Linear)] == [True, True, False]
    assert [takes_anything(kind) for kind in (nn.Identity, nn.LSTM, nn.Linear)] == [True, True, False]
    assert list(parameters(nn.RNN))[:4] == ["input_size", "hidden_size", "num_layers", "nonlinearity"]
    assert list(parameters(nn.GRU))[:3] == ["input_size", "hidden_size", "num_layers"]


def test_layers_are_those_of_torch() -> None:
    class Linear(nn.Linear):
        pass

    assert [is_layer(kind) for kind in (nn.Linear, Linear, nn.Module, nn.Sequential)] == [True, False, True, True]


def test_a_tuple_is_a_number_only_where_the_layer_makes_it_one() -> None:
    assert tidy(nn.Conv2d, "kernel_size", (3, 3)) == 3
    assert tidy(nn.Conv2d, "kernel_size", (3, 5)) == (3, 5)
    assert tidy(nn.MaxPool2d, "kernel_size", (3, 3)) == (3, 3)
    assert tidy(nn.LayerNorm, "normalized_shape", (4, 4)) == (4, 4)
    assert tidy(nn.ZeroPad2d, "padding", (1, 2, 1, 2)) == (1, 2, 1, 2)
