"""Several recordings of one forward, and what they agree on."""

# One recording shows one path. forward is recorded in eval and in train, at two batch sizes:
#
#              batch 8      batch 3
#     eval     base         shape differs?
#     train    mode differs?
#
# Where a recording has other calls than the base, the difference is the diagnosis: SQ103 between the modes, SQ102
# between the shapes. Where only plain arguments differ, the step says so, and what rests on it is not converted.
# `training=` of a dropout is the one difference that has a meaning of its own.

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import torch
from torch import nn

from seqify.diagnostics import Diagnostic, Location
from seqify.errors import CannotAsk, Refusal, SeqifyError
from seqify.flow import Flow, Step, leaves
from seqify.inputs import Inputs
from seqify.load import quiet, user_frames
from seqify.trace import on_meta, record

__all__ = ["observe", "runs", "stand_in"]

# Above this many numbers in parameters and buffers, shapes alone are computed: on the meta device, whose first use
# costs half a second. Below it the real thing is faster.
_SMALL = 20_000_000


def stand_in(module: nn.Module) -> nn.Module:
    """A copy of a module to try things on: the real thing while it is small, else its shapes on the meta device."""
    count = sum(tensor.numel() for tensor in (*module.parameters(), *module.buffers()))
    return copy.deepcopy(module) if count <= _SMALL else on_meta(module)


def runs(module: nn.Module, inputs: Inputs) -> bool:
    """Whether forward takes these inputs, in eval. The module may be changed by the call: give a stand-in."""
    try:
        with quiet(), torch.no_grad():
            type(module).forward(module.eval(), **_beside(module, inputs.with_batch(2)).values)
    except (Exception, SystemExit):
        return False
    return True


def _beside(module: nn.Module, inputs: Inputs) -> Inputs:
    """The inputs on the module's device."""
    first = next(iter((*module.parameters(), *module.buffers())), None)
    return inputs if first is None else inputs.to(first.device)


def observe(module: nn.Module, inputs: Inputs) -> Flow:
    """
    Record forward in both modes and at two batch sizes, and join what was seen.

    Raises:
        Refusal: SQ101 to SQ104, when the path rests on values, shapes or the mode.
        CannotAsk: SQ006, when the model itself raises on these inputs.
    """
    try:
        model = stand_in(module)
    except Exception as error:
        text = f"the model cannot be copied, so it cannot be watched: {type(error).__name__}: {error}"
        raise CannotAsk(Diagnostic("SQ006", text.splitlines()[0])) from None
    try:
        return _observe(model, inputs)
    except CannotAsk:
        if not any(tensor.is_meta for tensor in model.parameters()) or any(
            tensor.is_meta for tensor in module.parameters()
        ):
            raise
        return _observe(module, inputs)  # forward makes tensors of its own, which the meta device cannot mix with


def _observe(module: nn.Module, inputs: Inputs) -> Flow:
    inputs = _beside(module, inputs)
    other = inputs.with_batch(3 if inputs.batch != 3 else 5)
    base = _attempt(module, inputs, False)
    if isinstance(base, BaseException):
        raise _fails(base, "in eval")
    train = _attempt(module, inputs, True)
    if isinstance(train, BaseException):  # a batch of one is too small for batch normalisation
        train = _attempt(module, other, True)
    if isinstance(train, BaseException):
        raise _fails(train, "in train")
    flow = _join(base, train, "mode")
    if inputs.batch:
        shaped = _attempt(module, other, False)
        if isinstance(shaped, Flow):
            flow = _join(flow, shaped, "shape")
    return flow


def _attempt(module: nn.Module, inputs: Inputs, training: bool) -> Flow | BaseException:
    try:
        with quiet():
            return record(module, inputs.values, training)
    except SeqifyError:
        raise
    except (Exception, SystemExit) as error:
        return error


def _fails(error: BaseException, mode: str) -> CannotAsk:
    frames = user_frames(error.__traceback__)
    place = Location(frames[-1].filename, frames[-1].lineno or 1) if frames else None
    notes = tuple(f"{frame.filename}:{frame.lineno} in {frame.name}: {frame.line}" for frame in frames)
    text = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    return CannotAsk(Diagnostic("SQ006", f"the original model raises {mode}: {text}", place, notes=notes[-6:]))


def _join(base: Flow, other: Flow, axis: str) -> Flow:
    """The base recording, its steps marked where the other one's plain arguments differ."""
    steps = []
    for index, (left, right) in enumerate(zip(base.steps, other.steps, strict=False)):
        if (left.kind, left.target, _places(left)) != (right.kind, right.target, _places(right)):
            raise _differs(left, right, axis)
        steps.append(_mark(left, right, axis))
        assert left.index == index
    if len(base.steps) != len(other.steps):
        longer = max(base.steps, other.steps, key=len)
        raise _differs(longer[len(steps)], None, axis)
    if list(leaves(base.output)) != list(leaves(other.output)):
        raise _differs(base.steps[-1] if base.steps else None, None, axis)
    written = tuple(sorted({*base.written, *other.written}))
    return dataclasses.replace(base, steps=tuple(steps), written=written)


def _places(step: Step) -> list[Any]:
    return list(step.values())


def _mark(left: Step, right: Step, axis: str) -> Step:
    if right.mutates and not left.mutates:  # dropout in place mutates in train alone
        left = dataclasses.replace(left, mutates=True)
    differing = [pair for pair in _constants(left, right) if pair[0] != pair[1] or type(pair[0]) is not type(pair[1])]
    if not differing:
        return left
    if axis == "mode" and differing == [(False, True)]:
        return dataclasses.replace(left, follows_training=True)
    return dataclasses.replace(left, varies=axis)


def _constants(left: Step, right: Step) -> list[tuple[Any, Any]]:
    return list(zip(_plain((left.args, left.kwargs)), _plain((right.args, right.kwargs)), strict=False))


def _plain(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [len(value), *(leaf for item in value for leaf in _plain(item))]
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _plain(item)]
    if isinstance(value, slice):
        return _plain((value.start, value.stop, value.step))
    return [value if not isinstance(value, float) or value == value else "nan"]


def _differs(left: Step | None, right: Step | None, axis: str) -> Refusal:
    what = "train and eval run different calls" if axis == "mode" else "another batch size runs different calls"
    site = next((step.site for step in (left, right) if step is not None and step.site is not None), None)
    notes = tuple(
        f"{name} calls `{step.target}` at {step.site.location() if step.site else 'an unknown place'}"
        for name, step in (("the one", left), ("the other", right))
        if step is not None
    )
    return Refusal(
        Diagnostic("SQ103" if axis == "mode" else "SQ102", what, site.location() if site else None, notes=notes)
    )
