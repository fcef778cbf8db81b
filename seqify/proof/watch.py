"""What a run does that its calls of operators do not show."""

#   Watch       numbers that leave a tensor past the dispatcher
#   Listener    user code that runs; clocks, random numbers and addresses that it asks for
#   scoped      the submodule that is running

from __future__ import annotations

import _random
import contextlib
import datetime
import gc
import io
import os
import random
import sys
import time
import types
from collections.abc import Iterator, Mapping, Sequence
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seqify.proof.digests import digest_of_numbers
from seqify.proof.dispatch import HIDDEN, Recorder, named_tensors
from seqify.proof.record import Place

__all__ = ["Listener", "Watch", "is_library", "scoped"]

# What reads numbers out of a tensor without a call that could be seen below; the last ones may write there, too.
_READS = ("tolist", "__repr__", "__format__", "__reduce_ex__")
_MEMORY = ("numpy", "__array__", "data_ptr", "__dlpack__", "untyped_storage", "storage", "__array_interface__")
# What takes numbers out of tensors in a list, and what goes by the numbers of one argument, inside.
_GATHERS = ("tensor", "as_tensor", "asarray", "new_tensor", "__getitem__", "__setitem__")
_INSIDE = ("tensor_split", "_pack_padded_sequence", "_pad_packed_sequence", "lstm", "gru", "rnn_tanh", "rnn_relu")
_SUSPECT = frozenset([*_READS, *_MEMORY, *_GATHERS, *_INSIDE, "__get__"])
# What a tensor knows besides its numbers, and what is not the same for each caller.
_KNOWS = ("grad", "_grad", "_version")


