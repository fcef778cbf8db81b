"""The lowering of a module: one run of it, recorded as ATen calls."""

#   forward ──► calls ──► outputs · cotangents ──► backward ──► calls      of the gradient formulas, below autograd too
#
# The run is a real one, on real numbers (or on stand-ins without numbers, `symbolic.py`). That it says something of
# all other numbers rests on what is watched for meanwhile: values that leave the tensors, as `item()` does, sizes that
# depend on values, Python's own random numbers, attributes that forward changes. Each is a doubt, and no proof.

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from seqify.proof.dispatch import Recorder, Unseen, Watch, named_tensors, scoped
from seqify.proof.record import Leaf, Operand, Record
from seqify.trial import Setting, each_tensor, strided_copy

__all__ = ["Run", "fresh", "lower", "record"]

_QUESTIONS = 4  # yes-or-no questions on values, each of which is answered both ways


@dataclass
class Run:
    """One recorded run; `changed` names the attributes that forward has set to something else."""

    recorder: Recorder
    results: dict[str, dict[str, Operand | None]] = field(default_factory=dict)
    structure: Any = None
    error: str | None = None
    changed: list[str] = field(default_factory=list)

    def record(self) -> Record:
        found = self.recorder
        return Record(
            dict(found.leaves), tuple(found.calls), self.results, self.structure, self.error, tuple(found.doubts)
        )


def lower(module: nn.Module, values: Mapping[str, Any], setting: Setting) -> Record:
    """
    Run a module once, forward and backward, and write down what it does.

    A yes-or-no question on values (as `if mask.any():`) is answered both ways; when the same calls follow, the answer
    does not matter.

    Args:
        module: it is copied, not changed.
        values: the arguments of forward by name; a single one is passed by position.
        setting: how it is run.
    """

    def run(answers: Mapping[int, bool]) -> Run:
        part = copy.deepcopy(module).train(setting.mode == "train")
        found = record(part, fresh(values), setting, Recorder(answers))
        if found.changed:
            _settle(found, part, values, setting)
        return found

    found = run({})
    recorder = found.recorder
    asked = dict(recorder.asked)
    if len(asked) > _QUESTIONS:
        recorder.doubts[f"forward asks {len(asked)} questions on values", recorder.places[0]] = None
    elif asked and not recorder.doubts:
        for answers in itertools.product((False, True), repeat=len(asked)):
            other = run(dict(zip(asked, answers, strict=True)))
            if other.error or other.recorder.asked.keys() != asked.keys() or other.recorder.calls != recorder.calls:
                recorder.doubts["what forward does depends on values", recorder.places[0]] = None
                break
    return found.record()


