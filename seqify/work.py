"""The work of the commands, as a child does it for them: names go in, and plain data comes out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from seqify.report import Report

__all__ = ["convert"]


def convert(
    target: str, inputs: Sequence[str], *, dtypes: Sequence[str], progress: Callable[[str], None], **options: Any
) -> Report:
    """
    `seqify.convert` for another process.

    Args:
        target: as the user names it.
        inputs: example inputs as texts; found by probing when there are none.
        dtypes: names of what to compare in; float32 and float64 when there are none.
        progress: told what is being done.
        options: the others of `seqify.convert`.

    Raises:
        Refusal: the model was understood, and cannot be converted.
        CannotAsk: the target, the inputs or the device do not allow the question.
    """
    progress("importing torch")
    # torch says so at import where NumPy is missing; seqify does not use it
    warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
    import torch

    from seqify.api import convert as convert_target

    report = convert_target(
        target,
        list(inputs) or None,
        dtypes=[getattr(torch, name) for name in dtypes] or (torch.float32, torch.float64),
        progress=progress,
        **options,
    )
    # the model stays here, and so does what a number of the user's own type knows
    fixed = tuple((condition, _plain(value), place) for condition, value, place in report.specialised)
    return replace(report, make=None, specialised=fixed)


def _plain(value: Any) -> Any:
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value
