"""What a comparison has to say."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from reports import CONV, DIVERGENCE, NEW, OLD, checks, numbers, plain

from seqify.compare.comparison import Comparison
from seqify.compare.verdict import Pair, Verdict
from seqify.diagnostics import Diagnostic, Location, Severity
from seqify.differences import comparison_diagnostics
from seqify.proof.correspondence import Correspondence
from seqify.proof.isomorphism import Proof

HERE = Location("new.py", 5)
PROVED, UNPROVED = Proof("proved", "scope"), Proof("unproved", reason="the graphs part")
WRONG = numbers("forward", ok=False, bitwise=False, max_abs=0.1, note="first in `output`")


def told(
    *rows: Any, proof: Proof = PROVED, unproved: bool = False, command: str = "verify", **more: Any
) -> list[Diagnostic]:
    comparison = Comparison({}, Verdict(tuple(rows or checks())), proof, **more)
    return comparison_diagnostics(comparison, ["cpu"], ["cpu"], unproved, command, HERE)


def test_there_is_nothing_to_say_of_what_agrees():
    assert told() == []


def test_a_device_that_was_not_there():
    comparison = Comparison({}, Verdict(checks()), PROVED)

    assert [item.code for item in comparison_diagnostics(comparison, ["cpu"], ["auto"], False)] == ["SQ604"]
    assert comparison_diagnostics(comparison, ["cpu", "cuda"], ["auto"], False) == []


@pytest.mark.parametrize(
    ("command", "unproved", "severity", "help_"),
    [
        ("convert", True, Severity.ERROR, None),
        ("verify", False, Severity.NOTE, "leave `--require-proof` out, if exact numbers are enough"),
        ("verify", True, Severity.ERROR, "leave `--require-proof` out, if exact numbers are enough"),
    ],
)
def test_a_proof_that_is_missing(command, unproved, severity, help_):
    (item,) = told(proof=UNPROVED, command=command, unproved=unproved)

    assert (item.code, item.severity, item.help) == ("SQ611", severity, help_)
    assert item.message == "every number agrees, and there is no proof: the graphs part"


def test_warnings_have_a_place_and_a_way_out():
    place = Location("new.py", 9)
    keys = dataclasses.replace(plain("keys", "2 renamed: a → b, …"), location=place)
    first, second = told(*checks()[:3], keys, plain("seed", "`fc.weight` starts with other values"))

    assert first == Diagnostic(
        "SQ501",
        "2 renamed: a → b, …",
        place,
        "`--save-map FILE` saves the key map, which old checkpoints then need",
        level=Severity.WARNING,
    )
    assert (second.code, second.location) == ("SQ407", HERE)
    assert second.message == "the same seed builds other weights: `fc.weight` starts with other values"


def test_noise_is_told_once():
    noise = numbers("forward", bitwise=False, max_abs=1e-7, note="within the old model's own noise (1.00e-07)")

    assert [item.code for item in told(*noise)] == ["SQ605"]


def test_failures_are_one_diagnostic_for_each_code():
    more = numbers("gradients", ok=False, bitwise=False, max_abs=0.1, note="first in `fc.weight`")[:1]
    first, second = told(*WRONG, *more)

    assert (first.code, first.message) == (
        "SQ601",
        "forward (cpu, float32, eval): first in `output`, and 4 more checks",
    )
    assert (second.code, second.message) == ("SQ602", "gradients (cpu, float32, eval): first in `fc.weight`")
    assert {item.location for item in (first, second)} == {HERE}


def test_the_first_has_the_place_where_the_two_part():
    first, second = told(plain("tensors", "`fc.weight` differs", "error"), *WRONG, divergence=DIVERGENCE)

    assert (first.code, first.location) == ("SQ608", HERE)
    assert second.message == "call 7 is the first to differ; everything before it is bitwise equal"
    assert second.location == NEW.place
    assert second.notes == (
        "forward (cpu, float32, eval): first in `output`, and 4 more checks",
        "given the same input, this call alone differs in 46.3 % of its elements, greatest difference 0.13",
    )
    assert second.help == "`negative_slope=0.01` is what the old model has"


def relu(**changes: Any) -> Any:
    return dataclasses.replace(NEW, **{"op": "aten.relu.default", "function": "relu", **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"new": relu()}, "call 7 is the first to differ: `leaky_relu` became `relu`; everything before it is bitwise equal"),
        ({"old": None}, "call 7 is new: `leaky_relu`, which the old model has not; everything before it is bitwise equal"),
        ({"new": None}, "call 7 is gone: `leaky_relu`, which the new model has not; everything before it is bitwise equal"),
        (
            {"new": relu(phase="backward", op="aten.threshold_backward.default"), "old": None},
            "call 7 of backward is new: `threshold_backward`, which the old model has not; all of forward, and everything before it, is bitwise equal",
        ),
    ],
)  # fmt: skip
def test_words_for_the_call(changes, message):
    changed = {"old": OLD, "new": NEW, **changes}
    calls = (Pair(7, changed["old"], changed["new"], None),)
    found = told(*WRONG, divergence=dataclasses.replace(DIVERGENCE, **changes, calls=calls))

    assert found[0].message == message


def test_a_line_that_leads_to_the_call():
    (item,) = told(*WRONG, divergence=dataclasses.replace(DIVERGENCE, new=CONV))

    assert item.message == "this leads to call 7, the first to differ; everything before it is bitwise equal"


def test_one_that_raises_has_no_calls_to_compare():
    raising = plain("forward", "the old model: runs; the new one: ValueError: bad", "error")
    (item,) = told(raising, divergence=dataclasses.replace(DIVERGENCE, calls=(), old=None))

    assert (item.message, item.location) == ("forward: the old model: runs; the new one: ValueError: bad", NEW.place)


def test_what_proves_nothing():
    void = dataclasses.replace(plain("forward", "the output is constant", "void"), device="cpu", mode="eval")
    (item,) = told(void)

    assert (item.code, item.message) == ("SQ610", "forward (cpu, eval): the output is constant")


def test_tensors_without_a_partner():
    left = (("old", "a"), ("old", "b"), *(("new", name) for name in "cdefg"))
    (item,) = told(plain("tensors", "the new module has no `a`", "error"), correspondence=Correspondence({}, (), left))

    assert item.notes == (
        "of the old model without a partner: `a`, `b`",
        "of the new model without a partner: `c`, `d`, `e`, `f` and 1 more",
    )
