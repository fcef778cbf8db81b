"""Inputs as a text that draws them again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from seqify.compare.side import same_bytes
from seqify.inputs import Inputs
from seqify.trial import Setting

__all__ = ["HELPERS", "CannotDraw", "draw_inputs"]

_SMALL = 32  # elements, up to which a tensor is written out

HELPERS = {
    "draw": """\
def draw(shape, dtype):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
""",
    "count": """\
def count(shape, dtype, bound):
    return torch.randint(0, bound, shape, generator=torch.Generator().manual_seed(0)).to(dtype)
""",
    "fit": """\
def fit(item, shape):
    repeats = [-(-new // old) for new, old in zip(shape, item.shape)]
    return item.repeat(repeats)[tuple(slice(size) for size in shape)]
""",
    "strided": """\
def strided(item):
    return torch.stack([item, item], -1)[..., 0]
""",
}


class CannotDraw(Exception):
    """An input that no short text gives."""


def draw_inputs(values: Mapping[str, Any], example: Inputs, setting: Setting) -> str:
    """
    The text of a dict of inputs; it needs those of `HELPERS` that it names.

    Args:
        values: the arguments of forward in a run.
        example: the inputs that they were made from.
        setting: of the run.

    Raises:
        CannotDraw: a value is nothing that a text gives.
    """
    items = (f"{name!r}: {_value(value, example.values.get(name), setting)}" for name, value in values.items())
    return f"{{{', '.join(items)}}}"


def _value(value: Any, base: Any, setting: Setting) -> str:
    if isinstance(value, Tensor):
        text = _drawn(value, base if isinstance(base, Tensor) else value)
        if value.is_floating_point() and setting.dtype not in (None, value.dtype):
            text += f".to({setting.dtype})"
        if setting.device != "cpu":
            text += f'.to("{setting.device}")'
        if value.is_contiguous():
            return text
        if value.dim() == 4 and value.is_contiguous(memory_format=torch.channels_last):
            return f"{text}.contiguous(memory_format=torch.channels_last)"
        return f"strided({text})"
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        pairs = zip(value, base if isinstance(base, type(value)) and len(base) == len(value) else value, strict=True)
        items = ", ".join(_value(item, other, setting) for item, other in pairs)
        return f"[{items}]" if isinstance(value, list) else f"({items},)"
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    raise CannotDraw


def _drawn(value: Tensor, base: Tensor) -> str:
    """The text of a tensor: as `--input` draws it, cut or repeated to another size, written out, or another one."""
    own, other = _draw(value), _draw(base)
    if own is not None and same_bytes(own[1], value):
        return own[0]
    if other is not None and same_bytes(other[1], base):
        scale = _scale(value, base)
        if scale is not None:
            return f"({other[0]} * {scale})"
        if value.dim() == base.dim():
            return f"fit({other[0]}, {tuple(value.shape)})"
    if value.numel() <= _SMALL and bool(torch.isfinite(value.detach()).all()):
        return f"torch.tensor({value.tolist()}, dtype={value.dtype})"
    if own is None:
        raise CannotDraw
    return own[0]


def _scale(value: Tensor, base: Tensor) -> str | None:
    """The number that makes one tensor of another, in a few digits."""
    if value.shape != base.shape or not value.is_floating_point() or not bool(base.any()):
        return None
    text = f"{float(value.abs().max() / base.abs().max()):.6g}"
    return text if same_bytes(base * float(text), value) else None


def _draw(value: Tensor) -> tuple[str, Tensor] | None:
    generator = torch.Generator().manual_seed(0)
    shape = tuple(value.shape)
    if value.is_floating_point() or value.is_complex():
        return f"draw({shape}, {value.dtype})", torch.randn(shape, generator=generator, dtype=value.dtype)
    if not value.numel() or value.min() < 0:
        return None
    bound = max(2, int(value.max()) + 1)
    found = torch.randint(0, bound, shape, generator=generator).to(value.dtype)
    return f"count({shape}, {value.dtype}, {bound})", found
