"""The module that a child process has opened for a comparison."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from seqify.asking import example_inputs
from seqify.compare.side import Side
from seqify.inputs import Inputs
from seqify.lines import construction_lines
from seqify.load import Model, load_target, quiet

__all__ = ["ask", "class_line", "example", "files", "open_target", "prepare", "side_of"]

_TORCH = os.path.dirname(torch.__file__) + os.sep
_OPEN: dict[str, Any] = {}


def open_target(target: str, progress: Callable[[str], None] = lambda _: None) -> tuple[str, int] | None:
    """
    Load a target, and keep it for `ask`.

    Returns:
        The file and the line of its class, where it is the user's.

    Raises:
        CannotAsk: SQ001 to SQ007, as `load_target`.
    """
    progress("loading")
    with construction_lines() as lines:
        model = load_target(target)
    _OPEN.update(model=model, side=side_of(model, lines))
    return class_line(model)


def side_of(model: Model, lines: Callable[[nn.Module], Mapping[str, tuple[str, int]]] | None = None) -> Side:
    """The side of a model, with its constructor where it has one."""
    return Side(model.instance, model.build, lines(model.instance) if lines else None)


def class_line(model: Model) -> tuple[str, int] | None:
    """The file and the line of a model's class; None where it is torch's, or has no text."""
    try:
        _, row = inspect.findsource(model.kind)
    except (OSError, TypeError):
        return None
    return None if model.filename is None or model.filename.startswith(_TORCH) else (model.filename, row + 1)


def files() -> list[str]:
    """The files of all modules that are loaded here."""
    names = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    return sorted({os.path.realpath(name) for name in names if isinstance(name, str)})


def example(texts: Any, progress: Callable[[str], None] = lambda _: None) -> Inputs:
    """Inputs for the opened module: as given, configured, from its file, or found by probing."""
    with quiet():
        return example_inputs(_OPEN["model"], texts, progress)


def ask(method: str, *args: Any, **kwargs: Any) -> Any:
    """What the opened side answers."""
    with quiet():
        return getattr(_OPEN["side"], method)(*args, **kwargs)


def prepare(*args: Any, **kwargs: Any) -> Mapping[str, Any] | str:
    """The state of the opened side's fresh copy, or why a state does not load: from a child comes no error of torch."""
    try:
        found: Mapping[str, Any] = ask("prepare", *args, **kwargs)
        return found
    except RuntimeError as error:
        return str(error)
