"""Time of `seqify`'s tracer beside `torch.export` on four models, and its growth with the number of operations.

    python benchmarks/trace.py

Both trace the same model, built once, on the same input, in one process, alternating; the ratio is the median of the
rounds. `once` is one recording, submodules opened down to torch.nn: one mode at one size, as
`torch.export.export(strict=False)` does it. `all` is what a conversion pays, and what shows where a recording does not
hold: eval and train, two batch sizes, another image size, another dtype. All are run once before, so that what is
imported on first use counts for none.

Growth: modules of 500 and 50,000 operations, one recording each, time per operation.

Memory: a decoder of seven billion parameters on the meta device, in a process of its own; what is printed is by how
much the peak of its resident memory grows while it is traced.
"""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

ROUNDS = 3
LENGTHS = (500, 50_000)
GOAL, GROWTH, PEAK = 0.5, 1.3, 300


class Long(nn.Module):
    """A forward of many operations, some of which a size is read from."""

    def __init__(self, operations: int) -> None:
        super().__init__()
        self.operations = operations
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.operations // 5):
            x = x * self.scale
            x = x.view(x.shape[0], -1)
            x = torch.relu(x)
            x = x + 1
            x = x.reshape(x.size(0), 4)
        return x


def beside_export() -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    from models import define_torchvision_operators

    define_torchvision_operators()
    import torchvision

    print(f"{'model':<14}{'calls':>7}{'once':>9}{'all':>9}{'export':>9}{'once/export':>13}{'all/export':>12}")
    for name in ("resnet50", "densenet121", "vit_b_16", "swin_t"):
        measure(name, getattr(torchvision.models, name)().eval())


def measure(name: str, model: nn.Module) -> None:
    from seqify.inputs import from_values
    from seqify.observe import observe, stand_in
    from seqify.openness import Openness
    from seqify.tracing import record

    x = torch.randn(2, 3, 224, 224)
    inputs = from_values(model, x)
    small = stand_in(model)  # on the meta device if it is large, as observe does it
    values = inputs.to(next(small.parameters()).device).values
    calls, rows = 0, []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        calls = len(record(small, values, False, Openness(None)).steps)
        once = time.perf_counter()
        observe(model, inputs, "full")
        every = time.perf_counter()
        torch.export.export(model, (x,), strict=False)
        rows.append((once - start, every - once, time.perf_counter() - every))
    each = [median(times) for times in zip(*rows[1:], strict=True)]
    ratios = [median(row[index] / row[2] for row in rows[1:]) for index in (0, 1)]
    times = "".join(f"{seconds:>8.2f}s" for seconds in each)
    print(f"{name:<14}{calls:>7}{times}{ratios[0]:>13.2f}{ratios[1]:>12.2f}   goal {GOAL}")


def growth() -> None:
    from seqify.openness import Openness
    from seqify.tracing import record

    each = []
    x = torch.randn(2, 4)
    record(Long(500), {"x": x}, False, Openness())
    for operations in LENGTHS:
        module = Long(operations)
        times = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            flow = record(module, {"x": x}, False, Openness())
            times.append(time.perf_counter() - start)
        each.append(median(times) / len(flow.steps))
        print(f"{len(flow.steps):>7} operations  {each[-1] * 1e6:7.1f} µs each")
    print(f"growth {each[-1] / each[0]:.2f}  goal {GROWTH}")


# Run in a process of its own. The model is the 7B shape of Llama: 32 layers of width 4096.
MEMORY = """
import resource, sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])
import torch
from models import define_torchvision_operators
define_torchvision_operators()
from transformers import LlamaConfig, LlamaModel
import seqify

config = LlamaConfig(use_cache=False)
with torch.device("meta"):
    small = LlamaModel(LlamaConfig(num_hidden_layers=1, use_cache=False))
    model = LlamaModel(config)
ids = torch.zeros(2, 16, dtype=torch.int64, device="meta")
seqify.trace(small, {"input_ids": ids})  # what is imported on first use
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
graph = seqify.trace(model, {"input_ids": ids})
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = sum(parameter.numel() for parameter in model.parameters())
print(f"{count / 1e9:.1f} billion parameters on meta, {len(graph.meta['flow'].steps)} calls: "
      f"{(after - before) / 1024:.0f} MiB more at the peak")
"""


def memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(Path(__file__).parent)], capture_output=True, text=True, check=False
    )
    print((done.stdout or done.stderr[-500:]).strip(), f"  goal {PEAK} MB")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    beside_export()
    growth()
    memory()
