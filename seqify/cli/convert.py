"""The command `convert`."""

from __future__ import annotations

import dataclasses
import keyword
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seqify.cli.shared import FORMAT, OUTPUT_FILE, TIMEOUT, dtype_names, guard, show_progress, tell
from seqify.diagnostics import Diagnostic
from seqify.errors import CannotAsk

if TYPE_CHECKING:
    from seqify.report import Report

__all__ = ["convert"]

_EXIT = """
\b
Exit status:
  0  yes: converted and proved, or nothing to convert; tested, with --allow-unproved
  1  no: different, refused, not proved, or --check found work
  2  the question could not be asked
"""


@click.command(epilog=_EXIT)
@click.argument("target")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="[NAME=][DTYPE:]SHAPE",
    help="An example input, as 8,3,32,32 or ids=int64:4,16; one for each argument. Found by probing when left out.",
)
@click.option(
    "--layout",
    type=click.Choice(["auto", "flat", "grouped", "function"]),
    default="auto",
    show_default=True,
    help="flat: the class becomes an nn.Sequential and keeps its keys. grouped: straight lines become nn.Sequential "
    "attributes. function: a function that returns one. auto: flat if it can be, else grouped.",
)
@click.option(
    "--depth",
    default="0",
    show_default=True,
    metavar="N|blocks|full",
    help="How many levels of submodules are opened; blocks: those that are straight lines; full: down to torch.nn. "
    "From 1 on, a new class is written.",
)
@click.option(
    "--mode",
    type=click.Choice(["both", "eval"]),
    default="both",
    show_default=True,
    help="eval: convert what forward does in eval alone, into a new class.",
)
@click.option(
    "--source",
    type=click.Choice(["auto", "edit", "new"]),
    default=None,
    help="edit: the class's own text. new: a new class, written from the model as it was built. auto: an edit if that "
    "can be done, else a new class.  [default: auto; edit with --write and --check]",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False), metavar="FILE", help="Write the converted file here.")
@click.option("--write", is_flag=True, help="Apply the diff to the file itself.")
@click.option("--force", is_flag=True, help="With --write: even if the file has uncommitted changes.")
@click.option("--check", "check_only", is_flag=True, help="Exit 1 if there is something to convert; write nothing.")
@click.option(
    "--map",
    "map_path",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Save the key map for checkpoints as JSON.",
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
@click.option("--no-verify", is_flag=True, help="Do not compare the result with the original.")
@click.option(
    "--symbolic/--no-symbolic",
    default=None,
    help="Prove it for symbolic sizes too, which takes seconds.  [default: where the input is large]",
)
@click.option("--allow-unproved", is_flag=True, help="Exact numbers are enough, without a proof.")
@click.option(
    "--min-length",
    type=click.IntRange(min=1),
    metavar="N",
    help="grouped: leave lines of fewer layers alone.  [default: 2]",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="OLD=NEW",
    help="grouped: another name for an attribute, as features=stem. Repeatable.",
)
@TIMEOUT
@FORMAT
@OUTPUT_FILE
def convert(
    target: str,
    inputs: tuple[str, ...],
    layout: str,
    depth: str,
    mode: str,
    source: str | None,
    output: str | None,
    write: bool,
    force: bool,
    check_only: bool,
    map_path: str | None,
    devices: tuple[str, ...],
    dtypes: tuple[str, ...],
    no_verify: bool,
    symbolic: bool | None,
    allow_unproved: bool,
    min_length: int | None,
    names: tuple[str, ...],
    timeout: float,
    format_: str,
    output_file: str | None,
) -> None:
    """Convert the forward of TARGET into an nn.Sequential: the diff on stdout, the story on stderr.

    TARGET is path/model.py:Net, package.module:Net, model.py:Net(num_classes=10), a factory model.py:resnet18(), or
    an instance model.py:net. Nothing is written unless -o or --write asks for it.
    """
    if sum([bool(output), write, check_only]) > 1:
        raise click.UsageError("-o, --write and --check exclude each other")
    if check_only and map_path:
        raise click.UsageError("--check writes nothing, so it has no use for --map")
    if force and not write:
        raise click.UsageError("--force goes with --write")
    if not (depth.isdigit() or depth in ("blocks", "full")):
        raise click.UsageError(f"--depth {depth}: a number, blocks or full")
    if write and (source == "new" or depth != "0" or mode != "both"):
        raise click.UsageError("--write edits the class; a new one goes to a file of its own with -o")
    renames = {}
    for item in names:
        old, sign, new = item.partition("=")
        if not (sign and old.isidentifier() and new.isidentifier()) or keyword.iskeyword(new):
            raise click.UsageError(f"--name {item}: write OLD=NEW, as features=stem")
        renames[old] = new

    def run() -> Report:
        from seqify.child import Child

        with show_progress() as progress, Child(timeout=timeout or None, progress=progress) as child:
            found: Report = child.call(
                "seqify.work:convert",
                target,
                inputs,
                layout=layout,
                depth=int(depth) if depth.isdigit() else depth,
                mode=mode,
                source=source or ("edit" if write or check_only else "auto"),
                min_length=min_length,
                names=renames,
                devices=devices or ("auto",),
                dtypes=dtypes,
                verify=not no_verify,
                symbolic=symbolic,
                allow_unproved=allow_unproved,
            )
        return found

    report = guard("convert", target, run)
    if report.exit_code == 0 and report.source:
        found = report
        report = guard("convert", target, lambda: _write(found, output, write, force, map_path))
    if check_only and report.diff:
        report = dataclasses.replace(report, exit_code=max(report.exit_code, 1))
    tell(report, format_, output_file, quiet_diff=bool(output or write))
    raise SystemExit(report.exit_code)


def _write(report: Report, output: str | None, write: bool, force: bool, map_path: str | None) -> Report:
    from seqify.files import write_atomically

    written = None
    same = output is not None and report.path is not None and os.path.realpath(output) == os.path.realpath(report.path)
    if (write or same) and report.path is not None:
        if not force:
            _refuse_dirty(report.path)
    if map_path and report.keymap is not None:
        write_atomically(map_path, report.keymap.to_json().encode())
    if write and report.path is not None:
        written = str(report.write())
    elif output:
        written = str(report.write(output))
    return dataclasses.replace(report, written=written)


def _refuse_dirty(path: str) -> None:
    """
    Raises:
        CannotAsk: SQ408, when git knows of changes to the file that are not committed.
    """
    command = ["git", "status", "--porcelain", "--", os.path.basename(path)]
    try:
        found = subprocess.run(command, cwd=Path(path).resolve().parent, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return
    if found.returncode == 0 and found.stdout.strip():
        raise CannotAsk(Diagnostic("SQ408", f"`{os.path.basename(path)}` has uncommitted changes"))
