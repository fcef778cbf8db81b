"""The versions of what seqify stands on."""

from __future__ import annotations

import platform
import sys

__all__ = ["__version__", "environment", "versions"]

__version__ = "0.1.0"


def versions() -> dict[str, str]:
    """Versions that go into every report. Torch is not imported for it."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return {"seqify": __version__, "torch": str(torch.__version__)}
    from importlib.metadata import PackageNotFoundError, version

    try:
        return {"seqify": __version__, "torch": version("torch")}
    except PackageNotFoundError:
        return {"seqify": __version__, "torch": "not installed"}


def environment() -> dict[str, str]:
    """What a bug report needs to say about the machine."""
    return {**versions(), "python": platform.python_version(), "platform": platform.platform()}
