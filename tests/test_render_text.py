"""The story of a comparison in a terminal."""

from __future__ import annotations

import dataclasses

import pytest
from reports import BASE, CONV, DIVERGENCE, NEW, VERSIONS, checks, different, numbers, plain, verified

from seqify.compare.verdict import Pair
from seqify.diagnostics import Diagnostic, Location, Severity
from seqify.keymap import KeyMap
from seqify.proof.isomorphism import Proof
from seqify.render.culprit import calls_table, label
from seqify.render.text import render_text
from seqify.report import Report, Reports

EQUIVALENT = """\
old      old.py:Net        new   new.py:Net
input    x (8, 4) float32, as given
weights  2 tensors carried from old to new, matched by name

  ✓ forward    cpu  eval and train  bitwise equal   7 runs: float32 float64 autocast, batch of 1
  ✓ gradients  cpu  eval and train  bitwise equal   7 runs: float32 float64 autocast, batch of 1
  ✓ buffers    cpu  eval and train  bitwise equal   7 runs: float32 float64 autocast, batch of 1
  ✓ tensors                         shapes, dtypes, ties and saved keys agree
  ✓ interface                       signature, keys, order, hooks, copies, errors on bad inputs: as before
  ✓ seed                            the same seed builds the same weights
  · cuda                            not available on this machine, not checked (SQ604)
  ✓ proof                           one graph: on cpu, eval and train, for x (8, 4)

Equivalent on cpu."""

DIFFERENT = """\
     old              new                     shape     greatest difference
  1  conv1 conv2d     features.0 conv2d       (8, 32)   0
  …  4 more, all bitwise equal
  6  bn2 batch_norm   bn2 batch_norm          (8, 32)   0
▶ 7  F.leaky_relu     features.6 leaky_relu   (8, 64)   1.30e-01
  8  fc linear        fc linear               (8, 10)   1.68e-02
  …  4 more

SQ601 output-differs: call 7 is the first to differ; everything before it is bitwise equal
  --> new.py:9:13
   |
 9 |             nn.LeakyReLU(0.1),
   |             ^^^^^^^^^^^^^^^^^ negative_slope=0.1
  ::: old.py:16:13
16 |         x = F.leaky_relu(self.bn2(x))
   |             ^^^^^^^^^^^^ negative_slope=0.01
   |
note: given the same input, this call alone differs in 46.3 % of its elements, greatest difference 0.13
help: `negative_slope=0.01` is what the old model has

Different. The first check that failed: forward (cpu, float32, eval)."""


def test_two_modules_that_are_one_graph():
    assert render_text(verified()) == EQUIVALENT


def test_two_modules_that_part():
    head, _, rest = render_text(different()).partition("\n     old ")

    assert f"     old {rest}" == DIFFERENT
    assert "✗ forward" in head and "· proof" in head
    assert calls_table(dataclasses.replace(DIVERGENCE, calls=())) == []


def test_a_call_without_a_counterpart():
    calls = (Pair(7, None, NEW, None),)
    rows = calls_table(dataclasses.replace(DIVERGENCE, old=None, calls=calls, total=7))

    assert rows == [
        "     old   new                     shape     greatest difference",
        "  …  6 more, all bitwise equal",
        "▶ 7  –     features.6 leaky_relu   (8, 64)",
    ]


def test_the_operator_is_named_where_the_function_says_too_little():
    assert label(CONV, set()) == "conv1 conv2d"
    assert label(CONV, {"conv1 conv2d"}) == "conv1 conv2d: convolution"
    assert label(dataclasses.replace(CONV, op="forward", function=""), set()) == "conv1 forward"


def test_a_revision_is_named():
    base = dataclasses.replace(verified(), base=BASE, target="model.py:Net", other="model.py:Net")

    assert render_text(base).startswith(
        "old      model.py:Net at origin/main (4f1c2ab)        new   model.py:Net, working tree\n"
    )
    long = dataclasses.replace(base, target="a/" * 40 + "model.py:Net")
    assert render_text(long).splitlines()[1] == "new      model.py:Net, working tree"


