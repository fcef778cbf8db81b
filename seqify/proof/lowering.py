"""The lowering of a module: what a run of it says of all other numbers, and of the runs that follow."""

#   first run ──► answered both ways ──► second run, on other numbers ──► in the other mode
#                        │                         │                            │   only where the first
#                   the same calls?           the same calls, and the state     │   left something behind
#                                             of Python as it was?              the same as without the first?
#
# The run is a real one, on real numbers. That it says something of all other numbers rests on what is watched for
# meanwhile: values that leave the tensors, as `item()` does, sizes that depend on values, clocks and random numbers of
# Python's own. Each is a doubt, and no proof. What nobody thought to watch for shows when the module runs once more, on
# other numbers: it has to make the same calls, and find Python's state as it left it. Where it makes others, as with a
# cache that the first run filled, the second run belongs to the record, and the third has to be like it.

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from seqify.proof.dispatch import Recorder
from seqify.proof.reach import changed, reachable
from seqify.proof.record import Record
from seqify.proof.running import Run, fresh, record
from seqify.trial import Setting, copied, each_tensor, strided_copy

__all__ = ["lower"]

_QUESTIONS = 4  # yes-or-no questions on values, each of which is answered both ways


def lower(module: nn.Module, values: Mapping[str, Any], setting: Setting) -> Record:
    """
    Run a module, forward and backward, and write down what it does.

    A yes-or-no question on values (as `if mask.any():`) is answered both ways; when the same calls follow, the answer
    does not matter.

    Args:
        module: it is copied, not changed.
        values: the arguments of forward by name; a single one is passed by position.
        setting: how it is run.
    """
    subject = _Subject(module, values, setting)
    before = reachable(subject.part, {}, subject.is_state)
    first = subject.run()
    if first.sound:
        _look_at_copy(subject, first)
    if first.sound and first.recorder.asked:
        _answer_both_ways(first, _Subject(module, values, setting).run)
    # what a module goes by besides its arguments does not depend on the type that it computes in
    thorough = setting.dtype is None and setting.autocast is None
    later = _again(first, subject) if first.sound and thorough else None
    if first.sound and thorough and changed(before, reachable(subject.part, {}, subject.accounted)):
        _other_mode(first, subject)
    return first.record(later)


class _Subject:
    """A copy of a module that is run several times, and keeps its state in between."""

    def __init__(self, module: nn.Module, values: Mapping[str, Any], setting: Setting) -> None:
        self.module, self.values, self.setting = module, values, setting
        self.part = copied(module)
        self.runs: list[Run] = []
        own = {_address(item) for item in (*module.parameters(), *module.buffers())}
        self._state = {_address(item) for item in (*self.part.parameters(), *self.part.buffers())}
        left = reachable(module, {}, lambda tensor: _address(tensor) in own)
        self.lost = changed(left, reachable(self.part, {}, self.is_state))  # what is not in the copy as it was
        self.part.train(setting.mode == "train")

    def run(self, answers: Mapping[int, bool] | None = None) -> Run:
        self.part.zero_grad(set_to_none=True)
        self.runs.append(record(self.part, fresh(self.values), self.setting, Recorder(answers)))
        return self.runs[-1]

    def move(self) -> None:
        """Go on with other numbers in the state and in the inputs."""
        _move(self.part)
        self.values = {name: each_tensor(value, _other) for name, value in self.values.items()}

    def is_state(self, tensor: Tensor) -> bool:
        return _address(tensor) in self._state

    def keeps(self, tensors: Sequence[Tensor]) -> bool:
        """Whether one of these very tensors can be reached."""
        met: set[int] = set()

        def meet(tensor: Tensor) -> bool:
            met.add(id(tensor))
            return True

        reachable(self.part, {}, meet)
        return any(id(tensor) in met for tensor in tensors)

    def accounted(self, tensor: Tensor) -> bool:
        """Whether a record says where the numbers of a tensor come from."""
        return self.is_state(tensor) or any(run.recorder.varies(tensor) for run in self.runs)


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata if tensor.layout is torch.strided else id(tensor)


