"""Exceptions that carry a diagnostic.

SeqifyError
 ├── CannotAsk    the question could not be asked (exit status 2)
 └── Refusal      the question was understood and the answer is no (exit status 1)
"""

from __future__ import annotations

import os

from seqify.diagnostics import Diagnostic

__all__ = ["CannotAsk", "Refusal", "SeqifyError", "explain"]


class SeqifyError(Exception):
    """The base of everything that seqify raises on purpose."""

    exit_code = 2

    def __init__(self, *diagnostics: Diagnostic) -> None:
        self.diagnostics = diagnostics
        first = diagnostics[0]
        place = f"{first.location}: " if first.location else ""
        super().__init__(f"{place}{first.code} {first.name}: {first.message}")

    @property
    def diagnostic(self) -> Diagnostic:
        """The diagnostic that stopped the work; any further ones explain it."""
        return self.diagnostics[0]


class CannotAsk(SeqifyError):
    """The target, an option or the machine does not allow the question."""

    exit_code = 2


class Refusal(SeqifyError):
    """The model was understood, and seqify will not convert it."""

    exit_code = 1


def explain(error: BaseException) -> CannotAsk:
    """SQ902: an exception that nobody expected, as one that can be reported, with the places it came through."""
    import traceback

    if isinstance(error, OSError) and error.filename is not None:
        return CannotAsk(
            Diagnostic("SQ902", f"{error.strerror or error}: `{error.filename}`", help="nothing was written")
        )
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    notes = tuple(f"{os.path.basename(frame.filename)}:{frame.lineno} in {frame.name}" for frame in frames)
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:
        text = type(error).__name__
    return CannotAsk(Diagnostic("SQ902", text, notes=notes))
