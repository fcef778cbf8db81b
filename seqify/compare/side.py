"""One of the two modules that are compared, wherever it lives."""

#   comparison ──► Side (in this process)
#              ──► child process ──► Side          the same questions and answers, over a pipe (`remote.py`)
#
# So answers are plain data and small: of a run, a digest of each tensor. Only where two digests differ are the tensors
# asked for.

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from seqify.proof.digests import digest_of_numbers
from seqify.proof.dispatch import Recorder
from seqify.proof.lowering import fresh, lower, record
from seqify.proof.record import Record
from seqify.trial import Seen, Setting, deterministic, perturb, run, says_something, steps

__all__ = ["Description", "Outcome", "Side", "same_bytes"]


@dataclass(frozen=True)
class Description:
    """
    What can be said of a module without running it.

    Attributes:
        kind: the name of its class.
        signature: of forward, without annotations.
        parameters: names in the order of `parameters()`.
        traits: by name of each parameter and buffer, `(shape, dtype, requires_grad, is a parameter, the first name of
            the same tensor)`.
        values: a digest of each of them.
        saved: the keys of its state_dict.
        hooks: how many hooks of each kind there are in all of it.
        training: its mode.
        copies: which of "deepcopy" and "pickle" work.
    """

    kind: str
    signature: tuple[tuple[str, str, str], ...]
    parameters: tuple[str, ...]
    traits: Mapping[str, tuple[Any, ...]]
    values: Mapping[str, str]
    saved: tuple[str, ...]
    hooks: Mapping[str, int]
    training: bool
    copies: Mapping[str, bool]


@dataclass(frozen=True)
class Outcome:
    """
    What a run left behind, as digests.

    Attributes:
        error: type and text of what was raised; nothing else is then set.
        structure: of the output, without its numbers.
        digests: of each tensor, by part and name; None for an absent gradient.
        telling: whether the output has different numbers that follow the input.
        silent: the parameters whose gradient is zero everywhere.
    """

    error: str | None = None
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
    """

    def __init__(
        self,
        module: nn.Module,
        build: Callable[[int], nn.Module] | None = None,
        lines: Mapping[str, tuple[str, int]] | None = None,
    ) -> None:
        self.module = module
        self.build = build
        self.lines = dict(lines or {})
        self._working = module
        self._seen = Seen()

    def describe(self) -> Description:
        module = self.module
        first: dict[int, str] = {}
        traits, values = {}, {}
        parameters = dict(module.named_parameters(remove_duplicate=False))
        for name, item in {**parameters, **dict(module.named_buffers(remove_duplicate=False))}.items():
            owner = first.setdefault(id(item), name)
            traits[name] = (tuple(item.shape), item.dtype, item.requires_grad, name in parameters, owner)
            values[name] = digest_of_numbers(item)
        return Description(
            kind=type(module).__name__,
            signature=_signature(module),
            parameters=tuple(name for name, _ in module.named_parameters()),
            traits=traits,
            values=values,
            saved=tuple(module.state_dict()),
            hooks=_hooks(module),
            training=module.training,
            copies={"deepcopy": _works(copy.deepcopy, module), "pickle": _works(_pickled, module)},
        )

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

    # ---- runs

    def prepare(
        self,
        device: str,
        dtype: torch.dtype | None,
        *,
        seed: int | None = None,
        state: Mapping[str, Any] | None = None,
        strict: bool = True,
    ) -> Mapping[str, Any]:
        """
        Make a fresh copy to run.

        Args:
            device: where to.
            dtype: of its floating-point parameters and buffers; None leaves them.
            seed: perturb its weights with it.
            state: load this state_dict instead.
            strict: whether the keys have to agree.

        Returns:
            The copy's state_dict.

        Raises:
            RuntimeError: the state does not load.
        """
        self._working = copy.deepcopy(self.module)
        self._working = self._working.to(device=device) if dtype is None else self._working.to(device, dtype)
        if seed is not None:
            perturb(self._working, self._working.state_dict().keys(), seed)
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
            return Outcome(seen.error)
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
        self, values: Mapping[str, Any], setting: Setting, seed: int, wanted: int | None = None
    ) -> tuple[Record, tuple[tuple[str, ...], ...], tuple[Tensor, ...]]:
        """
        Run the copy once more, and look at each ATen call.

        Args:
            values: the arguments of forward.
            setting: how it is run.
            seed: of the random state.
            wanted: the number of a call whose tensors are to be kept.

        Returns:
            The record, for each call digests of the tensors it gave, and the wanted ones.
        """
        recorder = Recorder()
        recorder.values, recorder.wanted = [], wanted
        module = copy.deepcopy(self._working).train(setting.mode == "train")
        module.zero_grad(set_to_none=True)
        with deterministic(setting.device):
            torch.default_generator.manual_seed(seed)
            run = record(module, fresh(values), setting, recorder)
        return run.record(), tuple(recorder.values), tuple(item.cpu() for item in recorder.found)

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
            module = copy.deepcopy(module).to(setting.device)
            module = module if setting.dtype is None else module.to(setting.dtype)
        if symbolic:
            from seqify.proof.symbolic import lower_symbolic

            return lower_symbolic(module, values, setting, symbolic)
        return lower(module, values, setting)


def same_bytes(left: Tensor, right: Tensor) -> bool:
    """Whether two tensors have the same shape, dtype and bits."""
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    a, b = (tensor.detach().cpu().contiguous().flatten().view(torch.uint8) for tensor in (left, right))
    return torch.equal(a, b)


def _signature(module: nn.Module) -> tuple[tuple[str, str, str], ...]:
    """Name, kind and default of each parameter of forward."""
    try:
        found = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(
        (item.name, item.kind.name, "" if item.default is item.empty else repr(item.default)) for item in found
    )


_HOOKS = [name for name, value in vars(nn.Module()).items() if "hooks" in name and hasattr(value, "__len__")]


def _hooks(module: nn.Module) -> dict[str, int]:
    found = {name: sum(len(vars(part).get(name) or ()) for part in module.modules()) for name in _HOOKS}
    found = {name: count for name, count in found.items() if count and not name.endswith(("_with_kwargs", "_called"))}
    tensors = sum(len(item._backward_hooks or ()) for item in module.parameters())
    return {**found, **({"tensor hooks": tensors} if tensors else {})}


def _works(function: Callable[[Any], Any], value: Any) -> bool:
    try:
        function(value)
    except Exception:
        return False
    return True


class _WithoutTensors(pickle.Pickler):
    def persistent_id(self, obj: Any) -> str | None:
        return "tensor" if isinstance(obj, Tensor) else None


def _pickled(module: nn.Module) -> None:
    _WithoutTensors(io.BytesIO()).dump(module)
