"""Real models: a few of each collection that `benchmarks/coverage.py` runs through."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import seqify

coverage = importlib.import_module("coverage")
models = importlib.import_module("models")

# collection and name: what auto makes of it, and the code where it makes nothing
SAMPLE = {
    ("torchvision", "mobilenet_v3_small"): "flat",
    ("torchvision", "shufflenet_v2_x0_5"): "flat",
    ("torchvision", "googlenet"): "SQ103",
    ("segmentation", "lraspp_mobilenet_v3_large"): "SQ203",
    ("timm", "ghostnet.ghostnet_050"): "flat",
    ("timm", "lcnetv2.lcnetv2_small"): "flat",
    ("timm", "levit.levit_128s"): "SQ208",
    ("transformers", "bert"): "SQ410",
    ("transformers", "llama"): "SQ410",
    ("transformers", "t5"): "SQ410",
    ("transformers", "mobilevit"): "SQ410",
    ("transformers", "whisper"): "SQ410",
}


def entry(collection: str, name: str) -> Any:
    package = {"torchvision": "torchvision", "segmentation": "torchvision", "smp": "segmentation_models_pytorch"}
    pytest.importorskip(package.get(collection, collection), reason=f"{collection} is not installed")
    return next(item for item in models.entries(collection) if item.name == name)


@pytest.mark.parametrize(("collection", "name"), SAMPLE, ids=lambda value: value)
def test_it_traces_and_replays(collection: str, name: str) -> None:
    item = entry(collection, name)
    torch.manual_seed(0)
    with seqify.recording() as made:
        model = item.build().eval()
    expected = SAMPLE[collection, name]
    two, three = item.inputs(2), item.inputs(3)
    mode = "eval" if expected == "SQ103" else "both"
    try:
        report = seqify.convert(model, two, source="new", made=made, dtypes=[torch.float32])
        found = report.layout if report.status == "equivalent" else report.diagnostics[0].code
    except seqify.Refusal as error:
        found = error.diagnostic.code
    assert found == expected
    for depth in (0, "full"):
        graph = seqify.trace(model, two, depth=depth, mode=mode).eval()
        assert coverage.compare(model, graph, two) == "equal"
        assert coverage.compare(model, graph, three) == "equal"


def test_the_benchmark_itself(tmp_path: Path) -> None:
    """In a process of its own: segmentation-models-pytorch derives from torchvision's classes, which is seen."""
    if importlib.util.find_spec("segmentation_models_pytorch") is None:
        pytest.skip("segmentation-models-pytorch is not installed")
    command = [sys.executable, coverage.__file__, "smp", "--only", "FPN", "--jobs", "1", "--write", tmp_path / "out.md"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    cells = [line.strip("|").split("|") for line in done.stdout.splitlines() if line.count("|") == 3]
    rows = {title.strip(): number.strip() for title, number in cells}
    assert rows["models"] == rows["**seqify.trace**, depth full"] == "1"
    assert rows["wrong without a word"] == rows["not shown to be equal"] == "0"
    assert "SQ203" in (tmp_path / "out.md").read_text()


def test_what_the_others_make_of_it() -> None:
    """The trap that seqify is for: it runs, and answers something else."""
    model = entry("torchvision", "shufflenet_v2_x0_5").build().eval()
    x = entry("torchvision", "shufflenet_v2_x0_5").inputs(2)

    assert coverage.compare(model, torch.nn.Sequential(*model.children()).eval(), x, coverage.by_position) != "equal"


def test_a_large_decoder_on_meta_is_traced_without_its_weights() -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    with torch.device("meta"):
        model = transformers.LlamaModel(transformers.LlamaConfig(num_hidden_layers=4, use_cache=False))
    graph = seqify.trace(model, {"input_ids": torch.zeros(2, 16, dtype=torch.int64, device="meta")})

    assert len(graph.meta["flow"].steps) > 100
    assert all(parameter.is_meta for parameter in graph.parameters())