def fresh(values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of forward, with copies of their tensors, strides and gaps included."""

    def copied(tensor: Tensor) -> Tensor:
        return strided_copy(tensor.detach(), tensor)

    return {name: each_tensor(value, copied) for name, value in values.items()}


def _settle(found: Run, module: nn.Module, values: Mapping[str, Any], setting: Setting) -> None:
    """
    Run a module again whose forward has changed its attributes. It must find there what it would leave there, as with a
    cache or a size that is kept, and call the same from then on. With a counter it does not.
    """
    later = []
    for _ in range(2):
        module.zero_grad(set_to_none=True)
        later.append(record(module, fresh(values), setting, Recorder(found.recorder.answers)))
    again, third = later
    if again.changed or again.recorder.calls != third.recorder.calls:
        found.recorder.doubts[f"forward changes `{found.changed[0]}`", None] = None


def record(module: nn.Module, given: Mapping[str, Any], setting: Setting, recorder: Recorder, real: bool = True) -> Run:
    """
    Run a module on arguments that are its own, under a recorder.

    Args:
        module: in the mode it is to run in; its buffers and gradients change.
        given: the arguments of forward by name.
        setting: how it is run.
        recorder: new; it holds the calls afterwards.
        real: whether the tensors have numbers.
    """
    run = Run(recorder)
    saved = set(module.state_dict())
    groups: dict[int, list[str]] = {}
    state = dict(_state(module))
    for name in state.keys() & saved:
        groups.setdefault(state[name].untyped_storage()._cdata, []).append(name)
    for tensor in state.values():
        names = groups.get(tensor.untyped_storage()._cdata)
        if names:
            recorder.number(tensor, Leaf("state", tuple(sorted(names))))
    leaves = dict(named_tensors(given))
    for tensor in leaves.values():
        tensor.requires_grad_(setting.grad and tensor.is_floating_point())
    # a clone of the leaf is what the module gets: a leaf itself could not be changed in place
    arguments = {name: each_tensor(value, lambda leaf: strided_copy(leaf, leaf)) for name, value in given.items()}
    inputs = dict(named_tensors(arguments))
    for name, tensor in inputs.items():
        recorder.number(tensor, Leaf("input", (name,)))
    attributes, python = _attributes(module), random.getstate()
    kept = [(tensor, tensor.detach().clone()) for tensor in [*module.buffers(), *inputs.values()]] if real else []
    outputs: dict[str, Tensor] = {}
    try:
        with setting.around(), scoped(module, recorder), Watch(recorder), recorder:
            output = module(*arguments.values()) if len(arguments) == 1 else module(**arguments)
        run.structure = _structure(output, "output", outputs)
        _backward(outputs, recorder)
        run.results = _results(module, saved, leaves, inputs, outputs, recorder)
    except Unseen as reason:
        recorder.doubts[str(reason), None] = None
    except (Exception, SystemExit) as error:
        run.error = type(error).__name__
        return run
    if random.getstate() != python:
        recorder.doubts["forward draws from Python's `random`", None] = None
    after = _attributes(module)
    run.changed = [name for name in {**attributes, **after} if attributes.get(name) != after.get(name)]
    _look_for_unseen_writes(recorder, kept)
    return run


def _backward(outputs: Mapping[str, Tensor], recorder: Recorder) -> None:
    tops = {name: tensor for name, tensor in outputs.items() if tensor.requires_grad}
    if not tops:
        return
    seeds = [torch.ones_like(tensor, memory_format=torch.contiguous_format) for tensor in tops.values()]
    for name, seed in zip(tops, seeds, strict=True):
        recorder.number(seed, Leaf("cotangent", (name,)))
    recorder.phase = "backward"
    with Watch(recorder), recorder:
        # not torch.autograd.backward(tensors, seeds), which imports sympy to compare the shapes
        total = sum((tensor * seed).sum() for tensor, seed in zip(tops.values(), seeds, strict=True))
        assert isinstance(total, Tensor)
        (total.real if total.is_complex() else total).backward()  # type: ignore[no-untyped-call]


def _results(
    module: nn.Module,
    saved: set[str],
    leaves: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    outputs: Mapping[str, Tensor],
    recorder: Recorder,
) -> dict[str, dict[str, Operand | None]]:
    parts: dict[str, Mapping[str, Tensor | None]] = {
        "forward": outputs,
        "inputs": inputs,
        "gradients": {name: item.grad for name, item in module.named_parameters(remove_duplicate=False)},
        "input gradients": {name: leaf.grad for name, leaf in leaves.items()},
        "buffers": {name: item for name, item in module.named_buffers(remove_duplicate=False) if name in saved},
    }
    return {
        part: {name: None if item is None else recorder.operand(item) for name, item in found.items()}
        for part, found in parts.items()
    }


def _look_for_unseen_writes(recorder: Recorder, kept: Sequence[tuple[Tensor, Tensor]]) -> None:
    """A kernel that changes a tensor and does not say so would make the numbers of all that follows wrong."""
    told = {storage for call in recorder.calls for storage in call.writes}
    for tensor, before in kept:
        if recorder.number(tensor) not in told and not torch.equal(tensor.detach().nan_to_num(), before.nan_to_num()):
            recorder.doubts["a tensor changes without a call that could be seen", None] = None


def _state(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


def _structure(value: Any, name: str, found: dict[str, Tensor]) -> Any:
    """Collect the tensors of an output; what is returned is all about it but the numbers."""
    if isinstance(value, Tensor):
        found[name] = value
        return ("tensor", value.requires_grad)
    if isinstance(value, Mapping):
        items = tuple((key, _structure(item, f"{name}[{key!r}]", found)) for key, item in value.items())
        return (type(value).__name__, items)
    if isinstance(value, tuple | list):
        items = tuple(_structure(item, f"{name}[{index}]", found) for index, item in enumerate(value))
        return (type(value).__name__, items)
    return value if isinstance(value, int | float | str | bool | None) else type(value).__name__


def _attributes(module: nn.Module) -> dict[str, Any]:
    """Numbers, texts and the like that a module and its submodules hold as attributes, or in plain lists and dicts."""
    found = {}
    for path, part in module.named_modules():
        for name, value in vars(part).items():
            if name.startswith("_") and name in _TORCHS_OWN:
                continue
            found[f"{path}.{name}".lstrip(".")] = _plain(value)
    return found


_TORCHS_OWN = frozenset(vars(nn.Module()))


def _plain(value: Any, depth: int = 3) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if depth and isinstance(value, list | tuple):
        return [_plain(item, depth - 1) for item in value]
    if depth and isinstance(value, dict):
        return {str(key): _plain(item, depth - 1) for key, item in value.items()}
    return type(value).__name__
