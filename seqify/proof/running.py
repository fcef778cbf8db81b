"""One run of a module, recorded as ATen calls."""

#   forward ──► calls ──► outputs · cotangents ──► backward ──► calls      of the gradient formulas, below autograd too

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

import torch
from torch import Tensor, nn

from seqify.proof.dispatch import Recorder, Unseen, named_tensors
from seqify.proof.numbering import number
from seqify.proof.record import Leaf, Operand, Record
from seqify.proof.watch import Listener, Watch, scoped
from seqify.structure import flatten, opaque_parts
from seqify.trial import Setting, each_tensor, strided_copy, user_place

__all__ = ["Run", "fresh", "record"]


@dataclass
class Run:
    """
    One recorded run.

    Attributes:
        recorder: holds the calls.
        results: as in a record.
        structure: of the output.
        error: the type of what was raised.
        raised: the line of user code that it came through.
        codes: the user code that ran, each with its globals.
        inputs: the tensors that forward was given.
    """

    recorder: Recorder
    results: dict[str, dict[str, Operand | None]] = field(default_factory=dict)
    structure: Any = None
    error: str | None = None
    raised: tuple[str, int] | None = None
    codes: Mapping[CodeType, dict[str, Any]] = field(default_factory=dict)
    inputs: Sequence[Tensor] = ()

    @property
    def sound(self) -> bool:
        """Whether it ran, and nothing speaks against it."""
        return self.error is None and not self.recorder.doubts

    def same_as(self, other: Run) -> bool:
        """Whether both computed the same from the same leaves."""
        if self.error is not None or other.error is not None:
            return self.error == other.error
        mine, its = number(self.record()), number(other.record())
        return (self.structure, mine.results, mine.aliases, mine.generator) == (
            *(other.structure, its.results, its.aliases, its.generator),
        )

    def record(self, later: Run | None = None) -> Record:
        found = self.recorder
        return Record(
            dict(found.leaves),
            tuple(found.calls),
            self.results,
            self.structure,
            self.error,
            tuple(found.doubts),
            later=later.record() if later is not None else None,
        )


def fresh(values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of forward, with copies of their tensors, strides and gaps included."""

    def copied(tensor: Tensor) -> Tensor:
        return strided_copy(tensor.detach(), tensor)

    return {name: each_tensor(value, copied) for name, value in values.items()}


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
    for kind in dict.fromkeys(opaque_parts(list(given.values()))):
        recorder.doubts[f"an input holds a `{kind}`, which is not looked into", None] = None
    _number_state(module, saved, recorder)
    leaves = dict(named_tensors(given))
    for tensor in leaves.values():
        tensor.requires_grad_(setting.grad and setting.input_grad and tensor.is_floating_point())
    # a clone of the leaf is what the module gets: a leaf itself could not be changed in place
    arguments = {name: each_tensor(value, lambda leaf: strided_copy(leaf, leaf)) for name, value in given.items()}
    inputs = dict(named_tensors(arguments))
    run.inputs = tuple(inputs.values())
    for name, tensor in inputs.items():
        recorder.number(tensor, Leaf("input", (name,)))
    kept = [(tensor, tensor.detach().clone()) for tensor in [*module.buffers(), *inputs.values()]] if real else []
    outputs: dict[str, Tensor] = {}
    switches = _switches(module)
    listener = Listener(recorder, real)
    try:
        with listener:
            with setting.around(), scoped(module, recorder), Watch(recorder), recorder:
                ambient = _ambient()
                output = module(*arguments.values()) if len(arguments) == 1 else module(**arguments)
                if _ambient() != ambient:
                    recorder.doubts["forward leaves torch with other settings", None] = None
            run.structure = flatten(output, "output", outputs, lambda tensor: tensor.requires_grad, _opaque(recorder))
            _backward(outputs, recorder)
        run.results = _results(module, saved, leaves, inputs, outputs, recorder)
    except Unseen as reason:
        recorder.doubts[str(reason), None] = None
    except (Exception, SystemExit) as error:
        run.error, run.raised = type(error).__name__, user_place(error)
        return run
    run.codes = listener.codes
    if _switches(module) != switches:
        recorder.doubts["forward changes `requires_grad` or `training`", None] = None
    _look_for_unseen_writes(recorder, kept)
    return run


def _number_state(module: nn.Module, saved: set[str], recorder: Recorder) -> None:
    """
    Make leaves of the parameters, and of the buffers that are saved. Names of one storage are one leaf. A buffer that
    is not saved is a constant: nobody loads other numbers into it.
    """
    state = dict(_state(module))
    parameters = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    groups: dict[int, list[str]] = {}
    for name in state.keys() & (saved | parameters):
        groups.setdefault(state[name].untyped_storage()._cdata, []).append(name)
    for tensor in state.values():
        names = groups.get(tensor.untyped_storage()._cdata)
        if names:
            recorder.number(tensor, Leaf("state", tuple(sorted(names))))


def _ambient() -> tuple[Any, ...]:
    """What of torch's own state the next call of a module goes by."""
    return (
        *(torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_default_dtype()),
        *(torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu"), torch.is_anomaly_enabled()),
        *(torch.get_deterministic_debug_mode(), torch.get_num_threads()),
    )


def _switches(module: nn.Module) -> list[bool]:
    return [item.requires_grad for item in module.parameters()] + [part.training for part in module.modules()]


def _opaque(recorder: Recorder) -> Any:
    def doubt(kind: str) -> None:
        recorder.doubts[f"forward returns a `{kind}`, which is not looked into", None] = None

    return doubt


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
    parameters = dict(module.named_parameters(remove_duplicate=False))
    parts: dict[str, Mapping[str, Tensor | None]] = {
        "forward": outputs,
        "inputs": inputs,
        "gradients": {name: item.grad for name, item in parameters.items()},
        "input gradients": {name: leaf.grad for name, leaf in leaves.items()},
        "buffers": {name: item for name, item in module.named_buffers(remove_duplicate=False) if name in saved},
        "parameters": parameters,
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
