"""A comparison as a page."""

from __future__ import annotations

from reports import BASE, VERSIONS, different, numbers, verified

from seqify.diagnostics import Diagnostic
from seqify.keymap import KeyMap
from seqify.render.markdown import render_markdown
from seqify.report import Report, Reports

PAGE = """\
### `old.py:Net` → `new.py:Net`

**Equivalent on cpu.**

input: x (8, 4) float32, as given  \n\
weights: 1 tensor carried from old to new, matched by call order and shape; 1 renamed

| | check | device | mode | result |
|---|---|---|---|---|
| ✓ | forward | cpu | eval and train | bitwise equal   7 runs: float32 float64 autocast, batch of 1 |
| ✓ | gradients | cpu | eval and train | bitwise equal   7 runs: float32 float64 autocast, batch of 1 |
| ✓ | buffers | cpu | eval and train | bitwise equal   7 runs: float32 float64 autocast, batch of 1 |
| ✓ | tensors |  |  | shapes, dtypes, ties and saved keys agree |
| ✓ | interface |  |  | signature, keys, order, hooks, copies, errors on bad inputs: as before |
| ✓ | seed |  |  | the same seed builds the same weights |
| · | cuda |  |  | not available on this machine, not checked (SQ604) |
| ✓ | proof |  |  | one graph: on cpu, eval and train, for x (8, 4) |

<details><summary>1 key renamed</summary>

| old | new |
|---|---|
| `fc.weight` | `features.0.weight` |

</details>

- **SQ604** device-skipped: cuda is not available on this machine, not checked
"""


def test_the_page_of_a_comparison():
    keymap = KeyMap({"features.0.weight": "fc.weight"}, parameter_order=(0,))

    assert render_markdown(verified(keymap=keymap, matched="by call order and shape")) == PAGE


def test_the_calls_around_a_divergence():
    page = render_markdown(different(base=BASE))

    assert page.startswith("### `old.py:Net at origin/main (4f1c2ab)` → `new.py:Net, working tree`\n\n**Different.")
    assert "```text\n     old " in page
    assert "▶ 7  F.leaky_relu     features.6 leaky_relu   (8, 64)   1.30e-01\n" in page
    assert (
        "- **SQ601** output-differs: call 7 is the first to differ; everything before it is bitwise equal (new.py:9:13)"
        in page
    )


def test_cells_stay_cells():
    wrong = numbers("forward", ok=False, note="`a | b`")

    assert "| `a \\| b` (eval, float32); 5 of 5 comparisons |" in render_markdown(different(checks=tuple(wrong)))


def test_an_error_before_anything_was_compared():
    report = Report("verify", "a.py:Net", "failed", 2, VERSIONS, diagnostics=(Diagnostic("SQ001", "no file `a.py`"),))

    assert render_markdown(report) == (
        "### `a.py:Net`\n\n**Failed: the question could not be asked.**\n\n"
        "- **SQ001** target-not-found: no file `a.py`\n"
    )


def test_several_targets():
    pages = render_markdown(Reports("verify", (verified(), different()), VERSIONS))

    assert pages.count("\n### ") + pages.startswith("### ") == 2
    assert pages.endswith("\n**2 targets: 1 equivalent, 1 different**\n")
    assert "**1 target" not in render_markdown(Reports("verify", (verified(),), VERSIONS))


def test_a_notebook_shows_the_page():
    assert verified()._repr_markdown_() == render_markdown(verified())
