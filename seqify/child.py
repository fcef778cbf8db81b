"""A process of its own for user code."""

#   Child                                             seqify.childside
#   call ──── requests: start, call, where ────────►  listener ──► main thread: import the function, call it
#        ◄─── answers: progress, where, result ─────
#        ◄─── output: all that is printed ──────────  stdout and stderr; standard input is empty
#
# Code that is late is asked where it is, before it is killed.

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from seqify.childside import GRACE, LOST, Frame
from seqify.diagnostics import Diagnostic, Location
from seqify.errors import CannotAsk
from seqify.pipes import Pipes, Torn

__all__ = ["Child", "child_for"]

_PATIENCE = 0.5  # seconds in which code that is late may say where it is
_PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "__init__.py")

# The very package that the parent runs, wherever it was found: nothing is put on the path for it, where a file of the
# user's beside it could be taken for one of Python's.
_START = """
import sys, importlib.util as util
spec = util.spec_from_file_location("seqify", sys.argv[1])
sys.modules["seqify"] = util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["seqify"])
from seqify.childside import main
main(int(sys.argv[2]), int(sys.argv[3]))
"""


class Child:
    """
    A Python process that imports and calls functions, and whose end is survived.

    It has the seqify and the `sys.argv` of this process, an empty standard input, and a process group of its own. What
    it prints goes to this process's standard error, up to 1 MiB of it.

    Args:
        timeout: seconds for all calls together, from now on; None for any time.
        folder: its working directory; by default that of this process, as for the next two.
        path: its `sys.path`.
        environment: its environment variables.
        module: what it imports at once, before it is called, so that several children do that at the same time.
        subject: whose code it runs, in words, for messages.
        progress: told what is being done, by functions that have a parameter `progress`.

    Raises:
        OSError: the process cannot be started.

    Example:
        >>> with Child(timeout=60) as child:
        ...     child.call("math:hypot", 3, 4)
        5.0
    """

    def __init__(
        self,
        *,
        timeout: float | None = None,
        folder: str | None = None,
        path: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        module: str | None = None,
        subject: str = "the code",
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._timeout = timeout
        self._subject = subject
        self._deadline = float("inf") if timeout is None else time.monotonic() + timeout
        self._progress = progress
        self._stage = ""
        self._open = True
        self._failure: CannotAsk | None = None
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        # -P: nothing of the user's is in front of Python's own until seqify is imported; then `sys.path` is as here
        self._pipes = Pipes([sys.executable, *flags, "-P", "-c", _START, _PACKAGE], folder, environment)
        self._pipes.say("start", sys.path if path is None else list(path), sys.argv, module)
        self._pipes.serve(time.monotonic())  # it is sent now

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(self, function: str, /, *args: Any, **kwargs: Any) -> Any:
        """
        Import a module in the child and call a function of it, as `call("seqify.work:convert", target)`.

        Modules stay imported, so one call can use what an earlier one has loaded. If the function has a parameter
        `progress`, it gets one that tells this object's.

        Returns:
            What the function returns, by way of pickle. It may hold objects of Python, seqify, torch and NumPy.

        Raises:
            SeqifyError: what the function raised, as the public class nearest to it.
            CannotAsk: SQ008 when the time is over, SQ009 when the process has ended, SQ902 when the function raised
                anything else. After the first two the child is gone, and further calls raise the same.
        """
        if self._failure is not None:
            raise CannotAsk(*self._failure.diagnostics)
        if not self._open:
            raise ValueError("the child is closed")
        self._pipes.say("call", function, args, kwargs)
        self._stage = ""
        try:
            word, *rest = self._answer()
            self._pipes.drain()
        except BaseException as error:
            self._kill()
            if isinstance(error, CannotAsk):
                self._failure = error
            raise
        if word == "result":
            return rest[0]
        kind, told = rest
        if kind is None:
            raise CannotAsk(Diagnostic("SQ902", told))
        raise kind(*told)

    def close(self) -> None:
        """End the child, whose exit handlers get a second, and all processes of its group."""
        if not self._open:
            return
        self._open = False
        try:
            self._pipes.hang_up()
            limit = time.monotonic() + GRACE
            while not self._pipes.ended and time.monotonic() < limit:
                self._pipes.serve(limit)
        finally:
            self._kill()
            self._pipes.close()

    def _answer(self) -> Frame:
        """The result or the error, when it is there; until then all pipes are served."""
        pipes, limit, asked = self._pipes, self._deadline, False
        while True:
            try:
                for message in pipes.messages():
                    if message[0] == "progress":
                        self._stage = message[1]
                        self._progress(self._stage)
                    elif message[0] == "where":
                        raise self._late(message[1])
                    else:
                        return message
            except Torn:
                raise self._lost() from None
            if pipes.ended:
                raise self._gone()
            now = time.monotonic()
            until = limit if pipes.silent is None else min(limit, pipes.silent + GRACE)
            if now >= until:
                if until < limit:
                    raise self._lost()
                if asked:
                    raise self._late([])
                asked, limit = True, now + _PATIENCE
                pipes.say("where")
            pipes.serve(until if now < until else limit)

    def _kill(self) -> None:
        """Kill the group, at once; the child's own number is free only after that, so that it is nobody else's."""
        process, pipes = self._pipes.process, self._pipes
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        limit = time.monotonic() + 5 * GRACE
        while not pipes.ended and time.monotonic() < limit:
            pipes.serve(limit)
        if pipes.ended:
            process.wait()
        pipes.drain()

    def _late(self, frames: list[tuple[str, int, str, str]]) -> CannotAsk:
        message = f"{self._subject} did not finish in the time allowed ({self._timeout:g} s){self._doing()}"
        place = Location(frames[-1][0], frames[-1][1]) if frames else None
        notes = tuple(f"{file}:{line} in {name}: {text}" for file, line, name, text in frames[-6:])
        return CannotAsk(Diagnostic("SQ008", message, place, notes=notes))

    def _lost(self) -> CannotAsk:
        message = f"{self._subject} closed or used the pipes of seqify's process{self._doing()}"
        return CannotAsk(Diagnostic("SQ009", message, help="close only what the code has opened"))

    def _gone(self) -> CannotAsk:
        self._kill()
        status, help_ = self._pipes.process.returncode, None
        if status == LOST:
            return self._lost()
        how = f"exit status {status}"
        if status < 0:
            how = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
        if status == -signal.SIGKILL:
            how += ", as when memory runs out"
            help_ = "more memory, or a smaller `--input`"
        message = f"{self._subject} ended seqify's process ({how}){self._doing()}"
        return CannotAsk(Diagnostic("SQ009", message, help=help_))

    def _doing(self) -> str:
        return f", while {self._stage}" if self._stage else ""


def child_for(target: str, **options: Any) -> Child:
    """
    A child that will be asked to open a target, and imports torch in the meantime.

    Args:
        target: what the user calls it.
        options: further arguments of `Child`.
    """
    return Child(module="seqify.opened", subject=f"the code of `{target}`", **options)
