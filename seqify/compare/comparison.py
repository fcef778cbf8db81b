"""The comparison of two sides: correspondence, interface, graphs, numbers, and where they part."""

#   describe ─► correspond ─► interface ─► numbers: given, further axes ─► graphs ─► divergence
#                                              │                             │          only where a number differs
#                                              └─► checks                    └─► proof

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from seqify.compare.axes import bad_inputs, further, given, small
from seqify.compare.checks import compare_trials
from seqify.compare.divergence import find_divergence
from seqify.compare.interface import compare_interfaces, compare_tensors, same_seed
from seqify.compare.runs import Trials, cast
from seqify.compare.side import Description, Side
from seqify.compare.verdict import Check, Divergence, Verdict
from seqify.inputs import Inputs
from seqify.proof.correspondence import Correspondence, correspond
from seqify.proof.isomorphism import Case, Proof, prove
from seqify.trial import Setting

__all__ = ["Comparison", "compare_sides"]

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Comparison:
    """All that was found out about two sides."""

    names: Mapping[str, str]
    verdict: Verdict
    proof: Proof
    divergence: Divergence | None = None
    correspondence: Correspondence | None = None

    @property
    def status(self) -> str:
        """ "equivalent", "tested" or "different"."""
        if not self.verdict.ok:
            return "different"
        exact = all(item.bitwise for item in self.verdict.checks if item.level == "error")
        return "equivalent" if self.proof.status == "proved" and exact else "tested"


def compare_sides(
    old: Side,
    new: Side,
    example: Inputs,
    *,
    names: Mapping[str, str] | None = None,
    devices: Sequence[str] = ("cpu",),
    dtypes: Sequence[torch.dtype] = (torch.float32, torch.float64),
    modes: Sequence[str] = ("eval", "train"),
    symbolic: bool = False,
    interface: bool = True,
    weights: Mapping[str, Tensor] | None = None,
    progress: Progress = lambda _: None,
) -> Comparison:
    """
    Compare two modules in every way there is.

    Args:
        old: the reference.
        new: the candidate.
        example: the inputs.
        names: for each parameter, buffer and key of `new`, its name in `old`; found out when None.
        devices: where to compare.
        dtypes: of the main trials.
        modes: "eval" and "train", or one of them.
        symbolic: prove it for symbolic sizes too.
        weights: of the old module, to compare with besides perturbed ones.
        interface: whether signature, keys, order, hooks and bad inputs are compared as well.
        progress: told what is being done.
    """
    progress("looking at both modules")
    sides = old.describe(), new.describe()
    reduced = small(example, old.accepts)
    correspondence = None
    if names is None:
        correspondence = _correspond(old, new, sides, reduced)
        names = correspondence.names
    names = {name: names.get(name, name) for name in (*sides[1].traits, *sides[1].saved, *names)}
    checks = [compare_tensors(*sides, names)]
    if interface:
        checks += compare_interfaces(*sides, names)
    failing: list[tuple[Trials, list[Check]]] = []

    def compare(trials: Trials, telling: bool = False) -> None:
        rows = compare_trials(old, new, trials, names, telling)
        if any(not row.ok and row.level == "error" for row in rows):
            failing.append((trials, rows))
        checks.extend(rows)

    for device in devices:
        for number, trials in enumerate(given(example, reduced, device, dtypes, modes)):
            progress(f"comparing on {device} in {str(trials.setting.dtype).removeprefix('torch.')}")
            compare(trials, telling=number == 0)
        progress(f"comparing on {device} along the axes")
        for trials in further(reduced, device, modes, dtypes[0]):
            compare(trials)
    if weights is not None:
        progress("comparing with the checkpoint's weights")
        state = _fitting(weights, sides[0].saved)
        compare(Trials([reduced.values], Setting(device=devices[0]), modes, "checkpoint", state=state))
    if interface:
        checks += _errors(old, new, reduced, names, dtypes[0])
    drawn = same_seed(old, new, names)
    verdict = Verdict(tuple(checks) + ((drawn,) if drawn else ()))
    progress("lowering both to ATen")
    proof = _proof(old, new, example, reduced, names, devices, dtypes, modes, symbolic)
    divergence = None
    if not verdict.ok:
        progress("looking for the first call that differs")
        divergence = _divergence(old, new, failing, names)
        numbers = any(not row.ok for _, rows in failing for row in rows)
        proof = replace(proof, status="refuted" if numbers and proof.status == "unproved" else "unproved")
    return Comparison(names, verdict, proof, divergence, correspondence)


def _fitting(weights: Mapping[str, Tensor], keys: Sequence[str]) -> Mapping[str, Tensor]:
    """Weights without a prefix that wrappers put before all keys."""
    for prefix in ("", *_PREFIXES):
        cut = {key.removeprefix(prefix): item for key, item in weights.items()}
        if cut.keys() & set(keys):
            return cut
    return weights


_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "backbone.")