def _look_at_copy(subject: _Subject, first: Run) -> None:
    """What is said of a copy is said of the module only where the copy is one in all respects."""
    doubts = first.recorder.doubts
    if subject.lost is not None:
        doubts[f"a copy of the module has another `{subject.lost}`", None] = None
    for tensor in (*subject.module.parameters(), *subject.module.buffers()):
        if not subject.is_state(tensor) and first.recorder.known(_address(tensor)) is not None:
            doubts["a copy of the module still takes a tensor of the module itself", None] = None
    if subject.keeps(first.inputs):
        doubts["forward keeps its input, and may tell whether it is given it again", None] = None


def _answer_both_ways(first: Run, run: Any) -> None:
    recorder = first.recorder
    asked, place = recorder.asked, recorder.places[0]
    if len(asked) > _QUESTIONS:
        recorder.doubts[f"forward asks {len(asked)} questions on values", place] = None
        return
    for answers in itertools.product((False, True), repeat=len(asked)):
        other = run(dict(zip(asked, answers, strict=True)))
        if other.recorder.asked.keys() != asked.keys() or other.recorder.doubts or not first.same_as(other):
            recorder.doubts["what forward does depends on values", place] = None
            return


# ---- the runs that follow


def _again(first: Run, subject: _Subject) -> Run | None:
    """
    Run a module again that has run once, on other numbers; give the run if it is another one.

    Returns:
        None where it is the same as the first, or where something speaks against both.
    """
    doubts, answers, values = first.recorder.doubts, first.recorder.asked, subject.values
    codes = dict(first.codes)
    left = reachable(subject.part, codes, subject.accounted)
    subject.move()
    second = subject.run(answers)
    if second.error is not None:
        # numbers that say where something starts, and the like, do not take any order
        subject.values = values
        second = subject.run(answers)
    reason = _against(first, second)
    path = changed(left, reachable(subject.part, codes, subject.accounted))
    if reason is None and path is not None:
        reason = f"forward changes `{path}`"
    later = None
    if reason is None and not first.same_as(second):
        third = subject.run(answers)
        if not second.same_as(third):
            reason = "forward does other things each time it is called"
        later = second
    if reason is not None:
        doubts[reason, None] = None
    return later


def _move(module: nn.Module) -> None:
    """Give the state other numbers: larger ones, or, where they may be indices, in another order."""
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.layout is torch.strided and 0 not in tensor.stride():
                tensor.copy_(tensor * 1.25 if tensor.is_floating_point() else tensor.flip(list(range(tensor.dim()))))


def _other(tensor: Tensor) -> Tensor:
    """An input with other numbers, in the range of its own."""
    turned = tensor.detach().flip(list(range(tensor.dim())))
    return strided_copy(turned * 0.75 if tensor.is_floating_point() else turned, tensor)


def _against(first: Run, second: Run) -> str | None:
    """What speaks against a second run being as the first."""
    before, after = first.recorder, second.recorder
    if second.error is not None:
        return f"forward raises {second.error} when it is called again, on other numbers"
    if after.doubts:
        return next(iter(after.doubts))[0]
    digests = {leaf.names for leaf in before.leaves.values() if leaf.kind == "constant"}
    for number, leaf in after.leaves.items():
        if leaf.kind == "constant":
            known = before.known(after.address(number))
            if known is not None and before.is_varying(known):
                return "forward keeps a tensor that follows from weights or inputs, and takes it the next time"
            if known is None and leaf.names not in digests:
                return "a constant that forward makes is another one with other numbers"
            if known is None and number not in after.lifted:
                return "a tensor comes from a call that could not be seen"
    return None


def _other_mode(first: Run, subject: _Subject) -> None:
    """
    A module that forward has changed has to do in the other mode what it does there without that, if only from the
    second call on, as with a cache.
    """
    mode = "eval" if subject.setting.mode == "train" else "train"
    setting = replace(subject.setting, mode=mode)
    subject.setting = setting
    subject.part.train(mode == "train")
    mixed = subject.run()
    alone = _Subject(subject.module, subject.values, setting)
    if not (mixed.same_as(alone.run()) or mixed.same_as(alone.run())):
        first.recorder.doubts[f"what forward does in {mode} depends on what it did before", None] = None
