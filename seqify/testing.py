"""An assertion for pytest, which says the words of the command line."""

from __future__ import annotations

from typing import Any

from seqify.render.text import render_text
from seqify.report import Report
from seqify.verification import verify

__all__ = ["assert_equivalent"]


def assert_equivalent(old: Any, new: Any, inputs: Any = None, **options: Any) -> Report:
    """
    Assert that two modules do the same.

    Args:
        old: the reference: `"model.py:Net"`, or a live module.
        new: the candidate.
        inputs: example inputs: a tensor, a tuple, a dict by name, or texts such as `"8,1,28,28"`.
        options: further arguments of `seqify.verify`, such as `require_proof=True`.

    Returns:
        The report, to look at what was compared.

    Raises:
        AssertionError: they differ, or a proof was asked for and is missing; the message is the report.
        CannotAsk: a target or the inputs do not allow the question.

    Example:
        >>> from torch import nn
        >>> old = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
        >>> report = assert_equivalent(old, nn.Sequential(*old), torch.randn(2, 4))
        >>> report.status
        'equivalent'
    """
    __tracebackhide__ = True  # pytest shows the caller's line
    report = verify(old, new, inputs, **options)
    if report.exit_code:
        raise AssertionError("\n" + render_text(report))
    return report
