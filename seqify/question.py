"""A question of `verify`: one target and another, or a target and what it was at a git revision."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seqify.base import base_of, check_imports, surroundings, target_at, told_at
from seqify.child import Child, child_for
from seqify.config import Config, read_config
from seqify.diagnostics import Diagnostic, Severity
from seqify.errors import CannotAsk, SeqifyError
from seqify.report import Report
from seqify.revisions import Revision
from seqify.target import parse_target
from seqify.version import versions

if TYPE_CHECKING:
    from seqify.verification import Opened

__all__ = ["Question", "ask", "configured_targets"]


@dataclass(frozen=True)
class Question:
    """
    What is asked.

    Attributes:
        old: the reference, as the user names it.
        new: the candidate; the same text where a revision is given.
        inputs: example inputs as texts; found when there are none.
        options: further arguments of `compare_opened`, with types by their names.
        revision: the one that the old side is of; None where both are of the working tree.
        configured: whether the project's settings name it; then the inputs are from there too, and a target that the
            revision does not have is no failure.
    """

    old: str
    new: str
    inputs: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    revision: Revision | None = None
    configured: bool = False


def configured_targets(start: str | os.PathLike[str]) -> list[tuple[str, tuple[str, ...]]]:
    """
    The targets of the project and their inputs, as they are named in the working folder.

    Raises:
        CannotAsk: SQ001, when there are none, or the settings cannot be read.
    """
    config = read_config(start)
    if not config.targets:
        message = "no TARGET was given, and there is no `pyproject.toml`"
        if config.root is not None:
            settings = os.path.relpath(config.root / "pyproject.toml")
            message = f"no TARGET was given, and `{settings}` has none in `[[tool.seqify.target]]`"
        help_ = 'name one, or add `[[tool.seqify.target]]` with `target = "model.py:Net"` and `inputs = ["8,3,32,32"]`'
        raise CannotAsk(Diagnostic("SQ001", message, help=help_))
    found = []
    for entry in config.targets:
        text = entry.target.text
        if entry.target.path is not None and config.root is not None:
            path = os.path.relpath(os.path.join(config.root, entry.target.path))
            text = path + text[len(entry.target.path) :]
        found.append((text, entry.inputs))
    return found


def ask(question: Question, timeout: float | None, progress: Callable[[str], None]) -> Report:
    """
    Compare both sides, each in a process of its own.

    Whoever gives a revision has its files laid out; nothing of them is in the report.

    Raises:
        SeqifyError: the question cannot be asked, or seqify will not answer it.
    """
    revision = question.revision
    try:
        report = _compare(question, timeout, progress)
    except SeqifyError as error:
        if revision is None:
            raise
        report = Report("verify", question.old, "failed", 2, {}, diagnostics=error.diagnostics)
        raise type(error)(*told_at(report, revision).diagnostics) from None
    return report if revision is None else told_at(report, revision)


def _compare(question: Question, timeout: float | None, progress: Callable[[str], None]) -> Report:
    revision = question.revision
    text = question.old if revision is None else target_at(question.old, revision)
    with contextlib.ExitStack() as stack:

        def start(target: str, at: Revision | None) -> Child:
            around = surroundings(sys.path, at) if revision is not None else {}
            name = target if at is None else f"{target} at {at.name}"
            return stack.enter_context(child_for(name, timeout=timeout, progress=progress, **around))

        children = start(question.old, revision), start(question.new, None)
        # torch is imported here while the children import it
        warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
        from seqify.verification import compare_opened, open_text

        try:
            old = open_text(text, children[0], question.old)
        except CannotAsk as error:
            if revision is None or error.diagnostic.code != "SQ001":
                raise
            open_text(question.new, children[1])  # it may be in neither
            return _new(question, revision)
        _check(question, children[0])
        new = open_text(question.new, children[1], question.new)
        inputs, old = _inputs(question, old)
        report = compare_opened(
            old,
            new,
            inputs,
            base=None if revision is None else base_of(revision),
            progress=progress,
            **_with_types(question.options),
        )
        _check(question, children[0])  # forward may have imported more
        return report


def _check(question: Question, child: Child) -> None:
    if question.revision is not None:
        check_imports(child.call("seqify.opened:files"), question.old, question.revision)


def _with_types(options: Mapping[str, Any]) -> dict[str, Any]:
    import torch

    dtypes = [getattr(torch, name) for name in options.get("dtypes", ())]
    others = {name: value for name, value in options.items() if name != "dtypes"}
    return {**others, **({"dtypes": dtypes} if dtypes else {})}


def _inputs(question: Question, old: Opened) -> tuple[list[str] | None, Opened]:
    """The texts to use. Of the settings those of the working tree count, not those of the revision."""
    texts, configured = tuple(question.inputs), question.configured
    if not texts and question.revision is not None:
        target = parse_target(question.new)
        config: Config = read_config(os.path.dirname(target.path or "") or ".")
        texts, configured = config.inputs_for(target), True
    if not texts or not configured:
        return list(texts) or None, old

    def find(given: Any, progress: Callable[[str], None]) -> Any:
        return dataclasses.replace(old.inputs(given, progress), origin="configured")

    return list(texts), dataclasses.replace(old, inputs=find)


def _new(question: Question, revision: Revision) -> Report:
    """The report of a target that the revision does not have."""
    level = Severity.NOTE if question.configured else Severity.ERROR
    message = f"`{question.new}` is new: `{revision.name}` ({revision.short}) does not have it"
    help_ = "there is nothing to compare it with; an older file under another name: `seqify verify OLD NEW`"
    return Report(
        command="verify",
        target=question.old,
        other=question.new,
        base=base_of(revision),
        status="new" if question.configured else "failed",
        exit_code=0 if question.configured else 2,
        versions=versions(),
        diagnostics=(Diagnostic("SQ001", message, help=help_, level=level),),
    )