def _correspond(old: Side, new: Side, sides: tuple[Description, Description], example: Inputs) -> Correspondence:
    traits = [{name: (*found[:2], found[3]) for name, found in side.traits.items()} for side in sides]
    if traits[0].keys() == traits[1].keys():
        return Correspondence({name: name for name in traits[1]})
    records = [side.lower(example.values, Setting("eval")) for side in (old, new)]
    return correspond(records[0], records[1], (traits[0], traits[1]))


# ---- graphs


def _proof(
    old: Side,
    new: Side,
    example: Inputs,
    reduced: Inputs,
    names: Mapping[str, str],
    devices: Sequence[str],
    dtypes: Sequence[torch.dtype],
    modes: Sequence[str],
    symbolic: bool,
) -> Proof:
    proofs = []
    for device in devices:
        cases = []
        if symbolic:
            cases = _symbolic(old, new, example, names, device, modes)
        if not cases and example is not reduced:
            cases = [_case(old, new, example.values, Setting(mode, device)) for mode in modes]
        for setting, values in _settings(reduced, device, dtypes, modes):
            cases.append(_case(old, new, values, setting))
        found = prove(cases, names, device)
        if found.status != "proved":
            return found
        proofs.append(found)
    return replace(proofs[0], scope="; ".join(proof.scope for proof in proofs))


def _settings(
    example: Inputs, device: str, dtypes: Sequence[torch.dtype], modes: Sequence[str]
) -> list[tuple[Setting, Mapping[str, Any]]]:
    """Every mode at two batch sizes and a batch of one, and the last mode in the other types."""
    found = []
    batches = dict.fromkeys([example.batch, 3 if example.batch != 3 else 5, 1]) if example.batch else {}
    sizes = [example.with_batch(batch).values for batch in batches] or [example.values]
    for mode in modes:
        found += [(Setting(mode, device), values) for values in sizes]
    found.append((Setting("eval", device, grad=False), example.values))
    for dtype in dict.fromkeys((*dtypes, torch.bfloat16)):
        if dtype is not torch.float32:
            found.append((Setting(modes[-1], device, dtype), example.values))
    found.append((Setting(modes[-1], device, autocast=torch.bfloat16), example.values))
    return found


def _case(old: Side, new: Side, values: Mapping[str, Any], setting: Setting, symbolic: str = "") -> Case:
    values = cast(values, setting)
    left, right = old.lower(values, setting, symbolic), new.lower(values, setting, symbolic)
    dtype = f"autocast {_short(setting.autocast)}" if setting.autocast else _short(setting.dtype or torch.float32)
    shapes: Mapping[str, tuple[Any, ...]] = left.symbols
    if not shapes:
        shapes = {name: tuple(item.shape) for name, item in values.items() if isinstance(item, Tensor)}
    words = {
        "mode": setting.mode if setting.grad else "no_grad",
        "dtype": dtype,
        "inputs": ", ".join(f"{name} ({', '.join(map(str, shape))})" for name, shape in shapes.items()),
    }
    return Case(words, left, right)


def _symbolic(
    old: Side, new: Side, example: Inputs, names: Mapping[str, str], device: str, modes: Sequence[str]
) -> list[Case]:
    """The cases at symbolic sizes: all of them, else the batch alone, else none."""
    for which in ("all", "batch"):
        cases = []
        for mode in modes:
            case = _case(old, new, example.values, Setting(mode, device), which)
            if prove([case], names, device).status != "proved":
                break
            cases.append(case)
        else:
            return cases
    return []


def _short(dtype: torch.dtype | None) -> str:
    return str(dtype).removeprefix("torch.")


# ---- where they part


def _errors(old: Side, new: Side, example: Inputs, names: Mapping[str, str], dtype: torch.dtype) -> list[Check]:
    """What both do with bad inputs: a warning where one raises, a failure where both answer and differ."""
    notes, rows = [], []
    for words, values in bad_inputs(example):
        trials = Trials([values], Setting(dtype=None), ("eval",), f"bad input: {words}")
        found = [row for row in compare_trials(old, new, trials, names) if not row.ok]
        if any(row.note.startswith("the old model") for row in found):
            notes.append(f"{words}: {found[0].note}")
        else:
            rows += found[:1]
    note = notes[0] if notes else ""
    return [Check("errors", "-", "-", "-", not notes, not notes, note=note, level="warning"), *rows]


def _divergence(
    old: Side, new: Side, failing: Sequence[tuple[Trials, list[Check]]], names: Mapping[str, str]
) -> Divergence | None:
    for trials, rows in failing:
        bad = [row for row in rows if not row.ok and row.level == "error"]
        if not bad or bad[0].name == "weights":
            continue
        setting = replace(trials.setting, mode=bad[0].mode)
        for values in trials.values:
            state = old.prepare(setting.device, setting.dtype, seed=1)
            keys = new.keys()
            new.prepare(setting.device, setting.dtype, state={name: state[names[name]] for name in keys})
            found = find_divergence(old, new, cast(values, setting), setting, 1000)
            if found is not None:
                return found
    return None