class Watch(TorchFunctionMode):
    """Watches for numbers that leave a tensor unseen, and for which function was called."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", str(func)).partition(".")[0]
        recorder = self.recorder
        if recorder.busy:
            return func(*args, **(kwargs or {}))
        if name in _SUSPECT:
            reason = self._reason(func, name, args, kwargs or {})
            if reason:
                recorder.doubt(reason)
        recorder.functions.append(name)
        try:
            result = func(*args, **(kwargs or {}))
            if recorder.values is not None and isinstance(result, Tensor) and result.is_floating_point():
                known = len(recorder.calls), digest_of_numbers(result), result.requires_grad, recorder.place()
                recorder.grads.append(known)
            return result
        finally:
            recorder.functions.pop()

    def _reason(self, func: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """Why a function says nothing of other values; "" where it does."""
        varies = self.recorder.varies
        first = args[0] if args else None
        if isinstance(first, Tensor):
            if name in _MEMORY or (name in _READS and varies(first)):
                return f"forward reads the values of a tensor with `{name}`"
            if name == "__get__" and self.recorder.phase == "forward":
                known = getattr(getattr(func, "__self__", None), "__name__", "")
                if known in _KNOWS and first.is_leaf:
                    return f"forward looks at the `{known}` of a tensor"
        if name in _GATHERS:
            lists = [item for value in (*args, *kwargs.values()) for item in _lists(value)]
            if any(varies(item) for _, item in named_tensors({"": lists})):
                return "forward reads the values of tensors in a list"
        if name in _INSIDE:
            others = [item for _, item in named_tensors({"": [*args, *kwargs.values()]}) if item is not first]
            if any(varies(item) and not item.is_floating_point() for item in others):
                return f"what `{name}` does depends on values"
        return ""


@contextlib.contextmanager
def scoped(module: nn.Module, recorder: Recorder) -> Iterator[None]:
    """Keep the path of the submodule that runs."""
    paths = {id(part): path for path, part in module.named_modules()}
    called = nn.Module.__call__

    def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        place = recorder.place() or Place("", 0, "")
        recorder.scopes.append((paths.get(id(self), type(self).__name__), place.filename, place.row))
        try:
            return called(self, *args, **kwargs)
        finally:
            recorder.scopes.pop()

    nn.Module.__call__ = call  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.__call__ = called  # type: ignore[method-assign]


def _lists(value: Any) -> Iterator[Any]:
    """The lists in an argument; a tuple is an index of several dimensions."""
    if isinstance(value, list):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _lists(item)


# ---- Python's own calls

# Who may ask for the time, and restore a seed: a log, a checkpoint, a module that is imported meanwhile.
_IMPORT = "<frozen importlib._bootstrap>"
_QUIET = (os.path.join("logging", "__init__.py"), os.path.join("utils", "checkpoint.py"), _IMPORT)
_LIBRARY = os.path.dirname(os.__file__) + os.sep

_CLOCKS = (
    *(time.time, time.time_ns, time.perf_counter, time.perf_counter_ns, time.monotonic, time.monotonic_ns),
    *(time.process_time, time.process_time_ns, time.thread_time, time.localtime, time.gmtime, time.ctime),
)
_WORLD = (os.urandom, os.getpid, io.open, id)
_RESEEDING = frozenset(["manual_seed", "seed", "initial_seed", "set_state", "set_offset", "graphsafe_set_state"])
_RANDOM = frozenset([random.Random, random.SystemRandom, _random.Random])
_DATES = frozenset([datetime.datetime, datetime.date])


class Listener:
    """
    Listens to the Python calls of a run.

    Args:
        recorder: told what makes the run depend on more than its arguments.
        real: whether tensors have numbers; stand-ins for them ask for addresses and times themselves.

    Attributes:
        codes: what ran and is not Python's or torch's own, each with its globals.
    """

    def __init__(self, recorder: Recorder, real: bool = True) -> None:
        self._real = real
        self.codes: dict[CodeType, dict[str, Any]] = {}
        self._recorder = recorder
        self._known: set[CodeType] = set()

    def __enter__(self) -> Listener:
        # a collection runs what others have hung on it, and that may well ask for the time
        self._collects = gc.isenabled()
        gc.disable()
        self._before: Any = sys.getprofile()
        self._recorder.listening = self._hear
        sys.setprofile(self._hear)
        return self

    def __exit__(self, *error: object) -> None:
        self._recorder.listening = None
        sys.setprofile(None)
        if self._collects:
            gc.enable()
        if hasattr(self._before, "enable"):
            self._before.enable()  # cProfile
        elif self._before is not None:
            sys.setprofile(self._before)

    def _hear(self, frame: FrameType, event: str, function: Any) -> None:
        if event == "call":
            code = frame.f_code
            if code not in self._known and _IMPORT not in _filenames(frame):
                self._known.add(code)
                if not is_library(code.co_filename):
                    self.codes[code] = frame.f_globals
        elif event == "c_call" and self._real:
            owner = getattr(function, "__self__", None)
            if type(owner) is types.ModuleType:
                reason = _BUILTIN.get(function, "")
            else:
                reason = _of_method(type(owner), owner, function)
            if reason and not any(name.endswith(_QUIET) for name in _filenames(frame)):
                # torch itself looks at addresses and clocks, and goes by neither
                if type(owner) is torch.Generator or not frame.f_code.co_filename.startswith(HIDDEN):
                    self._recorder.doubt(reason)


def is_library(filename: str) -> bool:
    """Whether a file is Python's or torch's own, and keeps no state that forward would go by."""
    return filename.startswith(HIDDEN) or (filename.startswith(_LIBRARY) and "-packages" not in filename)


_TIME = "forward asks for the time"
_BUILTIN: dict[Any, str] = {
    **dict.fromkeys(_CLOCKS, _TIME),
    **{function: f"forward calls `{function.__name__}`" for function in _WORLD},
}


def _of_method(kind: type, owner: Any, function: Any) -> str:
    """Why a call of a built-in method makes a run depend on more than its arguments; "" where it does not."""
    if kind is torch.Generator:
        return "forward sets or reads the seed of a random generator" if function.__name__ in _RESEEDING else ""
    if kind in _RANDOM or (kind is type and owner in _DATES and function.__name__ in ("now", "today", "utcnow")):
        return "forward draws from Python's `random`" if kind is not type else _TIME
    return ""


def _filenames(frame: FrameType | None) -> Iterator[str]:
    while frame is not None:
        yield frame.f_code.co_filename
        frame = frame.f_back
