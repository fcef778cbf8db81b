"""seqify turns a hand-written forward into an `nn.Sequential`, and shows that nothing changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seqify.errors import CannotAsk, Refusal, SeqifyError
from seqify.version import __version__

if TYPE_CHECKING:
    from seqify.api import convert, trace
    from seqify.constructed import recording
    from seqify.keymap import KeyMap
    from seqify.report import Report
    from seqify.verification import verify

__all__ = [
    "CannotAsk",
    "KeyMap",
    "Refusal",
    "Report",
    "SeqifyError",
    "__version__",
    "convert",
    "recording",
    "trace",
    "verify",
]

_HOMES = {
    "KeyMap": "seqify.keymap",
    "Report": "seqify.report",
    "convert": "seqify.api",
    "recording": "seqify.constructed",
    "trace": "seqify.api",
    "verify": "seqify.verification",
}


def __getattr__(name: str) -> Any:
    # on first use: importing torch takes a second, and `seqify --help` needs none of it
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
