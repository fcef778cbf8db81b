"""What can be seen of one network: calls in several modes and on several inputs, and all that each leaves behind."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from .built import batch, scaled

__all__ = ["Make", "Record", "Trial", "Values", "move_weights", "moved", "record_all", "steps", "trials"]

Values = dict[str, Any]
# A network is made again wherever another would be copied: a copy of a parameter has lost its hooks.
Make = Callable[[], nn.Module]


@dataclass(frozen=True)
class Trial:
    """One call: which inputs, in which mode."""

    name: str
    train: bool
    values: Values
    double: bool = False


@dataclass
class Record:
    """What one call left behind: plain facts, and tensors by name in parts."""

    facts: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, dict[str, Tensor | None]] = field(default_factory=dict)


def trials(values: Values) -> list[Trial]:
    turned = {name: _turned(value) for name, value in values.items()}
    double = {name: _double(value) for name, value in values.items()}
    return [
        Trial("eval", False, values),
        Trial("train", True, values),
        Trial("train of 3", True, batch(values, 3)),
        Trial("eval of 3", False, batch(values, 3)),
        Trial("eval of 1", False, batch(values, 1)),
        Trial("train of 1", True, batch(values, 1)),
        Trial("large inputs", False, scaled(values, 30.0)),
        Trial("large inputs in train", True, scaled(values, 30.0)),
        Trial("small inputs", False, scaled(values, 0.01)),
        Trial("zeros", False, scaled(values, 0.0)),
        Trial("other strides", False, turned),
        Trial("channels last", True, {name: _channels_last(value) for name, value in values.items()}),
        Trial("double precision", True, double, double=True),
    ]


def _turned(value: Any) -> Any:
    """The same numbers with the last two dimensions the other way round in memory."""
    if isinstance(value, Tensor) and value.dim() > 2:
        return value.transpose(-1, -2).contiguous().transpose(-1, -2)
    return value


def _channels_last(value: Any) -> Any:
    if isinstance(value, Tensor) and value.dim() == 4:
        return value.contiguous(memory_format=torch.channels_last)
    return value


def _double(value: Any) -> Any:
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


def moved(network: nn.Module, seed: int, factor: float) -> nn.Module:
    move_weights(network, seed)
    with torch.no_grad():
        for item in network.parameters():
            item.mul_(factor)
    return network


def move_weights(network: nn.Module, seed: int = 5) -> None:
    """Move what is saved away from its first values, in place; what was not negative stays so."""
    generator = torch.Generator().manual_seed(seed)
    saved = set(network.state_dict())
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    with torch.no_grad():
        for name, tensor in tensors.items():
            if name not in saved or not (tensor.is_floating_point() or tensor.is_complex()):
                continue
            noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float32).to(tensor.dtype)
            factor = torch.rand(tensor.shape, generator=generator, dtype=torch.float32).to(tensor.dtype) + 0.5
            positive = not tensor.is_complex() and bool((tensor >= 0).all()) and bool((tensor > 0).any())
            if positive:
                tensor.mul_(factor)
            else:
                spread = float(tensor.abs().float().mean()) or 0.3
                tensor.add_(noise * 0.4 * spread)


# ---- recording


def record_all(network: nn.Module, wanted: list[Trial]) -> dict[str, Record]:
    found = {}
    for number, trial in enumerate(wanted):
        if trial.double:
            network = network.double()
        network.train(trial.train)
        found[trial.name] = record(network, trial.values, 100 + number)
    return found


def record(network: nn.Module, values: Values, seed: int) -> Record:
    torch.manual_seed(seed)
    network.zero_grad(set_to_none=True)
    leaves: Values = {}
    given: Values = {}
    for name, value in values.items():
        if isinstance(value, Tensor):
            leaf = value.detach().clone(memory_format=torch.preserve_format)
            leaves[name] = leaf.requires_grad_(leaf.is_floating_point())
            given[name] = leaf.clone(memory_format=torch.preserve_format)
        else:
            given[name] = value
    seen = Record()
    outputs: dict[str, Tensor | None] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = network(*given.values()) if len(given) == 1 else network(**given)
            seen.facts["structure"] = _structure(result, "output", outputs)
            seen.facts["aliases"] = _aliases(outputs, {**given, **_tensors(network)})
            seen.parts["outputs"] = _copied(outputs)
            total = _weighted([item for item in outputs.values() if item is not None and item.requires_grad])
            if total is not None:
                total.backward()
    except Exception as error:
        seen.facts["error"] = type(error).__name__
        return seen
    seen.parts["inputs"] = _copied({name: item for name, item in given.items() if isinstance(item, Tensor)})
    seen.parts["input gradients"] = _copied({name: item.grad for name, item in leaves.items()})
    seen.parts["gradients"] = _copied({name: item.grad for name, item in network.named_parameters()})
    seen.parts["buffers"] = _copied(dict(network.named_buffers()))
    seen.facts["buffers with a gradient"] = sum(item.requires_grad for item in network.buffers())
    seen.facts["random state"] = torch.get_rng_state().numpy().tobytes()
    return seen


def _copied(tensors: Mapping[str, Tensor | None]) -> dict[str, Tensor | None]:
    return {name: None if item is None else item.detach().clone() for name, item in tensors.items()}


def _structure(value: Any, name: str, found: dict[str, Tensor | None]) -> Any:
    if isinstance(value, Tensor):
        found[name] = value
        return tuple(value.shape), str(value.dtype), value.stride(), value.requires_grad
    if isinstance(value, Mapping):
        items = [(key, _structure(item, f"{name}.{key}", found)) for key, item in value.items()]
        return type(value).__name__, items
    if isinstance(value, tuple | list):
        return type(value).__name__, [_structure(item, f"{name}.{i}", found) for i, item in enumerate(value)]
    return repr(value)


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    found = [*network.named_parameters(), *network.named_buffers()]
    return {f"self {number}": item for number, (_, item) in enumerate(found)}


def _aliases(outputs: Mapping[str, Tensor | None], others: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Which outputs share memory with one another, with an input, a parameter or a buffer."""
    owners: dict[int, str] = {}
    for name, item in others.items():
        if isinstance(item, Tensor) and item.numel():
            owners.setdefault(item.untyped_storage().data_ptr(), "self" if name.startswith("self ") else name)
    found = []
    for name, item in outputs.items():
        pointer = item.untyped_storage().data_ptr()
        if pointer in owners:
            found.append((name, owners[pointer]))
        owners.setdefault(pointer, name)
    return found


def _weighted(outputs: list[Tensor]) -> Tensor | None:
    generator = torch.Generator().manual_seed(3)
    total = None
    for item in outputs:
        weight = torch.randn(item.shape, generator=generator, dtype=torch.float64).to(item.dtype)
        term = (item * weight).sum()
        total = term if total is None else total + term.to(total.dtype)
    return total


def steps(network: nn.Module, values: Values) -> dict[str, Tensor]:
    """The state after two steps of an optimizer with momentum, by the names of the state."""
    network.train()
    trained = [item for item in network.parameters() if item.requires_grad]
    if trained:
        optimizer = torch.optim.SGD(trained, lr=0.05, momentum=0.9)
        for seed in (50, 51):
            if "error" not in record(network, values, seed).facts:
                optimizer.step()
    return {name: item.detach().clone() for name, item in network.state_dict().items()}