def test_renamed_keys():
    keymap = KeyMap({"features.0.weight": "fc.weight"}, parameter_order=(0,))
    item = Diagnostic(
        "SQ501", "1 renamed: fc.weight → features.0.weight", None, "`--save-map FILE`", (), Severity.WARNING
    )
    report = verified(
        keymap=keymap, matched="by call order and shape", checks=checks(keys=item.message), diagnostics=(item,)
    )
    lines = render_text(report).splitlines()

    assert lines[2] == "weights  1 tensor carried from old to new, matched by call order and shape; 1 renamed"
    row = next(number for number, line in enumerate(lines) if line.startswith("  ! keys"))
    assert lines[row].endswith("1 renamed: fc.weight → features.0.weight (SQ501)")
    assert lines[row + 1].strip() == "`--save-map FILE`"


@pytest.mark.parametrize(
    ("changes", "last"),
    [
        ({"status": "tested", "proof": Proof("unproved", reason="why")}, "Tested on cpu: every number is bitwise equal, and nothing was proved."),
        ({"status": "tested", "exit_code": 1, "proof": Proof("unproved", reason="why")}, "Tested on cpu: every number is bitwise equal, and nothing was proved. --require-proof asks for more."),
        ({"status": "tested", "checks": tuple(numbers("forward", bitwise=False, note="within"))}, "Tested on cpu: every number is within the old model's own noise, and both are one graph."),
        ({"checks": (*checks(), *numbers("forward", device="cuda"))}, "Equivalent on cpu and cuda."),
        ({"status": "failed", "exit_code": 2, "checks": (plain("forward", "the output is constant", "void"),)}, "Failed: what was compared proves nothing."),
        ({"status": "failed", "exit_code": 2, "checks": ()}, "Failed: the question could not be asked."),
        ({"status": "refused", "exit_code": 1, "checks": ()}, "Refused."),
        ({"status": "new", "checks": ()}, "New: the base has no such target, so there is nothing to compare."),
    ],
)  # fmt: skip
def test_the_last_line(changes, last):
    assert render_text(verified(**changes)).splitlines()[-1] == last


def test_errors_without_a_place_to_part_are_blocks():
    item = Diagnostic("SQ608", "tensors: the new module has no `fc.bias`", Location("gone.py", 3), level=Severity.ERROR)
    text = render_text(different(divergence=None, diagnostics=(item,)))

    assert (
        "SQ608 weights-unmatched: tensors: the new module has no `fc.bias`\n  --> gone.py:3:1\nhelp: `--map FILE` says"
        in text
    )


def test_an_error_before_anything_was_compared():
    report = Report(
        "verify", "a.py:Net", "failed", 2, VERSIONS, diagnostics=(Diagnostic("SQ604", "`cuda` is not here"),)
    )

    assert render_text(report).splitlines()[0] == "SQ604 device-skipped: `cuda` is not here"
    told = render_text(dataclasses.replace(report, command="convert")).splitlines()
    assert told[0] == "SQ604 device-skipped: `cuda` is not here"


def test_several_targets():
    reports = Reports("verify", (verified(), different(), verified(status="new", checks=(), diagnostics=())), VERSIONS)
    text = render_text(reports)

    assert text.startswith(EQUIVALENT + "\n\n\nold ")
    assert text.endswith("\n\n\n3 targets: 1 equivalent, 1 different, 1 new")
    assert (reports.status, reports.exit_code) == ("different", 1)


def test_a_terminal_without_unicode():
    text = render_text(different(), unicode=False)

    assert text.replace("–", "").isascii()
    assert "  FAIL forward" in text and "  ok   buffers" in text and "> 7  F.leaky_relu" in text
    rows = [line for line in text.splitlines() if line.startswith(("  ok   ", "  FAIL "))]
    assert len({line.index("cpu") for line in rows if "cpu" in line}) == 1


def test_colours():
    text = render_text(different(), color=True)

    assert "\x1b[31mDifferent\x1b[0m." in text
    assert "\x1b[31m✗\x1b[0m forward" in text
    assert "\x1b[32mEquivalent on cpu\x1b[0m." in render_text(verified(), color=True)


def test_lines_are_not_too_long():
    report = verified(proof=Proof("unproved", reason="a reason " * 40), status="tested")

    assert max(map(len, render_text(report).splitlines())) <= 120
