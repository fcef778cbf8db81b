"""The comparison of two sides: correspondence, interface, graphs, numbers, and where they part."""

#   describe ─► correspond ─► interface ─► numbers: given, further axes ─► graphs ─► divergence
#                                              │                             │          only where a number differs
#                                              └─► checks                    └─► proof

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from seqify.compare.axes import bad_inputs, further, given, is_heavy, search, small
from seqify.compare.checks import compare_trials
from seqify.compare.description import Description
from seqify.compare.divergence import find_divergence
from seqify.compare.interface import compare_interfaces, compare_tensors, same_seed
from seqify.compare.runs import Trials, cast
from seqify.compare.side import Side
from seqify.compare.verdict import Check, Divergence, Verdict
from seqify.inputs import Inputs
from seqify.proof.correspondence import Correspondence, correspond
from seqify.proof.isomorphism import Case, Proof, prove
from seqify.trial import Setting

__all__ = ["Comparison", "compare_sides", "fitting"]

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Comparison:
    """All that was found out about two sides."""

    names: Mapping[str, str]
    verdict: Verdict
    proof: Proof
    divergence: Divergence | None = None
    correspondence: Correspondence | None = None
    failing: Sequence[tuple[Trials, Sequence[Check]]] = ()  # the runs in which something differed

    @property
    def status(self) -> str:
        """ "equivalent", "tested", "different", or "failed" where the numbers say nothing."""
        proved = self.proof.status == "proved"
        if self.verdict.differs:
            return "different"
        # what no gradient reaches is compared by the graphs alone, and that is enough where they are one
        void = [item for item in self.verdict.checks if item.level == "void" and not item.ok]
        if any(item.name != "gradients" or not proved for item in void):
            return "failed"
        exact = all(item.bitwise for item in self.verdict.checks if item.level == "error")
        return "equivalent" if proved and exact else "tested"


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
    lines = old.construction(), new.construction()
    checks = [compare_tensors(*sides, names, lines)]
    if interface:
        checks += compare_interfaces(*sides, names, lines)
    heavy = is_heavy(sum(math.prod(sides[0].traits[name][0]) for name in sides[0].parameters), example)
    failing: list[tuple[Trials, list[Check]]] = []

    def compare(trials: Trials, telling: bool = False) -> None:
        rows = compare_trials(old, new, trials, names, telling)
        if any(not row.ok and row.level == "error" for row in rows):
            failing.append((trials, rows))
        checks.extend(rows)

    for device in devices:
        for number, trials in enumerate(given(example, reduced, device, dtypes, modes, heavy)):
            progress(f"comparing on {device} in {str(trials.setting.dtype).removeprefix('torch.')}")
            compare(trials, telling=number == 0)
        progress(f"comparing on {device} along the axes")
        for trials in further(reduced, device, modes, dtypes[0], heavy):
            compare(trials)
    if weights is not None:
        progress("comparing with the checkpoint's weights")
        state = fitting(weights, sides[0].saved)
        compare(Trials([reduced.values], Setting(device=devices[0]), modes, "checkpoint", state=state))
    if interface:
        checks += _errors(old, new, reduced, names, dtypes[0])
    drawn = same_seed(old, new, names)
    checks += [drawn] if drawn else []
    verdict = Verdict(tuple(checks))
    progress("lowering both to ATen")
    proof = Proof("unproved")
    if not verdict.differs:
        proof = _proof(old, new, example, reduced, names, devices, dtypes, modes, symbolic, heavy)
    if not verdict.differs and proof.parting is not None:
        progress("looking for numbers that tell the two apart")
        for device in devices:
            for trials in search(reduced, device, modes, dtypes[0], heavy):
                if not failing:
                    compare(trials)
        verdict = Verdict(tuple(checks))
    divergence = None
    if verdict.differs:
        progress("looking for the first call that differs")
        divergence = _divergence(old, new, failing, names)
        proof = _refuted(old, new, reduced, names, failing)
    return Comparison(names, verdict, proof, divergence, correspondence, failing)


def fitting(weights: Mapping[str, Tensor], keys: Sequence[str]) -> Mapping[str, Tensor]:
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
    heavy: bool,
) -> Proof:
    proofs = []
    for device in devices:
        cases = []
        if symbolic:
            cases = _symbolic(old, new, example, names, device, modes)
        if not cases and example is not reduced:
            cases = [_case(old, new, example.values, Setting(mode, device)) for mode in modes]
        for setting, values in _settings(reduced, device, dtypes, modes, heavy):
            cases.append(_case(old, new, values, setting))
        found = prove(cases, names, device)
        if found.status != "proved":
            return found
        proofs.append(found)
    return replace(proofs[0], scope="; ".join(proof.scope for proof in proofs))


def _refuted(
    old: Side, new: Side, example: Inputs, names: Mapping[str, str], failing: Sequence[tuple[Trials, list[Check]]]
) -> Proof:
    """What a number that differs has refuted, and where the graphs part in its setting, if they do."""
    if not failing:
        return Proof("unproved", reason="the two hold other tensors")
    trials, rows = failing[0]
    mode = next((row.mode for row in rows if not row.ok and row.mode in trials.modes), trials.modes[0])
    found = prove([_case(old, new, example.values, replace(trials.setting, mode=mode))], names, trials.setting.device)
    if found.status == "proved":
        return Proof("unproved", reason="the graphs are one, and yet a number differs: they do not show everything")
    return replace(found, status="refuted")


def _settings(
    example: Inputs, device: str, dtypes: Sequence[torch.dtype], modes: Sequence[str], heavy: bool
) -> list[tuple[Setting, Mapping[str, Any]]]:
    """Every mode, further batch sizes, without gradients, the last mode in the other types and on plain inputs."""
    found = [(Setting(mode, device), example.values) for mode in modes]
    found.append((Setting("eval", device, grad=False), example.values))
    last = Setting(modes[-1], device, grad=not heavy)
    if example.batch:
        others = [batch for batch in (1, 3 if example.batch != 3 else 5) if batch != example.batch]
        settings = [replace(last, mode=mode) for mode in modes]
        found += [(setting, example.with_batch(batch).values) for setting in settings for batch in others]
    for dtype in dict.fromkeys((*dtypes, torch.bfloat16)):
        if dtype is not torch.float32:
            found.append((replace(last, dtype=dtype), example.values))
    found.append((replace(last, autocast=torch.bfloat16), example.values))
    found.append((replace(last, input_grad=False), example.values))  # as in training
    return found


def _case(old: Side, new: Side, values: Mapping[str, Any], setting: Setting, symbolic: str = "") -> Case:
    values = cast(values, setting)
    if old.elsewhere and new.elsewhere:  # two processes have two cores
        with ThreadPoolExecutor(2) as pool:
            left, right = pool.map(lambda side: side.lower(values, setting, symbolic), (old, new))
    else:
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
            state = old.prepare(setting.device, setting.dtype, seed=1, scale=trials.scale)
            keys = new.keys()
            new.prepare(setting.device, setting.dtype, state={name: state[names[name]] for name in keys})
            found = find_divergence(old, new, cast(values, setting), setting, 1000)
            if found is not None:
                return found
    return None
