"""The numbers: two modules side by side, compared bit for bit."""

#   old ──► trial ──► digests ──┐
#                               ├── equal? else the tensors themselves, and old once more: the noise it shows is allowed
#   new ──► trial ──► digests ──┘
#
# In eval and in train, for each dtype, on perturbed weights, at each of the inputs. The modules keep their state from
# one trial to the next, so that statistics and counters have gone several steps when they are compared the last time.

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from seqify.compare.interface import compare_tensors
from seqify.compare.noise import forgive
from seqify.compare.outcomes import compare_outcomes
from seqify.compare.runs import Trials, cast, placed, runs, short
from seqify.compare.side import Side
from seqify.compare.verdict import Check, Verdict
from seqify.trial import Setting

__all__ = ["check", "compare_trials"]


_VACUOUS = "the output is constant or not finite, which proves nothing"


def check(
    old: nn.Module | Side,
    new: nn.Module | Side,
    inputs: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
    device: str = "cpu",
    dtypes: Sequence[torch.dtype] = (torch.float32, torch.float64),
    progress: Callable[[str], None] = lambda _: None,
    modes: Sequence[str] = ("eval", "train"),
) -> Verdict:
    """
    Compare two modules on the same weights and inputs, in eval and in train.

    Args:
        old: the reference; it is copied, not changed.
        new: the candidate; it is copied, not changed.
        inputs: the arguments of forward by name, a mapping for each trial; two batch sizes say more than one.
        names: for each parameter, buffer and state_dict key of `new`, its name in `old`.
        device: where to compare.
        dtypes: floating-point types of parameters and floating-point inputs.
        progress: told what is being done.
        modes: "eval" and "train", or one of them.
    """
    old, new = (side if isinstance(side, Side) else Side(side) for side in (old, new))
    checks = [compare_tensors(old.describe(), new.describe(), names)]
    for dtype in dtypes:
        progress(f"comparing on {device} in {short(dtype)}")
        trials = Trials(inputs, Setting(device=device, dtype=dtype), modes)
        checks += compare_trials(old, new, trials, names, telling=True)
    return Verdict(tuple(checks))


def compare_trials(
    old: Side, new: Side, trials: Trials, names: Mapping[str, str], telling: bool = False
) -> list[Check]:
    """
    Compare two modules in some runs.

    Args:
        old: the reference.
        new: the candidate.
        trials: the runs.
        names: for each parameter, buffer and state_dict key of `new`, its name in `old`.
        telling: whether runs that prove nothing are failures; it takes further weights until every parameter matters.
    """
    trials = replace(trials, values=[cast(values, trials.setting) for values in trials.values])
    rows, silent = _compare(old, new, trials, names, telling=telling)
    for seed in (2, 3):
        if telling and silent and all(row.ok for row in rows):
            # other weights may wake what a dead activation kept from being compared
            more, still = _compare(old, new, trials, names, seed, telling)
            rows = [min(pair, key=lambda row: row.ok) for pair in zip(rows, more, strict=False)]
            silent &= still
    if telling and silent and all(row.ok for row in rows):
        note = f"no gradient reaches `{min(silent)}`, so the comparison proves nothing about it"
        rows = [replace(row, ok=False, level="void", note=note) if row.name == "gradients" else row for row in rows]
    if any(not row.ok and row.max_abs for row in rows):
        rows = forgive(old, new, trials, names, rows)
    return rows


def _compare(
    old: Side, new: Side, trials: Trials, names: Mapping[str, str], seed: int = 1, telling: bool = False
) -> tuple[list[Check], set[str]]:
    """The rows, and the parameters whose gradient was zero everywhere in every run: nothing depended on them."""
    setting = trials.setting
    try:
        given = {"seed": seed, "scale": trials.scale} if trials.state is None else {"state": trials.state}
        state = old.prepare(setting.device, setting.dtype, **given)
        keys = new.keys()
        new.prepare(setting.device, setting.dtype, state={name: state[names[name]] for name in keys})
    except (KeyError, RuntimeError) as error:
        note = f"the mapped weights do not load: {str(error).strip().splitlines()[0]}"
        return [placed(Check("weights", "", "", "-", False, False, note=note), trials)], set()
    checks: list[Check] = []
    silent: set[str] | None = None
    for mode in trials.modes:
        rows: list[list[Check]] = []
        told, ran = False, False
        for values, outcomes in runs((old, new), replace(trials, modes=(mode,))):
            told, ran = told or outcomes[0].telling, ran or outcomes[0].error is None
            if outcomes[0].error is None:
                silent = set(outcomes[0].silent) if silent is None else silent & outcomes[0].silent
            found = compare_outcomes((old, new), outcomes, names)
            if found and not found[0].ok and trials.raising and (outcomes[0].error or outcomes[1].error):
                found = [_one_raises(found[0], trials, values, old_raises=outcomes[0].error is not None)]
            rows.append([replace(placed(row, trials), mode=mode) for row in found])
        joined = _join(rows)
        if telling and joined and not told:
            note = _VACUOUS if ran else "both models raise on every input"
            if joined[0].ok:
                joined[0] = replace(joined[0], ok=False, bitwise=False, level="void", note=joined[0].note or note)
        checks += joined
    return checks, silent or set()


def _one_raises(row: Check, trials: Trials, values: Mapping[str, Any], old_raises: bool) -> Check:
    """A row for inputs that one side alone takes: nothing is lost where that is the new one."""
    if trials.raising == "old" and not old_raises:
        return row
    note = f"{_shapes(values)}: {row.note}"
    if trials.raising == "old":
        return replace(row, name="sizes", level="warning", ok=True, bitwise=True, note=note)
    return replace(row, name="sizes", level="warning", note=note)


def _shapes(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {tuple(item.shape)}" for name, item in values.items() if isinstance(item, Tensor))


def _join(trials: Sequence[Sequence[Check]]) -> list[Check]:
    """One row for each part, over all trials."""
    joined: dict[str, Check] = {}
    for row in (row for rows in trials for row in rows):
        known = joined.get(row.name)
        if known is None:
            joined[row.name] = row
            continue
        joined[row.name] = replace(
            known,
            ok=known.ok and row.ok,
            bitwise=known.bitwise and row.bitwise,
            max_abs=max(known.max_abs, row.max_abs),
            max_ulp=max((value for value in (known.max_ulp, row.max_ulp) if value is not None), default=None),
            note=known.note if not known.ok else row.note if not row.ok else known.note or row.note,
            runs=known.runs + row.runs,
        )
    return list(joined.values())
