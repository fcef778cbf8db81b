"""The old side of a comparison with a git revision: what it imports from, and how its places are told."""

#   working tree            /repo/models/net.py        new side, as everything is
#   files of the revision   /tmp/…/models/net.py       old side: folder, sys.path and PYTHONPATH lead there
#                           origin/main:models/net.py  how a reader is told of it; the folder is gone by then
#
# Where an import still finds the working tree (an editable install may do that past sys.path), the old side would be
# the new one, and the answer worthless. So what was imported is looked at, file by file.

from __future__ import annotations

import dataclasses
import linecache
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqify.diagnostics import Diagnostic
from seqify.errors import CannotAsk
from seqify.report import Base, Report
from seqify.revisions import Revision, place
from seqify.target import parse_target

__all__ = ["base_of", "check_imports", "surroundings", "target_at", "told_at"]

_OWN = os.path.dirname(os.path.realpath(__file__)) + os.sep
# What git tells a hook of its repository; code that asks git for its version would hear of the wrong one.
_GIT_VARIABLES = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX", "GIT_COMMON_DIR")


def base_of(revision: Revision) -> Base:
    """The revision as a report has it."""
    return Base(revision.name, revision.commit, revision.short, str(revision.repository))


def surroundings(path: Sequence[str], revision: Revision | None) -> dict[str, Any]:
    """
    What a child has around it, as arguments of `Child`.

    Args:
        path: the `sys.path` of this process.
        revision: the one whose files it is to import; None for the working tree.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _GIT_VARIABLES}
    if revision is None:
        return {"environment": environment}
    tracked = _tracked(revision)
    if "PYTHONPATH" in environment:
        entries = environment["PYTHONPATH"].split(os.pathsep)
        environment["PYTHONPATH"] = os.pathsep.join(_moved(entry, revision, tracked) for entry in entries)
    folder = place(os.getcwd(), revision)
    return {
        "folder": str(folder if folder.is_dir() else revision.root),
        "path": [_moved(entry, revision, tracked) for entry in path],
        "environment": environment,
    }


def _moved(entry: str, revision: Revision, tracked: set[str]) -> str:
    """An entry of a path. An environment inside the repository, which git does not know, stays where it is."""
    moved = place(entry, revision) if entry else Path(entry)
    if not entry or moved.exists():
        return str(moved) if entry else entry
    inside = os.path.relpath(os.path.realpath(entry), revision.repository)
    known = any(name == inside or name.startswith(f"{inside}/") for name in tracked)
    return str(moved) if known else entry


def _tracked(revision: Revision) -> set[str]:
    """The files of the working tree that git knows, from its top."""
    environment = {name: value for name, value in os.environ.items() if name not in _GIT_VARIABLES}
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(revision.repository), "ls-files", "-z"]
    done = subprocess.run(command, env=environment, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return set(os.fsdecode(done.stdout).split("\0")) - {""}


def target_at(text: str, revision: Revision) -> str:
    """
    A target of the working tree as the revision has it.

    Raises:
        CannotAsk: SQ010, when its file is in another repository, or in none.
    """
    target = parse_target(text)
    if target.path is None:
        return text
    moved = place(os.path.abspath(target.path), revision)
    if not moved.is_relative_to(revision.root):
        message = f"`{target.path}` is not in `{revision.repository}`, which the revision is read from"
        raise CannotAsk(Diagnostic("SQ010", message))
    return f"{moved}{text.strip()[len(target.path) :]}"


def check_imports(files: Sequence[str], text: str, revision: Revision) -> None:
    """
    Whether the old side stands on the files of the revision alone.

    Args:
        files: of all modules that the old side has imported, links resolved.
        text: the target.
        revision: the one that it should be of.

    Raises:
        CannotAsk: SQ010, when it imports files of the working tree, or none of the revision.
    """
    top, root = f"{revision.repository}{os.sep}", f"{revision.root}{os.sep}"
    help_ = "name the file, as `path/model.py:Net`, and have the package found by its folder, not by an installation"
    if not any(name.startswith(root) for name in files):
        raise CannotAsk(Diagnostic("SQ010", f"`{text}` is not imported from the repository `{top[:-1]}`", help=help_))
    near = [name for name in files if name.startswith(top) and not name.startswith((root, _OWN))]
    tracked = _tracked(revision) if near else set()
    strange = [name[len(top) :] for name in near if name[len(top) :] in tracked]
    if strange:
        more = f", and {len(strange) - 1} more" if len(strange) > 1 else ""
        message = f"the old side of `{text}` imports `{strange[0]}` from the working tree{more}"
        raise CannotAsk(Diagnostic("SQ010", message, help=help_))


def told_at(report: Report, revision: Revision) -> Report:
    """The report with every place in the revision as git names it, `origin/main:model.py`; it still can be shown."""
    top, name = f"{revision.root}{os.sep}", f"{revision.name}:"

    def told(text: str) -> str:
        if text.startswith(top) and os.path.isfile(text):
            shown = name + text.removeprefix(top)
            lines = linecache.getlines(text)
            linecache.cache[shown] = sum(map(len, lines)), None, lines, shown
        return text.replace(top, name)

    parts = ("checks", "proof", "divergence", "diagnostics")
    return dataclasses.replace(report, **{part: _each_text(getattr(report, part), told) for part in parts})


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """A value with every text in it changed, in dataclasses, tuples and dicts."""
    if type(value) is str:
        return change(value)
    if isinstance(value, tuple | list):
        return type(value)(_each_text(item, change) for item in value)
    if isinstance(value, Mapping):
        return {_each_text(key, change): _each_text(item, change) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _each_text(getattr(value, field.name), change) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)
    return value
