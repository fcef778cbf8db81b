"""Time of `seqify`'s tracer beside `torch.export` on four models, and its growth with the number of operations.

    python benchmarks/trace.py

Both trace the same model, built once, on the same input, in one process, alternating; the ratio is the median of the
rounds. `once` is one recording, submodules opened down to torch.nn: one mode at one size, as
`torch.export.export(strict=False)` does it. `all` is what a conversion pays, and what shows where a recording does not
hold: eval and train, two batch sizes, another image size, another dtype. All are run once before, so that what is
imported on first use counts for none.

Growth: modules of 500 and 50,000 operations, one recording each, time per operation.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

ROUNDS = 3
LENGTHS = (500, 50_000)
GOAL, GROWTH = 0.5, 1.3


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

    from seqify.inputs import from_values
    from seqify.observe import observe, stand_in
    from seqify.openness import Openness
    from seqify.tracing import record

    print(f"{'model':<14}{'calls':>7}{'once':>9}{'all':>9}{'export':>9}{'once/export':>13}{'all/export':>12}")
    for name in ("resnet50", "densenet121", "vit_b_16", "swin_t"):
        model = getattr(torchvision.models, name)().eval()
        x = torch.randn(2, 3, 224, 224)
        inputs = from_values(model, x)
        small = stand_in(model)  # on the meta device if it is large, as observe does it
        small_inputs = inputs.to(next(small.parameters()).device)
        rows = []
        for _ in range(ROUNDS + 1):
            times = []
            for trace in (
                lambda: record(small, small_inputs.values, False, Openness(None)),
                lambda: observe(model, inputs, "full"),
                lambda: torch.export.export(model, (x,), strict=False),
            ):
                start = time.perf_counter()
                trace()
                times.append(time.perf_counter() - start)
            rows.append(times)
        once, every, theirs = (median(times) for times in zip(*rows[1:], strict=True))
        ratios = [median(row[index] / row[2] for row in rows[1:]) for index in (0, 1)]
        calls = len(record(small, small_inputs.values, False, Openness(None)).steps)
        print(
            f"{name:<14}{calls:>7}{once:>8.2f}s{every:>8.2f}s{theirs:>8.2f}s{ratios[0]:>13.2f}{ratios[1]:>12.2f}"
            f"   goal {GOAL}"
        )


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


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    beside_export()
    growth()
