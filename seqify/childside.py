"""The child's own side: a process that does what it is asked, among code that may do anything to it."""

# What seqify needs is bound by name before any user code is here, which may replace what it finds in `os` or `pickle`.
#
#   listener (thread)   reads the requests; their end is the end of the parent, and then of this process
#   main thread         imports and calls; a fork of it runs user code only, and never answers
#
# The descriptors are asked who they are before each use: code that closes what it does not know, and then opens a file
# of its own, must not find seqify's answer in it.

from __future__ import annotations

import atexit
import faulthandler
import gc
import io
import os
import struct
import sys
import threading
import traceback
import warnings
from contextlib import suppress
from importlib import import_module
from inspect import signature
from os import _exit, fstat, getpid, killpg, read, write
from pickle import dumps, loads
from queue import SimpleQueue
from signal import SIGKILL
from sys import getrecursionlimit, setrecursionlimit
from time import sleep
from typing import Any, NoReturn

from seqify.errors import SeqifyError, explain

__all__ = ["GRACE", "HEADER", "LOST", "MARK", "Frame", "main", "to_frame"]

Frame = tuple[Any, ...]  # a word, and what belongs to it

HEADER = struct.Struct("<8sQ")  # before each message: a mark, and how many bytes follow
MARK = b"seqify\x00\x01"
GRACE = 1.0  # seconds that exit handlers may take
LOST = 119  # the exit status of a process whose pipes are gone

_HERE = os.path.dirname(__file__) + os.sep
_pack, _unpack = HEADER.pack, HEADER.unpack
_WHERE = dumps(("where",))


def to_frame(*message: Any) -> bytes:
    """A message as it goes through a pipe."""
    body = dumps(message)
    return _pack(MARK, len(body)) + body


def main(requests: int, responses: int) -> NoReturn:
    """Do what comes through `requests` until it ends, and end."""
    faulthandler.enable(all_threads=False)  # where a crash in native code happened
    sys.stdout = sys.stderr  # one order of lines, and nothing that cannot be encoded
    _Server(requests, responses).serve()


class _Server:
    def __init__(self, requests: int, responses: int) -> None:
        self.requests, self.responses = requests, responses
        self.known = {end: _identity(end) for end in (requests, responses)}
        for end in self.known:
            os.set_inheritable(end, False)
        self.pid = getpid()
        self.depth = getrecursionlimit()
        self.busy = False
        self.speaking = threading.Lock()
        self.waiting: SimpleQueue[bytes | None] = SimpleQueue()
        self.thread = threading.main_thread().ident or 0
        os.register_at_fork(after_in_child=self.forget)
        threading.Thread(target=self.listen, daemon=True).start()

    def serve(self) -> NoReturn:
        while (body := self.waiting.get()) is not None:
            self.busy = True
            word, *rest = loads(body)
            if word == "start":
                sys.path[:], sys.argv[:], module = rest
                if module is not None:
                    # torch says so where NumPy is missing; seqify does not use it
                    warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
                    with suppress(Exception):  # the call that needs it says why
                        import_module(module)
            else:
                self.answer(*rest)
            self.busy = False
        _end()

    def listen(self) -> None:
        with suppress(EOFError):
            while True:
                _, size = _unpack(self.receive(HEADER.size))
                body = self.receive(size)
                if body == _WHERE:
                    self.send("where", self.place())
                else:
                    self.waiting.put(body)
        # the end of the parent, or of its interest
        if not self.busy:
            self.waiting.put(None)
            sleep(GRACE)  # exit handlers run
        killpg(self.pid, SIGKILL)

    def receive(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            self.check(self.requests)
            piece = read(self.requests, min(size - len(data), 1 << 20))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def answer(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        message: Frame
        try:
            module, _, name = function.partition(":")
            found = getattr(import_module(module), name)
            if _tells(found):
                kwargs["progress"] = lambda stage: self.send("progress", stage)
            message = ("result", found(*args, **kwargs))
        except BaseException as error:
            reason = error if isinstance(error, SeqifyError) else explain(error)
            # a stage has classes of its own, in modules that import torch; outside, the public ones are known
            kind = next(kind for kind in type(reason).__mro__ if kind.__module__ == SeqifyError.__module__)
            message = ("error", kind, reason.diagnostics)
        _flush()
        setrecursionlimit(max(self.depth, getrecursionlimit()))
        self.busy = False  # with the answer the parent may be content
        try:
            self.send(*message)
        except Exception as error:
            self.send("error", None, f"the result cannot be handed over: {type(error).__name__}")

    def send(self, *message: Any) -> None:
        if getpid() != self.pid:
            _exit(0)  # a fork that went on as if it were the child
        left = memoryview(to_frame(*message))
        with self.speaking:
            while left:
                self.check(self.responses)
                try:
                    left = left[write(self.responses, left) :]
                except OSError:
                    _exit(LOST)

    def holds(self, end: int) -> bool:
        """Whether a descriptor still is what it was at the start."""
        try:
            return _identity(end) == self.known[end]
        except OSError:
            return False

    def check(self, end: int) -> None:
        if not self.holds(end):
            _exit(LOST)

    def forget(self) -> None:
        """In a fork: let go of the pipes, so that their end is the end of the child alone."""
        for end in self.known:
            if self.holds(end):
                os.close(end)

    def place(self) -> list[tuple[str, int, str, str]]:
        """Where user code is: file, line, function and text of each frame, the innermost last."""
        torch = getattr(sys.modules.get("torch"), "__file__", None)
        hidden = (_HERE, "<frozen importlib", "<string>", *([os.path.dirname(torch) + os.sep] if torch else []))
        frames: list[traceback.FrameSummary] = []
        with suppress(Exception):  # whatever the code has made of linecache
            frames = traceback.extract_stack(sys._current_frames()[self.thread])
        return [
            (frame.filename, frame.lineno or 1, frame.name, frame.line or "")
            for frame in frames
            if not frame.filename.startswith(hidden)
        ]


def _tells(function: Any) -> bool:
    try:
        return "progress" in signature(function).parameters
    except (TypeError, ValueError):  # one of Python's own has no signature
        return False


def _identity(end: int) -> tuple[int, int]:
    found = fstat(end)
    return found.st_dev, found.st_ino


def _flush() -> None:
    """Let out all that was printed, from Python and from C."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with suppress(BaseException):
            stream.flush()  # type: ignore[union-attr]
    ctypes = sys.modules.get("ctypes")  # torch brings it along
    with suppress(BaseException):
        ctypes.CDLL(None).fflush(None)  # type: ignore[union-attr]


def _end() -> NoReturn:
    """End without taking the interpreter apart, which takes torch a third of a second, and waits for threads."""
    with suppress(BaseException):
        atexit._run_exitfuncs()
    with suppress(BaseException):
        for item in gc.get_objects():
            if type(item) in (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom):
                with suppress(BaseException):
                    item.flush()  # a file that the code has left open
    _flush()
    _exit(0)
