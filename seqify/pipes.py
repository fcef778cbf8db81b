"""The pipes to a child: what it is asked, what it answers, what it prints, and that it has ended."""

# One loop serves all of them, so a child that prints is never kept waiting by one that is listened to. The last pipe
# carries nothing: a thread closes it when the process has ended. No other end of a pipe means that, for the code may
# close what is not its own, and a grandchild may hold it.

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pickle
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from seqify.childside import HEADER, MARK, Frame, to_frame

__all__ = ["Pipes", "Torn"]

_LIMIT = 1 << 20  # bytes of output that are passed on, and more than a pipe holds
_PIECE = 1 << 16
_LEFT_OUT = "\n… the rest of what the code printed is left out\n"
_LONG = 3600.0  # seconds; a selector takes no number that is much larger


class Torn(Exception):
    """What came through the pipe of the answers is none."""


class Pipes:
    """
    The parent's ends.

    `ended` says that the process has ended, and `messages` has all it said; `silent` since when it can say no more.
    """

    def __init__(self, command: list[str], folder: str | None, environment: Mapping[str, str] | None) -> None:
        self.ended = False
        self.silent: float | None = None
        self._outgoing = memoryview(b"")
        self._incoming = bytearray()
        self._printed = 0
        with contextlib.ExitStack() as ends:
            theirs, self._requests = _pipe(ends)
            self._answers, answers = _pipe(ends)
            self._output, printed = _pipe(ends)
            self._end, watched = _pipe(ends)
            self.process = subprocess.Popen(
                [*command, str(theirs), str(answers)],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                cwd=folder,
                env=environment,
                pass_fds=(theirs, answers),
                start_new_session=True,
            )
            ends.pop_all()
        for end in (theirs, answers, printed):
            os.close(end)
        self._selector = selectors.DefaultSelector()
        for end, act in ((self._answers, self._read), (self._output, self._forward), (self._end, self._note_end)):
            os.set_blocking(end, False)
            self._selector.register(end, selectors.EVENT_READ, act)
        os.set_blocking(self._requests, False)
        threading.Thread(target=_watch, args=(self.process, watched), daemon=True).start()

    def say(self, *message: Any) -> None:
        """Have a message sent, while `serve` is called."""
        self._outgoing = memoryview(bytes(self._outgoing) + to_frame(*message))
        if not self._waits_for(self._requests):
            self._selector.register(self._requests, selectors.EVENT_WRITE, self._write)

    def serve(self, limit: float) -> None:
        """Wait until a pipe has something to do, or `limit` has come, and do it."""
        for key, _ in self._selector.select(min(max(0.0, limit - time.monotonic()), _LONG)):
            key.data()

    def messages(self) -> Iterator[Frame]:
        """
        The messages that have come, each once.

        Raises:
            Torn: the code has written into the pipe.
        """
        while len(self._incoming) >= HEADER.size:
            mark, size = HEADER.unpack_from(self._incoming)
            if mark != MARK:
                raise Torn
            if len(self._incoming) < HEADER.size + size:
                return
            with memoryview(self._incoming) as whole, whole[HEADER.size : HEADER.size + size] as part:
                body = io.BytesIO(part)
            del self._incoming[: HEADER.size + size]
            try:
                message: Frame = _Unpickler(body).load()
            except Exception as error:
                message = ("error", None, f"the result cannot be read: {type(error).__name__}: {error}")
            yield message

    def drain(self) -> None:
        """Pass on what was printed until now: no more than a pipe can hold, for a grandchild may print without end."""
        for _ in range(_LIMIT // _PIECE):
            if not self._waits_for(self._output) or not self._forward():
                return

    def hang_up(self) -> None:
        """Say that nothing more will be asked."""
        self._forget(self._requests)
        os.close(self._requests)

    def close(self) -> None:
        """Close the ends that were read."""
        self._selector.close()
        for end in (self._answers, self._output, self._end):
            os.close(end)

    def _write(self) -> None:
        try:
            self._outgoing = self._outgoing[os.write(self._requests, self._outgoing[:_LIMIT]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # the other pipes tell why
            self._outgoing = self._outgoing[:0]
        if not self._outgoing:
            self._forget(self._requests)

    def _read(self) -> bool:
        piece = self._take(self._answers)
        self._incoming += piece or b""
        if piece == b"":
            self.silent = time.monotonic()
        return bool(piece)

    def _forward(self) -> bool:
        """Pass on a piece of what was printed, if there is one."""
        piece = self._take(self._output) or b""
        room = _LIMIT - self._printed
        self._printed += len(piece)
        if piece and room >= 0:
            _print(piece[:room])
            if len(piece) > room:
                _print(_LEFT_OUT)
        return bool(piece)

    def _note_end(self) -> None:
        self._forget(self._end)
        while self._waits_for(self._answers) and self._read():
            pass
        self.ended = True

    def _take(self, end: int) -> bytes | None:
        """What a pipe holds; nothing at its end, which is then no longer waited for; None when it is empty for now."""
        try:
            piece = os.read(end, _PIECE)
        except BlockingIOError:
            return None
        if not piece:
            self._forget(end)
        return piece

    def _waits_for(self, end: int) -> bool:
        return end in self._selector.get_map()

    def _forget(self, end: int) -> None:
        if self._waits_for(end):
            self._selector.unregister(end)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """A class or function of a result. To read one of the user's own would import their code in this process."""
        home = module.partition(".")[0]
        if home not in ("seqify", "torch", "numpy") and home not in sys.stdlib_module_names:
            raise pickle.UnpicklingError(f"`{module}.{name}` is the code's own")
        return super().find_class(module, name)


def _pipe(ends: contextlib.ExitStack) -> tuple[int, int]:
    """Two ends, neither of which has the number of a standard stream: one that is closed here is open in the child."""
    pair = []
    for end in os.pipe():
        if end < 3:
            low, end = end, fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3)
            os.close(low)
        ends.callback(os.close, end)
        pair.append(end)
    return pair[0], pair[1]


def _watch(process: subprocess.Popen[bytes], end: int) -> None:
    """Close `end` when the process has ended. Where that is possible, its number stays taken until `wait`."""
    if hasattr(os, "waitid"):
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    else:
        process.wait()
    os.close(end)


def _print(text: bytes | str) -> None:
    stream = sys.stderr
    if stream is None:
        return
    with contextlib.suppress(OSError, ValueError):  # closed, or nobody reads it
        if isinstance(text, bytes) and hasattr(stream, "buffer"):
            stream.flush()
            stream.buffer.write(text)
        else:
            stream.write(text if isinstance(text, str) else text.decode(errors="replace"))
        stream.flush()
