"""One of the two modules that are compared, wherever it lives."""

#   comparison ──► Side (in this process)
#              ──► child process ──► Side          the same questions and answers, over a pipe (`remote.py`)
#
# So answers are plain data and small: of a run, a digest of each tensor. Only where two digests differ are the tensors
# asked for.

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from seqify.compare.description import Description, describe
from seqify.diagnostics import Diagnostic
from seqify.errors import CannotAsk
from seqify.proof.digests import digest_of_numbers
from seqify.proof.dispatch import Recorder
from seqify.proof.lowering import lower
from seqify.proof.record import Close, Place, Record
from seqify.proof.running import fresh, record
from seqify.proof.watch import Watch
from seqify.trial import Seen, Setting, cast_module, copied, deterministic, perturb, run, says_something, steps

__all__ = ["Outcome", "Side", "same_bytes"]


@dataclass(frozen=True)
class Outcome:
    """
    What a run left behind, as digests.

    Attributes:
        error: type and text of what was raised; nothing else is then set but `place`, the line of user code.
        structure: of the output, without its numbers.
        digests: of each tensor, by part and name; None for an absent gradient.
        telling: whether the output has different numbers that follow the input.
        silent: the parameters whose gradient is zero everywhere.
    """

    error: str | None = None
    place: tuple[str, int] | None = None
    structure: Any = None
    digests: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    telling: bool = False
    silent: frozenset[str] = frozenset()


