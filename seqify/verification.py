"""The verification of a refactor: two modules that nobody described to each other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from seqify.asking import check_names, check_weights, example_inputs, find_devices, read_names, read_weights
from seqify.child import Child, child_for
from seqify.compare.comparison import Comparison, compare_sides
from seqify.compare.description import Description
from seqify.compare.remote import RemoteSide
from seqify.compare.side import Side
from seqify.diagnostics import Diagnostic, Location
from seqify.differences import comparison_diagnostics
from seqify.errors import CannotAsk
from seqify.excerpts import with_excerpts
from seqify.inputs import Inputs
from seqify.keymap import KeyMap
from seqify.lines import construction_lines
from seqify.load import Model, load_live, load_target
from seqify.opened import class_line, side_of
from seqify.report import Base, Report
from seqify.repro import make_repro
from seqify.trial import Setting
from seqify.version import versions

__all__ = ["Opened", "compare_opened", "open_here", "open_live", "open_text", "verify"]

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Opened:
    """
    A side that is ready to be compared.

    Attributes:
        name: what it was called.
        side: the module, here or in a child.
        inputs: finds its example inputs, from what was given.
        place: the line of its class.
        live: whether it is a module that nobody has named a file for.
    """

    name: str
    side: Side
    inputs: Callable[[Any, Progress], Inputs]
    place: Location | None = None
    live: bool = False


def open_live(module: nn.Module) -> Opened:
    """A module of this process."""
    model = load_live(module)
    return Opened(model.name, side_of(model), _inputs_of(model), _location(class_line(model)), live=True)


def open_here(target: str) -> Opened:
    """
    A target in this process, where its code can do anything; `open_text` is for code that nobody has looked at.

    Raises:
        CannotAsk: SQ001 to SQ007: it does not load.
    """
    with construction_lines() as lines:
        model = load_target(target)
    return Opened(target, side_of(model, lines), _inputs_of(model), _location(class_line(model)))


def open_text(target: str, child: Child, name: str | None = None) -> Opened:
    """
    A target in a child process of its own.

    Args:
        target: as the child finds it.
        child: where its code is run.
        name: what the user calls it.

    Raises:
        CannotAsk: SQ001 to SQ009: it does not load, or not in time.
    """
    place = child.call("seqify.opened:open_target", target)

    def inputs(given: Any, progress: Progress) -> Inputs:
        found: Inputs = child.call("seqify.opened:example", given)
        return found

    return Opened(name or target, RemoteSide(child), inputs, _location(place))


def _inputs_of(model: Model) -> Callable[[Any, Progress], Inputs]:
    return lambda given, progress: example_inputs(model, given, progress)


def _location(line: tuple[str, int] | None) -> Location | None:
    return None if line is None else Location(*line)


def verify(
    old: str | nn.Module,
    new: str | nn.Module,
    inputs: Any = None,
    *,
    keymap: Mapping[str, str] | str | os.PathLike[str] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    mode: str = "both",
    devices: Sequence[str] = ("auto",),
    dtypes: Sequence[torch.dtype] = (torch.float32, torch.float64),
    symbolic: bool | None = None,
    require_proof: bool = False,
    timeout: float | None = 600,
    progress: Progress = lambda _: None,
) -> Report:
    """
    Whether two modules do the same: with the same weights, for the same inputs, in every number and gradient.

    Each target that is a text is loaded in a process of its own. Neither module is changed.

    Args:
        old: the reference: `"model.py:Net"`, or a live module.
        new: the candidate.
        inputs: example inputs, as for `convert`; found with the old module when None.
        keymap: for each key of the new module its key in the old one, or the file that `convert --map` wrote; found out
            when None.
        checkpoint: a file with weights of the old module to compare with, besides perturbed ones.
        mode: "both", or "eval" to compare in eval alone.
        devices: where to compare; "auto" is the CPU, and CUDA where there is one.
        dtypes: of the main trials.
        symbolic: prove it for symbolic sizes too; by default where a target is a text, since it costs seconds.
        require_proof: whether the exit code is 1 where every number agrees and nothing is proved.
        timeout: seconds that targets in processes of their own may take.
        progress: told what is being done.

    Returns:
        A report whose status is "equivalent", "tested", "different", or "failed" where what was compared proves
        nothing; `raise_if_different()` raises on the last two.

    Raises:
        CannotAsk: a target, the inputs, the map or the device do not allow the question.

    Example:
        >>> from torch import nn
        >>> a, b = nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nn.Sequential(nn.Linear(4, 4), nn.GELU())
        >>> seqify.verify(a, b, torch.randn(2, 4)).status
        'different'
    """
    with contextlib.ExitStack() as stack:
        opened = []
        texts = [item for item in (old, new) if isinstance(item, str)]
        # both are started before either is asked
        children = [stack.enter_context(child_for(text, timeout=timeout, progress=progress)) for text in texts]
        for item in (old, new):
            opened.append(open_text(item, children.pop(0)) if isinstance(item, str) else open_live(item))
        return compare_opened(
            opened[0],
            opened[1],
            inputs,
            keymap=keymap,
            checkpoint=checkpoint,
            mode=mode,
            devices=devices,
            dtypes=dtypes,
            symbolic=symbolic if symbolic is not None else isinstance(old, str) or isinstance(new, str),
            require_proof=require_proof,
            progress=progress,
        )


def compare_opened(
    old: Opened,
    new: Opened,
    inputs: Any,
    *,
    keymap: Mapping[str, str] | str | os.PathLike[str] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    mode: str = "both",
    devices: Sequence[str] = ("auto",),
    dtypes: Sequence[torch.dtype] = (torch.float32, torch.float64),
    symbolic: bool = False,
    require_proof: bool = False,
    base: Base | None = None,
    progress: Progress = lambda _: None,
) -> Report:
    """Compare two opened sides, and report; the arguments are those of `verify`, and `base` the old side's revision."""
    places = find_devices(devices)
    names = None if keymap is None else read_names(keymap)
    weights = None if checkpoint is None else read_weights(checkpoint)
    if names is not None:
        check_names(names, old.side, new.side)
    if checkpoint is not None and weights is not None:
        check_weights(weights, checkpoint, old.side)
    example = old.inputs(inputs, progress)
    modes = ("eval",) if mode == "eval" else ("eval", "train")
    _refuse_error(old, example, modes)
    found = compare_sides(
        old.side,
        new.side,
        example,
        names=names,
        devices=places,
        dtypes=dtypes,
        modes=modes,
        symbolic=symbolic,
        weights=weights,
        progress=progress,
    )
    if found.status == "failed":
        raising = [item.mode for item in found.verdict.checks if item.level == "void" and "raise" in item.note]
        _refuse_error(old, example, raising)
    unproved = require_proof and found.status == "tested"
    reason = found.proof.reason.replace(os.getcwd() + os.sep, "")
    found = replace(found, proof=replace(found.proof, reason=reason))
    if found.divergence is not None:
        found = replace(found, divergence=with_excerpts(found.divergence))
    return Report(
        command="verify",
        target=old.name,
        other=new.name,
        status=found.status,
        exit_code={"failed": 2, "different": 1, "tested": int(unproved)}.get(found.status, 0),
        versions=versions(),
        inputs=example.describe(),
        keymap=_keymap(found, old.side.describe(), new.side.describe()),
        checks=found.verdict.checks,
        proof=found.proof,
        divergence=found.divergence,
        base=base,
        matched=_matched(found, keymap is not None),
        repro="" if old.live or new.live else make_repro(found, example, (old.name, new.name), base),
        diagnostics=tuple(dict.fromkeys(comparison_diagnostics(found, places, devices, unproved, "verify", new.place))),
    )


