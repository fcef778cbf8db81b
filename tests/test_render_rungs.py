"""The rows of the table of checks."""

from __future__ import annotations

import dataclasses

import pytest
from reports import checks, different, numbers, plain, verified

from seqify.compare.verdict import Check
from seqify.diagnostics import Diagnostic
from seqify.proof.isomorphism import Proof
from seqify.render.rungs import Rung, rungs


def rows(report) -> dict[str, tuple[str, str]]:
    return {rung.name: (rung.mark, rung.words) for rung in rungs(report)}


def test_a_report_in_which_everything_agrees():
    coverage = "7 runs: float32 float64 autocast, batch of 1"

    assert rungs(verified()) == [
        Rung("ok", "forward", "cpu", "eval and train", f"bitwise equal   {coverage}"),
        Rung("ok", "gradients", "cpu", "eval and train", f"bitwise equal   {coverage}"),
        Rung("ok", "buffers", "cpu", "eval and train", f"bitwise equal   {coverage}"),
        Rung("ok", "tensors", "", "", "shapes, dtypes, ties and saved keys agree"),
        Rung("ok", "interface", "", "", "signature, keys, order, hooks, copies, errors on bad inputs: as before"),
        Rung("ok", "seed", "", "", "the same seed builds the same weights"),
        Rung("skipped", "cuda", "", "", "not available on this machine, not checked (SQ604)"),
        Rung("ok", "proof", "", "", "one graph: on cpu, eval and train, for x (8, 4)"),
    ]


def test_each_device_has_its_rows():
    report = verified(checks=(*checks(), *numbers("forward", device="cuda")), diagnostics=())

    assert [(rung.name, rung.device) for rung in rungs(report) if rung.device] == [
        ("forward", "cpu"), ("forward", "cuda"), ("gradients", "cpu"), ("buffers", "cpu"),
    ]  # fmt: skip


def test_what_differs_says_how_much_where_and_in_how_much_of_it():
    rung = rungs(different())[0]

    assert (rung.mark, rung.modes) == ("failed", "eval and train")
    assert rung.words == "different: greatest difference 0.0168, first in `output` (eval, float32); 5 of 5 comparisons"
    some = [
        *numbers("forward")[:4],
        *numbers("forward", ok=False, note="the old model: runs; the new one: KeyError")[4:],
    ]
    rung = rungs(different(checks=tuple(some)))[0]
    assert rung.words == "the old model: runs; the new one: KeyError (eval, float32, batch of 1); 1 of 5 comparisons"


def test_noise_is_told():
    note = "within the old model's own noise (1.00e-07)"
    noisy = numbers("forward", bitwise=False, max_abs=1e-7, note=note)

    assert (
        rungs(verified(checks=tuple(noisy)))[0].words
        == f"within noise: {note}   7 runs: float32 float64 autocast, batch of 1"
    )


def test_a_row_covers_no_more_than_it_ran():
    both = Check(
        "forward", "cpu", "float32", "eval", True, True, note="both raise ValueError", variant="other sizes", runs=1
    )
    rung = rungs(verified(checks=(*numbers("forward"), both)))[0]

    assert rung.words == (
        "bitwise equal   8 runs: float32 float64 autocast, batch of 1, other sizes (both raise ValueError)"
    )
    some = Check("buffers", "cpu", "float32", "eval", True, True, variant="other sizes")
    rung = rungs(verified(checks=(*numbers("forward"), both, some)))[0]
    assert rung.words.endswith("other sizes (both raise ValueError in some)")


def test_what_proves_nothing_has_failed():
    void = dataclasses.replace(plain("forward", "the output is constant", "void"), device="cpu", mode="eval")
    rung = rungs(verified(checks=(void,), status="failed", exit_code=2))[0]

    assert (rung.mark, rung.words) == ("failed", "the output is constant (eval)")


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("keys", "SQ501", "note"),
        ("order", "SQ505", "note"),
        ("signature", "SQ607", "note"),
        ("hooks", "SQ613", "note"),
        ("seed", "SQ407", "the same seed builds other weights: note"),
    ],
)
def test_what_is_no_difference_is_a_warning(name, code, words):
    item = Diagnostic(code, "note", help="this way out")
    found = rungs(verified(checks=checks(**{name: "note"}), diagnostics=(item,)))

    assert Rung("warning", name, "", "", f"{words} ({code})", ("this way out",)) in found
    interface = next(rung for rung in found if rung.name == "interface")
    assert name not in interface.words
    assert interface.words.count(",") == (5 if name == "seed" else 4)


def test_inputs_have_a_row_when_they_differ():
    assert "inputs after" not in rows(verified())
    wrong = numbers("inputs", ok=False, bitwise=False, max_abs=1.0, note="first in `x`")
    assert rows(verified(checks=tuple(wrong)))["inputs after"][0] == "failed"


@pytest.mark.parametrize(
    ("changes", "mark", "words"),
    [
        ({"proof": Proof("proved", "scope", conditions=("n < 3", "h > 1"))}, "ok", "one graph: scope, for sizes that meet 2 conditions"),
        ({"proof": Proof("unproved", reason="why"), "status": "tested"}, "skipped", "not proved: why"),
        ({"proof": Proof("unproved", reason="why"), "status": "tested", "exit_code": 1}, "failed", "not proved: why"),
        ({"proof": Proof("refuted", reason="why"), "status": "different", "exit_code": 1}, "skipped", "refuted: why"),
    ],
)  # fmt: skip
def test_the_proof(changes, mark, words):
    assert rows(verified(**changes))["proof"] == (mark, words)


def test_without_checks_there_are_no_rows():
    assert rungs(verified(checks=(), status="failed", exit_code=2)) == []
