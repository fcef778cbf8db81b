"""The command `verify`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqify.cli.shared import (
    FORMAT,
    OUTPUT_FILE,
    TIMEOUT,
    dtype_names,
    guard,
    publish,
    show_progress,
    style,
    written,
)
from seqify.target import parse_target
from seqify.version import versions

if TYPE_CHECKING:
    from seqify.question import Question
    from seqify.report import Report, Reports

__all__ = ["verify"]

_EXIT = """
\b
Exit status:
  0  yes: equivalent; tested, unless --require-proof is given
  1  no: different, or not proved
  2  the question could not be asked
"""


@click.command(epilog=_EXIT)
@click.argument("targets", nargs=-1, metavar="OLD NEW | --base REV [TARGET...]")
@click.option(
    "--base",
    metavar="REV",
    help="Compare each TARGET with what it was at a git revision. Without one: all of [[tool.seqify.target]].",
)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="[NAME=][DTYPE:]SHAPE",
    help="An example input, as 8,3,32,32 or ids=int64:4,16; one for each argument. Found with OLD when left out.",
)
@click.option(
    "--map",
    "keymap",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="The key map that says which tensor is which. Found out when left out.",
)
@click.option(
    "--save-map", type=click.Path(dir_okay=False), metavar="FILE", help="Save the key map that was found, as JSON."
)
@click.option(
    "--checkpoint",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Compare with these weights of OLD too, besides perturbed ones.",
)
@click.option(
    "--mode",
    type=click.Choice(["both", "eval"]),
    default="both",
    show_default=True,
    help="eval: compare in eval alone.",
)
@click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="DEVICE",
    help="Where to compare: cpu, cuda or auto (cpu, and cuda where there is one). Repeatable.  [default: auto]",
)
@click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    metavar="DTYPE",
    callback=dtype_names,
    help="What to compare in. Repeatable.  [default: float32 and float64]",
)
@click.option(
    "--symbolic/--no-symbolic", default=True, show_default=True, help="Prove it for symbolic sizes too: takes seconds."
)
@click.option("--require-proof", is_flag=True, help="Exit 1 where every number agrees and nothing is proved.")
@click.option(
    "--repro",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write a script that shows a number that differs, without seqify.",
)
@click.option("--summary", type=click.Path(dir_okay=False), metavar="FILE", help="Append a Markdown page.")
@TIMEOUT
@FORMAT
@OUTPUT_FILE
def verify(
    targets: tuple[str, ...],
    base: str | None,
    inputs: tuple[str, ...],
    keymap: str | None,
    save_map: str | None,
    checkpoint: str | None,
    mode: str,
    devices: tuple[str, ...],
    dtypes: tuple[str, ...],
    symbolic: bool,
    require_proof: bool,
    repro: str | None,
    summary: str | None,
    timeout: float,
    format_: str,
    output_file: str | None,
) -> None:
    """Find out whether two modules do the same, with the same weights, in every number and gradient.

    OLD and NEW are path/model.py:Net, package.module:Net, model.py:Net(num_classes=10), a factory model.py:resnet18(),
    or an instance model.py:net. Each runs in a process of its own, and nothing is written unless an option asks for it.
    """
    if base is None and len(targets) != 2:
        raise click.UsageError("name two targets, OLD and NEW, or a revision with --base")
    if len(targets) != 1 and base is not None:
        for option, given in (("--input", inputs), ("--map", keymap), ("--save-map", save_map),
                              ("--checkpoint", checkpoint), ("--repro", repro)):  # fmt: skip
            if given:
                raise click.UsageError(f"{option} goes with one TARGET")
    options = {
        "keymap": keymap and os.path.abspath(keymap),
        "checkpoint": checkpoint and os.path.abspath(checkpoint),
        "mode": mode,
        "devices": devices or ("auto",),
        "dtypes": dtypes,
        "symbolic": symbolic,
        "require_proof": require_proof,
    }
    found = _compared(targets, base, inputs, options, timeout)
    report = guard("verify", " ".join(targets), lambda: _write(found, save_map, repro, summary))
    _tell(report, format_, output_file)
    raise SystemExit(report.exit_code)


def _compared(
    targets: Sequence[str],
    base: str | None,
    inputs: Sequence[str],
    options: Mapping[str, Any],
    timeout: float,
) -> Report | Reports:
    """The answer for two targets, or those for one or more at a revision."""
    from seqify.question import Question, configured_targets
    from seqify.report import Reports

    if base is None:
        question = Question(targets[0], targets[1], inputs, options)
        return guard("verify", targets[0], lambda: _ask(question, timeout))

    def run() -> Reports:
        from seqify.revisions import worktree

        listed = [(text, tuple(inputs)) for text in targets] or configured_targets(".")
        start = parse_target(listed[0][0]).path or "."
        with worktree(base, Path(start)) as revision:
            questions = [Question(text, text, texts, options, revision, not targets) for text, texts in listed]
            reports = [guard("verify", each.new, partial(_ask, each, timeout)) for each in questions]
        return Reports("verify", tuple(reports), versions())

    found = guard("verify", " ".join(targets) or "pyproject.toml", run)
    return found.reports[0] if isinstance(found, Reports) and len(targets) == 1 else found


def _ask(question: Question, timeout: float) -> Report:
    from seqify.question import ask

    with show_progress() as progress:
        return ask(question, timeout or None, progress)


def _write(report: Report | Reports, save_map: str | None, repro: str | None, summary: str | None) -> Report | Reports:
    """Write what was asked for, and say so."""
    from seqify.files import write_atomically
    from seqify.report import Report

    if isinstance(report, Report):
        keymap = report.keymap.to_json() if report.keymap is not None else ""
        missing = "the input is nothing that a script could draw" if report.divergence else "no number differs"
        for path, text, why in ((save_map, keymap, "nothing was compared"), (repro, report.repro, missing)):
            if path and text:
                write_atomically(path, text.encode())
            if path:
                click.echo(f"Wrote {path}." if text else f"{path} was not written: {why}.", err=True)
    if summary:
        with open(summary, "a", encoding="utf-8") as page:
            page.write(f"{written(report, 'markdown')}\n")
    return report


def _tell(report: Report | Reports, format_: str, output_file: str | None) -> None:
    if format_ != "text":
        publish(written(report, format_), output_file)
        return
    from seqify.render.text import render_text

    if output_file:
        publish(f"{render_text(report)}\n", output_file)
    elif report.status in ("failed", "refused") and not getattr(report, "checks", None):
        click.echo(render_text(report, *style(sys.stderr)), err=True)
    else:
        publish(f"{render_text(report, *style(sys.stdout))}\n", None)
