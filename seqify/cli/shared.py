"""The pieces that the commands share: the child that runs user code, what stops a command, and what it tells."""

# No command imports torch in this process; user code runs in a child, and what comes back is plain data.

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO, TypeVar

import click

from seqify.errors import SeqifyError, explain
from seqify.version import versions

if TYPE_CHECKING:
    from seqify.render.progress import Progress
    from seqify.report import Report, Reports

Result = TypeVar("Result")

__all__ = [
    "FORMAT",
    "OUTPUT_FILE",
    "TIMEOUT",
    "dtype_names",
    "guard",
    "publish",
    "show_progress",
    "style",
    "tell",
    "written",
]


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
    help="How long the user's code, and seqify's work on it, may take; 0: any time.  [default: 600]",
)
FORMAT = click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "markdown", "github"]),
    default="text",
    show_default=True,
    help="text: for a terminal. json, markdown, github: for programs, pages, and the annotations of a pull request.",
)
OUTPUT_FILE = click.option(
    "--output-file", type=click.Path(dir_okay=False), metavar="FILE", help="Write what goes to stdout here instead."
)


@contextlib.contextmanager
def show_progress() -> Iterator[Progress]:
    """What is being done, on the terminal."""
    from seqify.render.progress import Progress

    with Progress(sys.stderr or io.StringIO()) as progress:
        yield progress


def dtype_names(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """The values of `--dtype`."""
    for name in value:
        if name not in ("float16", "bfloat16", "float32", "float64"):
            raise click.BadParameter(f"{name} is not one of float16, bfloat16, float32, float64")
    return value


def guard(command: str, target: str, run: Callable[[], Result]) -> Result | Report:
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
    """Print the report of a conversion in one of the formats, or put it into a file; as text the story is apart."""
    if format_ != "text":
        publish(written(report, format_), output_file)
        return
    from seqify.render.paint import color_diff
    from seqify.render.text import render_text

    terminal = _is_terminal(sys.stdout)
    content = "" if quiet_diff else report.diff
    if content and not output_file and terminal and not os.environ.get("NO_COLOR"):
        content = color_diff(content)
    publish(content, output_file)
    gap = "\n" if content and terminal else ""
    click.echo(gap + render_text(report, *style(sys.stderr)), err=True)


def written(report: Report | Reports, format_: str) -> str:
    """A report in one of the formats that are not for a terminal."""
    if format_ == "json":
        return json.dumps(report.to_dict(), indent=2, default=str) + "\n"
    if format_ == "markdown":
        from seqify.render.markdown import render_markdown

        return render_markdown(report)
    from seqify.render.github import render_github

    return render_github(report)


def style(stream: TextIO | None) -> tuple[bool, bool]:
    """Whether a stream shows colour, and whether it can show `✓`."""
    unicode = (getattr(stream, "encoding", None) or "").lower().replace("-", "") == "utf8"
    return _is_terminal(stream) and not os.environ.get("NO_COLOR"), unicode


def publish(content: str, output_file: str | None) -> None:
    """Print what a command has to say, or put it into a file."""
    if output_file:
        from seqify.files import write_atomically

        try:
            write_atomically(output_file, content.encode())
        except OSError as error:
            raise click.UsageError(f"--output-file {output_file}: {error.strerror or error}") from None
    else:
        _print(content)


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
