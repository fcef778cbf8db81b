"""Runs that are made one after the other on one copy of a module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from seqify.compare.side import Side
from seqify.compare.verdict import Check
from seqify.trial import Setting, each_tensor

__all__ = ["Trials", "cast", "placed", "runs", "short"]


@dataclass(frozen=True)
class Trials:
    """
    Runs that are made one after the other on one copy of each module.

    Attributes:
        values: the arguments of forward by name, for each run.
        setting: how they are run; its mode is each of `modes` in turn.
        modes: "eval" and "train", or one of them.
        variant: what is special about them, in words.
        steps: train for so many steps of SGD instead.
        state: the old module's weights, instead of perturbed ones.
        scale: of the weights, besides being perturbed.
        raising: what it means that one side alone raises: "" a failure, "both" a warning, "old" nothing when it is the
            old one.
    """

    values: Sequence[Mapping[str, Any]]
    setting: Setting
    modes: Sequence[str] = ("eval", "train")
    variant: str = ""
    steps: int = 0
    state: Mapping[str, Any] | None = None
    scale: float = 1.0
    raising: str = ""


def short(dtype: torch.dtype | None) -> str:
    return str(dtype).removeprefix("torch.") if dtype is not None else "-"


def cast(values: Mapping[str, Any], setting: Setting) -> dict[str, Any]:
    """On the device, in the dtype, and with the strides they have."""

    def cast(tensor: Tensor) -> Tensor:
        return tensor.to(setting.device, setting.dtype if tensor.is_floating_point() else tensor.dtype)

    return {name: each_tensor(value, cast) for name, value in values.items()}


def placed(row: Check, trials: Trials) -> Check:
    setting = trials.setting
    dtype = f"autocast {short(setting.autocast)}" if setting.autocast else short(setting.dtype)
    return replace(row, device=setting.device, dtype=dtype, variant=trials.variant)


def runs(sides: Sequence[Side], trials: Trials) -> Any:
    """The outcome of each run on each side, with its arguments."""
    for mode in trials.modes:
        setting = replace(trials.setting, mode=mode)
        for number, values in enumerate(trials.values):
            if trials.steps:
                yield values, [side.train(values, setting, 1000 + number, trials.steps) for side in sides]
            else:
                yield values, [side.run(values, setting, 1000 + number) for side in sides]
