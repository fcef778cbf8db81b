"""The module that a child process has opened for a comparison."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from seqify.asking import example_inputs
from seqify.compare.side import Side
from seqify.inputs import Inputs
from seqify.load import Model, load_target, quiet

__all__ = ["ask", "construction_lines", "example", "open_target", "side_of"]

_TORCH = os.path.dirname(torch.__file__) + os.sep
_OPEN: dict[str, Any] = {}


def open_target(target: str, progress: Callable[[str], None] = lambda _: None) -> str:
    """
    Load a target, and keep it for `ask`.

    Returns:
        The file of its class, or "".

    Raises:
        CannotAsk: SQ001 to SQ007, as `load_target`.
    """
    progress("loading")
    with construction_lines() as lines:
        model = load_target(target)
    _OPEN.update(model=model, side=side_of(model, lines))
    return model.filename or ""


def side_of(model: Model, lines: Callable[[nn.Module], Mapping[str, tuple[str, int]]] | None = None) -> Side:
    """The side of a model, with its constructor where it has one."""
    return Side(model.instance, model.build, lines(model.instance) if lines else None)


def example(texts: Any, progress: Callable[[str], None] = lambda _: None) -> Inputs:
    """Inputs for the opened module: as given, configured, from its file, or found by probing."""
    with quiet():
        return example_inputs(_OPEN["model"], texts, progress)


def ask(method: str, *args: Any, **kwargs: Any) -> Any:
    """What the opened side answers."""
    with quiet():
        return getattr(_OPEN["side"], method)(*args, **kwargs)


@contextlib.contextmanager
def construction_lines() -> Iterator[Callable[[nn.Module], dict[str, tuple[str, int]]]]:
    """Meanwhile, note the line of user code that constructs each module; what is given tells them by path."""
    made: dict[int, tuple[str, int]] = {}
    original = nn.Module.__init__

    def init(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        frame = sys._getframe(1)
        while frame is not None:
            own = frame.f_code.co_varnames[:1]
            inside = bool(own) and frame.f_locals.get(own[0]) is self  # the constructor of the module itself
            if not inside and not frame.f_code.co_filename.startswith(_TORCH):
                made[id(self)] = frame.f_code.co_filename, frame.f_lineno  # an earlier one of that id is gone
                break
            frame = frame.f_back  # type: ignore[assignment]
        original(self, *args, **kwargs)

    nn.Module.__init__ = init  # type: ignore[method-assign]
    try:
        yield lambda module: {path: made[id(part)] for path, part in module.named_modules() if id(part) in made}
    finally:
        nn.Module.__init__ = original  # type: ignore[method-assign]
