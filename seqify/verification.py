"""The verification of a refactor: two modules that nobody described to each other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from seqify.asking import example_inputs, find_devices, read_names, read_weights
from seqify.child import Child
from seqify.compare.comparison import Comparison, compare_sides
from seqify.compare.remote import RemoteSide
from seqify.compare.side import Description, Side
from seqify.findings import comparison_diagnostics
from seqify.inputs import Inputs
from seqify.keymap import KeyMap
from seqify.load import load_live
from seqify.opened import side_of
from seqify.report import Report
from seqify.version import versions

__all__ = ["Opened", "compare_opened", "open_live", "open_text", "verify"]

Progress = Callable[[str], None]


class Opened:
    """
    A side that is ready to be compared.

    Attributes:
        name: what it was called.
        side: the module, here or in a child.
        inputs: finds its example inputs, from what was given.
    """

    def __init__(self, name: str, side: Side, inputs: Callable[[Any, Progress], Inputs]) -> None:
        self.name = name
        self.side = side
        self.inputs = inputs


def open_live(module: nn.Module) -> Opened:
    """A module of this process."""
    model = load_live(module)
    return Opened(model.name, side_of(model), lambda given, progress: example_inputs(model, given, progress))


def open_text(target: str, child: Child, name: str | None = None) -> Opened:
    """
    A target in a child process of its own.

    Raises:
        CannotAsk: SQ001 to SQ009: it does not load, or not in time.
    """
    child.call("seqify.opened:open_target", target)

    def inputs(given: Any, progress: Progress) -> Inputs:
        found: Inputs = child.call("seqify.opened:example", given)
        return found

    return Opened(name or target, RemoteSide(child), inputs)


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
        A report whose status is "equivalent", "tested" or "different"; `raise_if_different()` raises on the last.

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
        children = [stack.enter_context(Child(timeout=timeout, progress=progress)) for _ in texts]
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
    progress: Progress = lambda _: None,
) -> Report:
    """Compare two opened sides, and report; the arguments are those of `verify`."""
    places = find_devices(devices)
    names = None if keymap is None else read_names(keymap)
    weights = None if checkpoint is None else read_weights(checkpoint)
    example = old.inputs(inputs, progress)
    found = compare_sides(
        old.side,
        new.side,
        example,
        names=names,
        devices=places,
        dtypes=dtypes,
        modes=("eval",) if mode == "eval" else ("eval", "train"),
        symbolic=symbolic,
        weights=weights,
        progress=progress,
    )
    unproved = require_proof and found.status == "tested"
    return Report(
        command="verify",
        target=old.name,
        other=new.name,
        status=found.status,
        exit_code=1 if found.status == "different" or unproved else 0,
        versions=versions(),
        inputs=example.describe(),
        keymap=_keymap(found, old.side.describe(), new.side.describe()),
        checks=found.verdict.checks,
        proof=found.proof,
        divergence=found.divergence,
        diagnostics=tuple(dict.fromkeys(comparison_diagnostics(found, places, devices, unproved))),
    )


def _keymap(found: Comparison, old: Description, new: Description) -> KeyMap:
    place = {name: index for index, name in enumerate(old.parameters)}
    order = [place.get(found.names.get(name, ""), -1) for name in new.parameters]
    modules = {key.rpartition(".")[0]: found.names[key].rpartition(".")[0] for key in new.saved if key in found.names}
    return KeyMap(
        keys={key: found.names[key] for key in new.saved if key in found.names},
        modules=modules,
        parameter_order=tuple(order),
        shapes={name: tuple(traits[0]) for name, traits in new.traits.items() if name in new.saved},
        tensors=dict(found.names),
        parameters=(old.parameters, new.parameters),
        buffers=(_buffers(old), _buffers(new)),
    )


def _buffers(side: Description) -> tuple[str, ...]:
    return tuple(name for name, traits in side.traits.items() if not traits[3] and traits[4] == name)
