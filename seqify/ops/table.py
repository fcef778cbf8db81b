"""The functions that have a module, a row each, with each row's conditions."""

# A signature such as `F.max_pool2d(kernel_size, stride)` names a function and its parameters after the input, in order.
# `F.` is torch.nn.functional, `Tensor.` is torch.Tensor; a `!` behind it marks a form that works in place.
# `builder` names the function in `match.py` that writes the module's arguments; "plain" carries each of the user's arguments
# over to the module's parameter of the same name.

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

__all__ = ["OPS", "Op", "Signature", "lookup"]


@dataclass(frozen=True)
class Signature:
    """A function's parameters after its input; `inplace` for a form such as `relu_`."""

    function: str
    parameters: tuple[str, ...]
    inplace: bool


@dataclass(frozen=True)
class Op:
    """One row: a module, the stem of its attribute name, and the functions that do what it does."""

    module: str
    stem: str
    functions: str
    builder: str = "plain"

    @property
    def signatures(self) -> tuple[Signature, ...]:
        found = re.findall(r"([\w.]+)\(([^)]*)\)(!?)", self.functions)
        return tuple(
            Signature(name, tuple(item.strip() for item in parameters.split(",") if item.strip()), mark == "!")
            for name, parameters, mark in found
        )


def _unary(module: str, name: str, parameters: str = "", *, inplace: bool = False) -> Op:
    """An activation that exists as a function of F or torch and as a method, with an in-place form or without."""
    forms = [f"F.{name}({parameters}{', ' if parameters else ''}inplace)" if inplace else f"F.{name}({parameters})"]
    forms += [f"torch.{name}({parameters})", f"Tensor.{name}({parameters})"]
    if inplace:
        forms += [f"{space}.{name}_({parameters})!" for space in ("F", "torch", "Tensor")]
    return Op(module, name.replace("log_sigmoid", "logsigmoid"), " ".join(forms))


def _per_rank(module: str, stem: str, function: str, parameters: str, spaces: str = "F torch") -> list[Op]:
    """A family such as max_pool1d, max_pool2d, max_pool3d."""
    return [
        Op(
            f"nn.{module}{rank}d",
            stem,
            " ".join(f"{space}.{function}{rank}d({parameters})" for space in spaces.split()),
        )
        for rank in (1, 2, 3)
    ]


