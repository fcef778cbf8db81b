"""The noise of the old model: where it differs from its own copy, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from seqify.compare.outcomes import RENAMED, compare_numbers, gap
from seqify.compare.runs import Trials, cast, runs
from seqify.compare.side import Side
from seqify.compare.verdict import Check

__all__ = ["forgive"]


def forgive(old: Side, new: Side, trials: Trials, names: Mapping[str, str], rows: Sequence[Check]) -> list[Check]:
    """
    Where the old model differs from its own copy, accept the new one's difference: at most twice that noise, or an
    error against float64 of at most twice the old model's own.
    """
    first, second = _tensors(old, trials, 1), _tensors(old, trials, 1)
    noise = {key: compare_numbers(first[key], second[key])[2] for key in first.keys() & second.keys()}
    noise = {key: value for key, value in noise.items() if 0 < value < float("inf")}
    if not noise:
        return list(rows)
    floor: dict[tuple[str, str], float] = {}
    for (part, mode, _), value in noise.items():
        floor[part, mode] = max(floor.get((part, mode), 0.0), value)
    errors = _errors(old, new, trials, names, first) if trials.setting.dtype is not torch.float64 else {}
    result = []
    for row in rows:
        key = row.name, row.mode
        if not row.ok and row.max_abs and key in floor:
            own, its = errors.get(key, (0.0, float("inf")))
            if row.max_abs <= 2 * floor[key] or its <= 2 * own:
                row = replace(row, ok=True, note=f"within the old model's own noise ({floor[key]:.2e})")
        result.append(row)
    return result


_Key = tuple[str, str, int]  # part, mode, number of the run


def _tensors(
    side: Side, trials: Trials, seed: int | None, state: Mapping[str, Any] | None = None
) -> dict[_Key, Mapping[str, Tensor | None]]:
    """Everything that all runs leave behind."""
    side.prepare(trials.setting.device, trials.setting.dtype, seed=seed, state=state)
    found: dict[_Key, Mapping[str, Tensor | None]] = {}
    for mode in trials.modes:
        for number, (_, (outcome,)) in enumerate(runs((side,), replace(trials, modes=(mode,)))):
            for part in outcome.digests:
                found[part, mode, number] = side.part(part)
    return found


def _errors(
    old: Side,
    new: Side,
    trials: Trials,
    names: Mapping[str, str],
    first: Mapping[_Key, Mapping[str, Tensor | None]],
) -> dict[tuple[str, str], tuple[float, float]]:
    """By part and mode, how far the old and the new model are from what the old one gives in float64."""
    setting = trials.setting
    state = old.prepare(setting.device, setting.dtype, seed=1)
    keys = new.keys()
    mapped = {name: state[names[name]] for name in keys}
    second = _tensors(new, trials, None, mapped)
    wide = replace(trials, setting=replace(setting, dtype=torch.float64, autocast=None))
    wide = replace(wide, values=[cast(values, wide.setting) for values in wide.values])
    exact = _tensors(old, wide, None, state)
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for key in first.keys() & second.keys() & exact.keys():
        part, mode, _ = key
        renamed = part in RENAMED
        right = {names.get(name, name) if renamed else name: item for name, item in second[key].items()}
        gaps = [_distance(exact[key], side) for side in (first[key], right)]
        known = found.get((part, mode), (0.0, 0.0))
        found[part, mode] = max(known[0], gaps[0]), max(known[1], gaps[1])
    return found


def _distance(exact: Mapping[str, Tensor | None], other: Mapping[str, Tensor | None]) -> float:
    gaps = [0.0]
    for name, item in exact.items():
        its = other.get(name)
        if item is not None and its is not None and item.shape == its.shape and item.is_floating_point():
            gaps.append(gap(item, its))
    return max(gaps)