def _refuse_error(old: Opened, example: Inputs, modes: Sequence[str]) -> None:
    """
    Raises:
        CannotAsk: SQ006, when the old module raises in each of these modes.
    """
    old.side.prepare("cpu", None)
    errors = []
    for mode in modes:
        errors.append(old.side.run(example.values, Setting(mode, grad=False), 0).error)
        if errors[-1] is None:
            return
    if errors:
        help_ = "`--mode eval`" if list(modes) == ["train"] else None
        message = f"the old model raises on this input in {' and '.join(modes)}: {errors[0]}"
        raise CannotAsk(Diagnostic("SQ006", message, help=help_))


def _matched(found: Comparison, given: bool) -> str:
    if given:
        return "as the key map says"
    renamed = found.correspondence is not None and found.correspondence.renamed
    return "by call order and shape" if renamed else "by name"


def _keymap(found: Comparison, old: Description, new: Description) -> KeyMap:
    place = {name: index for index, name in enumerate(old.parameters)}
    order = [place.get(found.names.get(name, ""), -1) for name in new.parameters]
    keys = {key: found.names[key] for key in new.saved if found.names.get(key) in set(old.saved)}
    modules = {key.rpartition(".")[0]: name.rpartition(".")[0] for key, name in keys.items()}
    return KeyMap(
        keys=keys,
        modules=modules,
        parameter_order=tuple(order),
        shapes={name: tuple(traits[0]) for name, traits in new.traits.items() if name in new.saved},
        tensors=dict(found.names),
        parameters=(old.parameters, new.parameters),
        buffers=(_buffers(old), _buffers(new)),
    )


def _buffers(side: Description) -> tuple[str, ...]:
    return tuple(name for name, traits in side.traits.items() if not traits[3] and traits[4] == name)