OPS: tuple[Op, ...] = (
    # activations
    _unary("nn.ReLU", "relu", inplace=True),
    _unary("nn.ReLU6", "relu6", inplace=True),
    _unary("nn.ELU", "elu", "alpha", inplace=True),
    _unary("nn.SELU", "selu", inplace=True),
    _unary("nn.CELU", "celu", "alpha", inplace=True),
    _unary("nn.LeakyReLU", "leaky_relu", "negative_slope", inplace=True),
    _unary("nn.Hardtanh", "hardtanh", "min_val, max_val", inplace=True),
    _unary("nn.Threshold", "threshold", "threshold, value", inplace=True),
    _unary("nn.SiLU", "silu", inplace=True),
    _unary("nn.Mish", "mish", inplace=True),
    _unary("nn.Hardswish", "hardswish", inplace=True),
    _unary("nn.Hardsigmoid", "hardsigmoid", inplace=True),
    _unary("nn.GELU", "gelu", "approximate"),
    _unary("nn.Sigmoid", "sigmoid"),
    _unary("nn.Tanh", "tanh"),
    _unary("nn.LogSigmoid", "logsigmoid"),
    _unary("nn.Softplus", "softplus", "beta, threshold"),
    _unary("nn.Softsign", "softsign"),
    _unary("nn.Tanhshrink", "tanhshrink"),
    _unary("nn.Softshrink", "softshrink", "lambd"),
    _unary("nn.Hardshrink", "hardshrink", "lambd"),
    _unary("nn.GLU", "glu", "dim"),
    Op("nn.Softmax", "softmax", "F.softmax(dim, _stacklevel, dtype) torch.softmax(dim, dtype) Tensor.softmax(dim, dtype)", "softmax"),
    Op("nn.LogSoftmax", "log_softmax", "F.log_softmax(dim, _stacklevel, dtype) torch.log_softmax(dim, dtype) Tensor.log_softmax(dim, dtype)", "softmax"),
    Op("nn.Softmin", "softmin", "F.softmin(dim, _stacklevel, dtype)", "softmax"),
    # pooling
    *_per_rank("MaxPool", "pool", "max_pool", "kernel_size, stride, padding, dilation, ceil_mode, return_indices"),
    Op("nn.AvgPool1d", "pool", "F.avg_pool1d(kernel_size, stride, padding, ceil_mode, count_include_pad) torch.avg_pool1d(kernel_size, stride, padding, ceil_mode, count_include_pad)"),
    Op("nn.AvgPool2d", "pool", "F.avg_pool2d(kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)"),
    Op("nn.AvgPool3d", "pool", "F.avg_pool3d(kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)"),
    *_per_rank("AdaptiveAvgPool", "avgpool", "adaptive_avg_pool", "output_size"),
    *_per_rank("AdaptiveMaxPool", "maxpool", "adaptive_max_pool", "output_size, return_indices"),
    *_per_rank("LPPool", "pool", "lp_pool", "norm_type, kernel_size, stride, ceil_mode", "F"),
    # dropout
    Op("nn.Dropout", "dropout", "F.dropout(p, training, inplace) torch.dropout(p, train)", "dropout"),
    *[
        Op(f"nn.Dropout{rank}d", "dropout", f"F.dropout{rank}d(p, training, inplace)", "dropout")
        for rank in (1, 2, 3)
    ],
    Op("nn.AlphaDropout", "dropout", "F.alpha_dropout(p, training, inplace) torch.alpha_dropout(p, train)", "dropout"),
    Op("nn.FeatureAlphaDropout", "dropout", "F.feature_alpha_dropout(p, training, inplace) torch.feature_alpha_dropout(p, train)", "dropout"),
    # normalisation
    Op("nn.LayerNorm", "norm", "F.layer_norm(normalized_shape, weight, bias, eps)", "layer_norm"),
    Op("nn.RMSNorm", "norm", "F.rms_norm(normalized_shape, weight, eps)", "layer_norm"),
    Op("nn.LocalResponseNorm", "norm", "F.local_response_norm(size, alpha, beta, k)"),
    Op("Normalize", "normalize", "F.normalize(p, dim, eps, out)"),
    # shapes
    Op("nn.Flatten", "flatten", "torch.flatten(start_dim, end_dim) Tensor.flatten(start_dim, end_dim)", "flatten"),
    Op("View", "view", "Tensor.view(*shape)", "view"),
    Op("Reshape", "reshape", "Tensor.reshape(*shape) torch.reshape(*shape)", "view"),
    Op("nn.Unflatten", "unflatten", "Tensor.unflatten(dim, sizes) torch.unflatten(dim, sizes)", "unflatten"),
    Op("Permute", "permute", "Tensor.permute(*dims) torch.permute(*dims)", "spread"),
    Op("Transpose", "transpose", "Tensor.transpose(dim0, dim1) torch.transpose(dim0, dim1) Tensor.swapaxes(dim0, dim1) torch.swapaxes(dim0, dim1)"),
    Op("Squeeze", "squeeze", "Tensor.squeeze(dim) torch.squeeze(dim)", "squeeze"),
    Op("Unsqueeze", "unsqueeze", "Tensor.unsqueeze(dim) torch.unsqueeze(dim)"),
    Op("Contiguous", "contiguous", "Tensor.contiguous(memory_format)"),
    Op("nn.ZeroPad2d", "pad", "F.pad(pad, mode, value)", "pad"),
    Op("nn.Upsample", "upsample", "F.interpolate(size, scale_factor, mode, align_corners, recompute_scale_factor, antialias) F.upsample(size, scale_factor, mode, align_corners)"),
    Op("nn.PixelShuffle", "pixel_shuffle", "F.pixel_shuffle(upscale_factor) torch.pixel_shuffle(upscale_factor)"),
    Op("nn.PixelUnshuffle", "pixel_unshuffle", "F.pixel_unshuffle(downscale_factor) torch.pixel_unshuffle(downscale_factor)"),
    Op("nn.ChannelShuffle", "channel_shuffle", "F.channel_shuffle(groups) torch.channel_shuffle(groups)"),
    Op("nn.Unfold", "unfold", "F.unfold(kernel_size, dilation, padding, stride)"),
    Op("nn.Fold", "fold", "F.fold(output_size, kernel_size, dilation, padding, stride)"),
    # reductions
    Op("Mean", "mean", "Tensor.mean(dim, keepdim, dtype) torch.mean(dim, keepdim, dtype)", "reduce"),
    Op("Sum", "sum", "Tensor.sum(dim, keepdim, dtype) torch.sum(dim, keepdim, dtype)", "reduce"),
    # arithmetic
    Op("Abs", "abs", "Tensor.abs() torch.abs()"),
    Op("Exp", "exp", "Tensor.exp() torch.exp()"),
    Op("Log", "log", "Tensor.log() torch.log()"),
    Op("Sqrt", "sqrt", "Tensor.sqrt() torch.sqrt()"),
    Op("Square", "square", "Tensor.square() torch.square()"),
    Op("Sin", "sin", "Tensor.sin() torch.sin()"),
    Op("Cos", "cos", "Tensor.cos() torch.cos()"),
    Op("Negative", "negative", "Tensor.neg() torch.neg() Tensor.__neg__()"),
    Op("Clamp", "clamp", "Tensor.clamp(min, max) torch.clamp(min, max)"),
    Op("Add", "add", "Tensor.add(value) torch.add(value) Tensor.__add__(value) Tensor.__radd__(value)"),
    Op("Subtract", "subtract", "Tensor.sub(value) torch.sub(value) Tensor.__sub__(value)"),
    Op("SubtractFrom", "subtract", "Tensor.__rsub__(value)"),
    Op("Multiply", "multiply", "Tensor.mul(value) torch.mul(value) Tensor.__mul__(value) Tensor.__rmul__(value)"),
    Op("Divide", "divide", "Tensor.div(value) torch.div(value) Tensor.__truediv__(value)"),
    Op("Power", "power", "Tensor.pow(exponent) torch.pow(exponent) Tensor.__pow__(exponent)"),
)  # fmt: skip


def _resolve(name: str) -> Callable[..., Any] | None:
    path = name.replace("F.", "nn.functional.", 1) if name.startswith("F.") else name.removeprefix("torch.")
    try:
        found: Callable[..., Any] = operator.attrgetter(path)(torch)
    except AttributeError:
        return None
    return found


def _index() -> dict[Any, tuple[Op, Signature]]:
    # a row names each spelling that may exist; one that this torch lacks (`torch.silu`) is left out
    found: dict[Any, tuple[Op, Signature]] = {}
    for op in OPS:
        if op.module.startswith("nn.") and not hasattr(nn, op.module[3:]):
            continue
        for signature in op.signatures:
            function = _resolve(signature.function)
            if function is not None:
                found.setdefault(function, (op, signature))
    return found


_INDEX = _index()


def lookup(function: Any) -> tuple[Op, Signature] | None:
    """The row and signature of a function or method; None when it has no row."""
    try:
        return _INDEX.get(function)
    except TypeError:  # unhashable
        return None
