"""Exceptions that carry a diagnostic.

SeqifyError
 ├── CannotAsk    the question could not be asked (exit status 2)
 └── Refusal      the question was understood and the answer is no (exit status 1)
"""

from __future__ import annotations

from seqify.diagnostics import Diagnostic

__all__ = ["CannotAsk", "Refusal", "SeqifyError"]


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
