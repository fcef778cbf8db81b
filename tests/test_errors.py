"""Exceptions that carry diagnostics."""

from __future__ import annotations

import pytest

from seqify.diagnostics import Diagnostic, Location
from seqify.errors import CannotAsk, Refusal, SeqifyError


@pytest.mark.parametrize(("kind", "exit_code"), [(SeqifyError, 2), (CannotAsk, 2), (Refusal, 1)])
def test_exit_codes(kind, exit_code):
    error = kind(Diagnostic("SQ001", "no file `model.py`"))

    assert isinstance(error, SeqifyError)
    assert error.exit_code == exit_code


def test_the_text_of_an_error():
    assert str(CannotAsk(Diagnostic("SQ001", "no file `a.py`"))) == "SQ001 target-not-found: no file `a.py`"
    assert (
        str(Refusal(Diagnostic("SQ101", "why", Location("model.py", 3, 5)))) == "model.py:3:5: SQ101 value-branch: why"
    )


def test_the_first_diagnostic_is_the_one_that_stopped_the_work():
    first, second = Diagnostic("SQ101", "first"), Diagnostic("SQ102", "second")
    error = Refusal(first, second)

    assert error.diagnostic is first
    assert error.diagnostics == (first, second)
    assert "second" not in str(error)
