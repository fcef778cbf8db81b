"""Reports as `verify` makes them, written by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

from seqify.compare.verdict import Check, Divergence, Pair, Spot
from seqify.diagnostics import Diagnostic, Location, Severity
from seqify.keymap import KeyMap
from seqify.proof.isomorphism import Proof
from seqify.report import Base, Report

VERSIONS = {"seqify": "0.1.0", "torch": "2.13.0"}
BASE = Base("origin/main", "4f1c2ab" * 5 + "4f1c2", "4f1c2ab", "/repo")
WARNINGS = ("signature", "keys", "order", "hooks", "copies", "errors")


def numbers(name: str, **traits: Any) -> list[Check]:
    """The checks of one part along the axes: float32 in both modes, float64, autocast, a batch of 1."""
    first = Check(name, "cpu", "float32", "eval", True, True, runs=2)
    found = [first, dataclasses.replace(first, mode="train")]
    found += [dataclasses.replace(first, dtype=dtype, runs=1) for dtype in ("float64", "autocast bfloat16")]
    found.append(dataclasses.replace(first, variant="batch of 1", runs=1))
    return [dataclasses.replace(item, **traits) for item in found]


def plain(name: str, note: str = "", level: str = "warning") -> Check:
    return Check(name, "-", "-", "-", not note, not note, note=note, level=level)


def checks(**notes: str) -> tuple[Check, ...]:
    """All that agree; `notes` say by name which of the warnings do not."""
    found = [plain("tensors", level="error"), *(plain(name, notes.get(name, "")) for name in WARNINGS)]
    for name in ("forward", "inputs", "gradients", "buffers"):
        found += numbers(name)
    seed = dataclasses.replace(plain("seed", notes.get("seed", "")), device="cpu")
    return (*found, seed)


def verified(**changes: Any) -> Report:
    """A report of two modules that are one graph, with `changes`."""
    report = Report(
        command="verify",
        target="old.py:Net",
        other="new.py:Net",
        status="equivalent",
        exit_code=0,
        versions=VERSIONS,
        inputs=({"name": "x", "shape": [8, 4], "dtype": "float32", "origin": "given"},),
        keymap=KeyMap({"fc.weight": "fc.weight", "fc.bias": "fc.bias"}, parameter_order=(0, 1)),
        matched="by name",
        checks=checks(),
        proof=Proof("proved", "on cpu, eval and train, for x (8, 4)"),
        diagnostics=(Diagnostic("SQ604", "cuda is not available on this machine, not checked"),),
    )
    return dataclasses.replace(report, **changes)


def spot(function: str, module: str, filename: str, row: int, text: str, shown: str) -> Spot:
    start = text.index(shown) + 1
    place = Location(filename, row, start, row, start + len(shown))
    return Spot(f"aten.{function}.default", function, module, filename, row, None, "forward", (8, 64), place, text)


OLD = spot("leaky_relu", "", "old.py", 16, "        x = F.leaky_relu(self.bn2(x))", "F.leaky_relu")
NEW = dataclasses.replace(
    spot("leaky_relu", "features.6", "new.py", 9, "            nn.LeakyReLU(0.1),", "nn.LeakyReLU(0.1)"), row=20
)
CONV = Spot("aten.convolution.default", "conv2d", "conv1", "old.py", 15, None, "forward", (8, 32))
FIRST = dataclasses.replace(CONV, module="features.0")
NORM = dataclasses.replace(CONV, op="aten.native_batch_norm.default", function="batch_norm", module="bn2")
FC = dataclasses.replace(CONV, op="aten.addmm.default", function="linear", module="fc", shape=(8, 10))

DIVERGENCE = Divergence(
    old=OLD,
    new=NEW,
    equal=6,
    argument=("negative_slope", 0.01, 0.1),
    share=0.463,
    max_abs=0.13,
    mode="eval",
    calls=(Pair(1, CONV, FIRST, 0.0), Pair(6, NORM, NORM, 0.0), Pair(7, OLD, NEW, 0.13), Pair(8, FC, FC, 0.0168)),
    total=12,
)


def different(**changes: Any) -> Report:
    """A report of two modules that part in a call, with `changes`."""
    forward = numbers("forward", ok=False, bitwise=False, max_abs=0.0168, note="first in `output`")
    error = Diagnostic(
        "SQ601",
        "call 7 is the first to differ; everything before it is bitwise equal",
        NEW.place,
        "`negative_slope=0.01` is what the old model has",
        ("given the same input, this call alone differs in 46.3 % of its elements, greatest difference 0.13",),
        Severity.ERROR,
    )
    report = verified(
        status="different",
        exit_code=1,
        checks=(plain("tensors", level="error"), *forward, *numbers("buffers")),
        proof=Proof("refuted", reason="`output` (forward) comes from other calls, in eval"),
        divergence=DIVERGENCE,
        diagnostics=(error,),
    )
    return dataclasses.replace(report, **changes)
