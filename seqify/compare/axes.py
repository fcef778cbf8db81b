"""The axes of a comparison: inputs and settings beyond the given ones."""

#   given        float32 and float64, eval and train, at the given batch size and at another one
#   further      a batch of 1 · other image sizes and lengths · channels last · strided inputs · bfloat16 · autocast
#                without gradients · steps of an optimizer
#
# The further ones run on a small input where the model takes one: what they look for does not depend on its size.

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from seqify.compare.runs import Trials
from seqify.inputs import Inputs
from seqify.trial import Setting, each_tensor

__all__ = ["bad_inputs", "further", "given", "is_heavy", "is_large", "search", "small"]

STEPS = 2  # of the optimizer
_HEAVY = 3_000_000  # parameters, from which on the further axes go forward only
_SCALES = (0.0, 1e-4, 0.1, 10.0, 1e3)  # of the inputs
_WEIGHTS = (0.01, 8.0, 100.0)  # scales of the weights
_LARGE = 1_000_000  # numbers in an input, from which on it is made smaller where that is enough


def given(
    example: Inputs, reduced: Inputs, device: str, dtypes: Sequence[torch.dtype], modes: Sequence[str], heavy: bool
) -> Iterator[Trials]:
    """
    The trials at the given input and at another batch size, in each dtype.

    Args:
        example: the given input.
        reduced: a small one, or the same; from the second trial on it does.
        device: where.
        dtypes: of the weights.
        modes: "eval" and "train", or one of them.
        heavy: the last mode alone in all but the first dtype.
    """
    for number, dtype in enumerate(dtypes):
        first = example if number == 0 else reduced
        other = [reduced.with_batch(3 if reduced.batch != 3 else 5).values] if reduced.batch else []
        values = [first.values, *(other if not heavy or number == 0 else [])]
        yield Trials(values, Setting(device=device, dtype=dtype), modes if not heavy or number == 0 else modes[-1:])


def is_large(example: Inputs) -> bool:
    """Whether the inputs hold a million numbers or more."""
    return sum(item.numel() for item in _tensors(example.values)) >= _LARGE


def small(example: Inputs, runs: Callable[[Mapping[str, Any]], bool]) -> Inputs:
    """A batch of 2, and images of 64 by 64 instead of larger ones, where the model runs on that."""
    if not is_large(example):
        return example
    candidate = example.with_batch(2) if example.batch > 2 else example
    cut = _changed(candidate, lambda item: item[..., :64, :64].clone() if item.dim() == 4 else item)
    return cut if runs(cut.values) else candidate


def is_heavy(parameters: int, example: Inputs) -> bool:
    """Whether a run takes so long that the further axes go forward only."""
    return parameters >= _HEAVY or is_large(example)


def further(
    example: Inputs, device: str, modes: Sequence[str], dtype: torch.dtype | None, heavy: bool
) -> Iterator[Trials]:
    """
    The trials on the further axes.

    Args:
        example: a small input.
        device: where.
        modes: "eval" and "train", or one of them.
        dtype: of the weights, where it does not vary.
        heavy: go forward only, except for the optimizer.
    """
    setting = Setting(device=device, dtype=dtype, grad=not heavy)
    last = modes[-1:]
    if example.batch > 1:
        yield Trials([example.with_batch(1).values], setting, modes, "batch of 1")
    others = [other.values for other in example.with_extents()]
    if others:
        yield Trials(others, setting, last if heavy else modes, "other sizes", raising="both")
    if any(item.dim() == 4 for item in _floating(example.values)):
        yield Trials([_changed(example, _channels_last).values], setting, last, "channels last", raising="old")
    if any(item.dim() > 1 for item in _floating(example.values)):
        yield Trials([_changed(example, _strided).values], setting, last, "strided", raising="old")
    yield Trials([example.values], replace(setting, grad=False), ("eval",), "no_grad")
    yield Trials([example.values], replace(setting, dtype=torch.bfloat16), last)
    yield Trials([example.values], replace(setting, autocast=torch.bfloat16), last)
    if "train" in modes:
        yield Trials([example.values], replace(setting, grad=True), ("train",), f"{STEPS} steps of SGD", STEPS)
    if device.startswith("cuda"):
        yield Trials([example.values], replace(setting, deployed=True), last, "as deployed")


def search(
    example: Inputs, device: str, modes: Sequence[str], dtype: torch.dtype | None, heavy: bool
) -> Iterator[Trials]:
    """
    Further trials where the graphs part and every number has agreed: at other magnitudes, where a bound, a saturation
    or a small constant shows that showed nowhere yet.
    """
    setting = Setting(device=device, dtype=dtype, grad=not heavy)
    values = [_changed(example, functools.partial(_scaled, scale=scale)).values for scale in _SCALES]
    yield Trials(values, setting, modes, "other magnitudes")
    for scale in _WEIGHTS:
        yield Trials([example.values, *values[:1]], setting, modes, f"weights times {scale:g}", scale=scale)


def bad_inputs(example: Inputs) -> Iterator[tuple[str, dict[str, Any]]]:
    """Inputs that most models raise on, each with a word for it."""
    for name, value in example.values.items():
        if not isinstance(value, Tensor):
            continue
        others = dict(example.values)
        if value.dim() > 1:
            yield f"`{name}` without its last dimension", {**others, name: value[..., 0].clone()}
            yield f"`{name}` with one more dimension", {**others, name: value.unsqueeze(0).clone()}
            wide = torch.cat([value, value[:, :1]], 1)
            yield f"`{name}` of shape {tuple(wide.shape)}", {**others, name: wide}
        if value.is_floating_point():
            yield f"`{name}` of integers", {**others, name: value.long()}
        if len(example.values) > 1:
            yield f"no `{name}`", {key: item for key, item in others.items() if key != name}


def _changed(example: Inputs, change: Callable[[Tensor], Tensor]) -> Inputs:
    return Inputs({name: each_tensor(value, change) for name, value in example.values.items()}, example.origin)


def _scaled(value: Tensor, scale: float) -> Tensor:
    return value * scale if value.is_floating_point() else value


def _channels_last(value: Tensor) -> Tensor:
    if value.dim() == 4 and value.is_floating_point():
        return value.contiguous(memory_format=torch.channels_last)
    return value


def _strided(value: Tensor) -> Tensor:
    """The same numbers, every second place of a memory that is twice as large."""
    if value.dim() < 2 or not value.is_floating_point():
        return value
    return torch.stack([value, value], -1)[..., 0]


def _tensors(values: Mapping[str, Any]) -> Iterator[Tensor]:
    yield from (item for item in values.values() if isinstance(item, Tensor))


def _floating(values: Mapping[str, Any]) -> Iterator[Tensor]:
    yield from (item for item in _tensors(values) if item.is_floating_point())