class Side:
    """
    A module, and the copy of it that is run.

    Args:
        module: it is copied, never changed.
        build: makes the module anew from a seed; None where nobody knows how.
        lines: where each submodule was constructed, by its path, as `(filename, row)`.

    Raises:
        CannotAsk: SQ006, when a parameter has no shape yet.
    """

    elsewhere = False  # whether it answers from another process

    def __init__(
        self,
        module: nn.Module,
        build: Callable[[int], nn.Module] | None = None,
        lines: Mapping[str, tuple[str, int]] | None = None,
    ) -> None:
        for name, item in (*module.named_parameters(), *module.named_buffers()):
            if is_lazy(item):
                message = f"`{name}` has no shape until the module has run once"
                raise CannotAsk(Diagnostic("SQ006", message, help="call the module on an input before"))
        self.module = module
        self.build = build
        self.lines = dict(lines or {})
        self._working = module
        self._seen = Seen()

    def describe(self) -> Description:
        """What can be said of the module without running it."""
        return describe(self.module)

    def accepts(self, values: Mapping[str, Any]) -> bool:
        """Whether it runs on an input, in eval, and says something."""
        probe = Side(self.module)
        probe.prepare("cpu", None)
        outcome = probe.run(values, Setting(grad=False), 0)
        return outcome.error is None and outcome.telling

    def keys(self) -> tuple[str, ...]:
        """The keys of its state_dict."""
        return tuple(self.module.state_dict())

    def construction(self) -> Mapping[str, tuple[str, int]]:
        """Where each submodule was constructed."""
        return self.lines

    def seeded(self, seed: int) -> Mapping[str, str] | None:
        """Digests of the state that a constructor draws from a seed; None where there is no constructor."""
        if self.build is None:
            return None
        return {
            name: digest_of_numbers(item)
            for name, item in self.build(seed).state_dict().items()
            if isinstance(item, Tensor)
        }

    def building(self, seed: int) -> tuple[Record, tuple[tuple[str, ...], ...]]:
        """The calls of ATen that the constructor makes, and for each digests of the tensors it gave."""
        assert self.build is not None
        recorder = Recorder()
        recorder.values = []
        with Watch(recorder), recorder:
            module = self.build(seed)
        state = {name: item for name, item in module.state_dict().items() if isinstance(item, Tensor)}
        results = {"state": {name: recorder.operand(item) for name, item in state.items()}}
        return Record(dict(recorder.leaves), tuple(recorder.calls), results), tuple(recorder.values)

    # ---- runs

    def prepare(
        self,
        device: str,
        dtype: torch.dtype | None,
        *,
        seed: int | None = None,
        scale: float = 1.0,
        state: Mapping[str, Any] | None = None,
        strict: bool = True,
    ) -> Mapping[str, Any]:
        """
        Make a fresh copy to run.

        Args:
            device: where to.
            dtype: of its floating-point parameters and buffers; None leaves them.
            seed: perturb its weights with it.
            scale: multiply its parameters by this, then.
            state: load this state_dict instead.
            strict: whether the keys have to agree.

        Returns:
            The copy's state_dict.

        Raises:
            RuntimeError: the state does not load.
        """
        self._working = copied(self.module)
        self._working = cast_module(self._working, device, dtype)
        if seed is not None:
            perturb(self._working, self._working.state_dict().keys(), seed, scale)
        if state is not None:
            self._working.load_state_dict(dict(state), strict=strict)
        state = self._working.state_dict()
        return {name: item.detach() if isinstance(item, Tensor) else item for name, item in state.items()}

    def run(self, values: Mapping[str, Any], setting: Setting, seed: int) -> Outcome:
        """Run the copy, forward and backward, and keep what it left behind for `part`."""
        return self._keep(setting, lambda: run(self._working, values, seed, setting))

    def train(self, values: Mapping[str, Any], setting: Setting, seed: int, count: int) -> Outcome:
        """Train the copy for some steps of SGD with momentum."""
        return self._keep(setting, lambda: steps(self._working, values, seed, setting, count))

    def _keep(self, setting: Setting, see: Callable[[], Seen]) -> Outcome:
        self._working.train(setting.mode == "train")
        with contextlib.nullcontext() if setting.deployed else deterministic(setting.device):
            self._seen = seen = see()
        if seen.error is not None:
            return Outcome(seen.error, seen.place)
        silent = {name for name, item in seen.parts.get("gradients", {}).items() if item is not None and not item.any()}
        return Outcome(
            structure=seen.structure,
            digests={
                part: {name: None if item is None else digest_of_numbers(item) for name, item in found.items()}
                for part, found in seen.parts.items()
            },
            telling=says_something(seen),
            silent=frozenset(silent),
        )

    def part(self, name: str) -> Mapping[str, Tensor | None]:
        """The tensors of one part of the last run, on the CPU."""
        return {key: None if item is None else item.cpu() for key, item in self._seen.parts[name].items()}

    def calls(
        self, values: Mapping[str, Any], setting: Setting, seed: int, wanted: Collection[int] = ()
    ) -> tuple[Record, Close, Mapping[int, tuple[Tensor, ...]]]:
        """
        Run the copy once more, and look at each ATen call.

        Args:
            values: the arguments of forward.
            setting: how it is run.
            seed: of the random state.
            wanted: the numbers of the calls whose tensors are to be kept.

        Returns:
            The record, a close look at it, and the wanted tensors by the number of their call.
        """
        recorder = Recorder()
        recorder.values, recorder.wanted = [], wanted
        module = copied(self._working).train(setting.mode == "train")
        module.zero_grad(set_to_none=True)
        with deterministic(setting.device):
            torch.default_generator.manual_seed(seed)
            run = record(module, fresh(values), setting, recorder)
        kept = {number: tuple(item.cpu() for item in found) for number, found in recorder.found.items()}
        raised = Place(*run.raised, "") if run.raised is not None else None
        look = Close(tuple(recorder.values), tuple(recorder.views), tuple(recorder.grads), raised)
        return run.record(), look, kept

    # ---- lowering

    def lower(self, values: Mapping[str, Any], setting: Setting, symbolic: str = "") -> Record:
        """
        Record a run of the module itself as calls of ATen.

        Args:
            values: the arguments of forward.
            setting: mode, dtype, device, autocast and whether gradients are recorded.
            symbolic: which sizes are symbols: "" none, "batch" the first dimension, "all" lengths and image sizes too.
        """
        module = self.module
        if setting.dtype is not None or setting.device != "cpu":
            module = cast_module(copied(module), setting.device, setting.dtype)
        if symbolic:
            from seqify.proof.symbolic import lower_symbolic

            return lower_symbolic(module, values, setting, symbolic)
        return lower(module, values, setting)


def same_bytes(left: Tensor, right: Tensor) -> bool:
    """Whether two tensors have the same shape, dtype and bits."""
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    # a copy, since a tensor with one element may be contiguous with any stride, and be no bytes for that
    plain = [tensor.detach().cpu().flatten().clone(memory_format=torch.contiguous_format) for tensor in (left, right)]
    a, b = (tensor.view(torch.uint8) for tensor in plain)
    return torch.equal(a, b)
