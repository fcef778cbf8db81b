"""The pieces that the commands share: the child that runs user code, what stops a command, and what it tells."""

# No command imports torch in this process; user code runs in a child, and what comes back is plain data.

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

import click

from seqify.errors import SeqifyError, explain
from seqify.version import versions

if TYPE_CHECKING:
    from seqify.child import Child
    from seqify.report import Report

__all__ = ["FORMAT", "OUTPUT_FILE", "TIMEOUT", "guard", "tell", "user_code"]


def _seconds(context: click.Context, parameter: click.Parameter, value: float) -> float:
    if not value >= 0:  # nor is it NaN
        raise click.BadParameter(f"{value:g} is not a number of seconds")
    return value


TIMEOUT = click.option(
    "--timeout",
    type=float,
    default=600.0,
    metavar="SECONDS",
    callback=_seconds,
    help="How long the code of TARGET and its conversion may take; 0: any time.  [default: 600]",
)
FORMAT = click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "markdown", "github"]),
    default="text",
    show_default=True,
    help="text: the diff on stdout, the story on stderr. Others: on stdout.",
)
OUTPUT_FILE = click.option(
    "--output-file", type=click.Path(dir_okay=False), metavar="FILE", help="Write what goes to stdout here instead."
)


@contextlib.contextmanager
def user_code(timeout: float, folder: str | None = None) -> Iterator[Child]:
    """
    A child for the user's code, and its progress on the terminal.

    Args:
        timeout: seconds that it has; 0 for any time.
        folder: its working directory.
    """
    from seqify.child import Child
    from seqify.render.progress import Progress

    stream = sys.stderr or io.StringIO()
    with Progress(stream) as progress, Child(timeout=timeout or None, folder=folder, progress=progress) as child:
        yield child


def guard(command: str, target: str, run: Callable[[], Report]) -> Report:
    """Run a step of a command; whatever stops it becomes a report."""
    try:
        return run()
    except SeqifyError as error:
        reason = error
    except (Exception, SystemExit) as error:
        reason = explain(error)
    from seqify.report import Report

    return Report.of_error(command, target, reason, versions())


def tell(report: Report, format_: str, output_file: str | None, quiet_diff: bool) -> None:
    """Print a report in one of the formats, or put it into a file."""
    from seqify.render.text import color_diff, render_text

    color = _is_terminal(sys.stderr) and not os.environ.get("NO_COLOR")
    unicode = (getattr(sys.stderr, "encoding", None) or "").lower().replace("-", "") == "utf8"
    terminal = _is_terminal(sys.stdout)
    if format_ == "text":
        content = "" if quiet_diff else report.diff
        if content and not output_file and terminal and not os.environ.get("NO_COLOR"):
            content = color_diff(content)
    elif format_ == "json":
        content = json.dumps(report.to_dict(), indent=2, default=str) + "\n"
    elif format_ == "markdown":
        from seqify.render.markdown import render_markdown

        content = render_markdown(report)
    else:
        from seqify.render.github import render_github

        content = render_github(report)
    if output_file:
        from seqify.files import write_atomically

        write_atomically(output_file, content.encode())
    else:
        _print(content)
    if format_ == "text":
        gap = "\n" if content and terminal else ""
        click.echo(gap + render_text(report, color, unicode), err=True)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()  # none: it was closed before Python started


def _print(content: str) -> None:
    """Write to standard output, in UTF-8 whatever the locale."""
    if sys.stdout is None:
        return
    own = sys.stdout is sys.__stdout__
    if not own:  # a caller has put its own stream there
        sys.stdout.write(content)
        return
    sys.stdout.flush()
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    with contextlib.suppress(BrokenPipeError), stream:  # `seqify ... | head`
        stream.write(content)
