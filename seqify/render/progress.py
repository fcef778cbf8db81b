"""A line that tells what is being done, on a terminal, once it takes longer than a second."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TextIO

__all__ = ["Progress"]

_PATIENCE = 1.0  # seconds
_TICK = 0.2  # seconds
_CLEAR = "\r\x1b[K"


class Progress:
    """Shows the current stage on a stream while it is a terminal; silent otherwise, and for the first second."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.stage = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True) if stream.isatty() else None

    def __call__(self, stage: str) -> None:
        self.stage = stage

    def __enter__(self) -> Progress:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _show(self) -> None:
        start = time.monotonic()
        shown = False
        while not self._stop.wait(_TICK):
            elapsed = time.monotonic() - start
            if elapsed > _PATIENCE:
                self.stream.write(f"{_CLEAR}{self.stage} … {elapsed:.0f} s")
                self.stream.flush()
                shown = True
        if shown:
            self.stream.write(_CLEAR)
            self.stream.flush()
