"""Whether two networks differ at all, by brute force: everything that can be seen of them, in every bit."""

# This says what a mutant is, so it has to see more than what is measured with it, and shares no code with it. It knows
# nothing of graphs: it builds, calls, goes backward and takes steps, and compares what is left behind.
#
#   construction   built from the same seed: weights, buffers, random state afterwards
#   census         names, order, shapes, dtypes, ties, what is a parameter, what is saved, what is trained
#   trials         on moved weights, one after the other on the same two modules:
#                  eval, train; 4, 3 and 1 samples; small and large inputs; other strides; double precision
#   of each        structure, strides, aliases, outputs, inputs afterwards, gradients, buffers, random state, the error
#   steps          two steps of an optimizer

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .observation import Make, Record, Values, moved, record_all, steps, trials

__all__ = ["Reference", "differences", "first_unequal", "same_bits"]

Map = Mapping[str, str]

# Seeds and factors of moved weights: under large ones the bounds of activations are reached, and among small ones a
# rounding is not lost beside something large. On all but the first there are fewer trials.
WEIGHTS = ((5, 1.0), (6, 8.0), (7, 0.2))


class Reference:
    """The old network, and all that is recorded of it once for many new ones."""

    def __init__(self, make: Make, values: Values) -> None:
        self.fresh = make()
        self.state = torch.get_rng_state()  # as construction left it
        self.values = values
        self.moved = [moved(make(), seed, factor) for seed, factor in WEIGHTS]
        self.records = [self.seen(moved(make(), *weights), number) for number, weights in enumerate(WEIGHTS)]
        self.steps = steps(moved(make(), *WEIGHTS[0]), values)

    def seen(self, network: nn.Module, number: int) -> dict[str, Record]:
        """The trials, all of them on the first weights."""
        wanted = trials(self.values)
        return record_all(
            network, [trial for trial in wanted if not number or trial.name in ("eval", "train", "zeros")]
        )


def same_bits(left: Tensor | None, right: Tensor | None) -> bool:
    """Equal in type, shape and every bit; one NaN is like another."""
    if left is None or right is None:
        return left is right
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    a, b = (item.detach().contiguous().flatten() for item in (left, right))
    if torch.equal(a.view(torch.uint8), b.view(torch.uint8)):
        return True
    if not (left.is_floating_point() or left.is_complex()):
        return False
    a, b = (torch.view_as_real(item) if item.is_complex() else item for item in (a, b))
    unequal = (a != b) | (torch.signbit(a) != torch.signbit(b))
    return not bool((unequal & ~(torch.isnan(a) & torch.isnan(b))).any())


def names_between(old: nn.Module, new: nn.Module) -> tuple[Map | None, bool]:
    """For each parameter and buffer of the new network its name in the old one: by name, or else by position."""

    def listed(network: nn.Module) -> list[list[tuple[str, Tensor]]]:
        return [
            list(network.named_parameters(remove_duplicate=False)),
            list(network.named_buffers(remove_duplicate=False)),
        ]

    left, right = listed(old), listed(new)
    found: dict[str, str] = {}
    if all({name for name, _ in a} == {name for name, _ in b} for a, b in zip(left, right, strict=True)):
        return {name: name for group in right for name, _ in group}, False
    for a, b in zip(left, right, strict=True):
        if [tuple(item.shape) for _, item in a] != [tuple(item.shape) for _, item in b]:
            return None, True
        found |= {new_name: old_name for (old_name, _), (new_name, _) in zip(a, b, strict=True)}
    return found, True


def first_unequal(old: nn.Module, new: nn.Module) -> str:
    """The name in the old network of the first parameter or buffer that starts with other values, if there is one."""
    names, _ = names_between(old, new)
    own = dict(_all_tensors(old))
    for name, item in _all_tensors(new) if names is not None else ():
        if not same_bits(own[names[name]], item):
            return names[name]
    return ""


def _all_tensors(network: nn.Module) -> list[tuple[str, Tensor]]:
    """Parameters and buffers under all of their names."""
    return [*network.named_parameters(remove_duplicate=False), *network.named_buffers(remove_duplicate=False)]


def census(network: nn.Module, names: Map) -> dict[str, Any]:
    """All that is known of the tensors without their numbers, by the old names."""
    saved = {names.get(name, name) for name in network.state_dict()}
    first: dict[int, str] = {}
    traits: dict[str, Any] = {}
    for name, item in _all_tensors(network):
        old = names.get(name, name)
        owner = first.setdefault(id(item), old)
        traits[old] = (
            tuple(item.shape),
            str(item.dtype),
            item.requires_grad,
            isinstance(item, nn.Parameter),
            old in saved,
            owner,
        )
    order = [names.get(name, name) for name, _ in network.named_parameters()]
    return {"tensors": traits, "order of parameters": order, "saved": sorted(saved)}


def signature(network: nn.Module) -> list[tuple[str, Any]]:
    parameters = list(inspect.signature(type(network).forward).parameters.values())[1:]
    return [(item.name, item.default if item.default is not item.empty else "none") for item in parameters]


def differences(reference: Reference, make: Make) -> list[str]:
    """
    All that differs, in the order in which it was looked at; nothing for two that cannot be told apart.

    Args:
        reference: the old network.
        make: constructs the new one, from the seed of the old one.
    """
    found: list[str] = []
    old, new = reference.fresh, make()
    state = torch.get_rng_state()
    if signature(old) != signature(new):
        found.append("signature of forward")
    names, by_position = names_between(old, new)
    if names is None:
        return [*found, "parameters and buffers"]
    left, right = census(old, {}), census(new, names)
    found += [part for part in left if left[part] != right[part]]
    if by_position and found:
        found.append("names")
    if first_unequal(old, new):
        found.append("first values")
    if not torch.equal(reference.state, state):
        found.append("random state after construction")
    for number, (weights, records) in enumerate(zip(reference.moved, reference.records, strict=True)):
        again = make()
        if not _carried(weights, again, names):
            return [*found, "weights do not load"]
        which = f", weights times {WEIGHTS[number][1]}" if number else ""
        for name, seen in reference.seen(again, number).items():
            found += [f"{part}, {name}{which}" for part in _unequal(records[name], seen, names)]
    again = make()
    _carried(reference.moved[0], again, names)
    state_after = {names.get(name, name): item for name, item in steps(again, reference.values).items()}
    keys = reference.steps.keys() | state_after.keys()
    if not all(same_bits(reference.steps.get(key), state_after.get(key)) for key in keys):
        found.append("two steps")
    return found


def _carried(old: nn.Module, new: nn.Module, names: Map) -> bool:
    """Give the new network the weights of the old one."""
    source, target, saved = dict(_all_tensors(old)), dict(_all_tensors(new)), set(old.state_dict())
    with torch.no_grad():
        for name, item in target.items():
            if names[name] in saved:
                if item.shape != source[names[name]].shape:
                    return False
                item.copy_(source[names[name]])
    return True


def _unequal(old: Record, new: Record, names: Map) -> list[str]:
    if "error" in old.facts or "error" in new.facts:
        return [] if old.facts.get("error") == new.facts.get("error") else ["error"]
    found = [part for part in old.facts if old.facts[part] != new.facts.get(part)]
    for part, left in old.parts.items():
        right = new.parts[part]
        if part in ("gradients", "buffers"):
            right = {names.get(name, name): item for name, item in right.items()}
        if left.keys() != right.keys() or not all(same_bits(left[name], right[name]) for name in left):
            found.append(part)
    return found
