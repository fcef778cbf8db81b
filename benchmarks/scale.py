"""Time per layer of `seqify.convert` on straight modules of growing length.

Run it from anywhere, in an environment where seqify is installed:

    python benchmarks/scale.py                 # 100, 1,000 and 10,000 layers, flat and grouped
    python benchmarks/scale.py 100 1000        # other lengths

Each conversion has a process of its own. There, `seqify.convert` first converts a module of ten layers, which pays what
is paid once (imports inside functions, caches), and then the long one, without verification; only the second call is
timed. What is paid once would otherwise count towards the short modules and hide growth. `process` is the wall time of
the whole process, start of Python, `import torch` and warm-up included.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

LENGTHS = [100, 1_000, 10_000]
LAYOUTS = ["flat", "grouped"]
GOAL = 1.5  # time per layer, longest over shortest, at most
WARM_UP = 10  # layers

# Run with the arguments: file to warm up on, file to time, layout. Prints one JSON object as its last line.
CHILD = """
import json, sys, time
import torch
import seqify

def convert(path, layout):
    return seqify.convert(f"{path}:Deep", inputs=(torch.randn(8, 4),), layout=layout, verify=False)

warm_up, path, layout = sys.argv[1:]
convert(warm_up, layout)
start = time.perf_counter()
report = convert(path, layout)
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "layers": sum(len(chain.layers) for chain in report.chains)}))
"""


def source(length: int) -> str:
    """The text of a file whose class `Deep` calls `length` layers, half of them functions, in one straight line."""
    layers, calls = [], []
    for i in range(length):
        match i % 4:
            case 0:
                layers.append(f"self.fc{i} = nn.Linear(4, 4)")
                calls.append(f"x = self.fc{i}(x)")
            case 1:
                calls.append("x = F.relu(x)")
            case 2:
                layers.append(f"self.norm{i} = nn.LayerNorm(4)")
                calls.append(f"x = self.norm{i}(x)")
            case 3:
                calls.append("x = torch.tanh(x)")
    indent = "\n        "
    return f"""\
import torch
import torch.nn as nn
import torch.nn.functional as F


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        {indent.join(layers)}

    def forward(self, x):
        {indent.join(calls)}
        return x
"""


def repeats(length: int) -> int:
    """How often to time a module of `length` layers: the short ones are quick and noisy."""
    return 5 if length < 1_000 else 3 if length < 10_000 else 1


def measure(warm_up: Path, path: Path, layout: str, length: int) -> tuple[float, float]:
    """Seconds of one conversion of `path`, and of the process around it.

    Raises:
        SystemExit: the process failed, or did not convert every layer.
    """
    start = time.perf_counter()
    command = [sys.executable, "-c", CHILD, str(warm_up), str(path), layout]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    process = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{path.name} with layout {layout} failed (exit code: {done.returncode})\n{done.stderr[-4000:]}")
    result = json.loads(done.stdout.splitlines()[-1])
    if result["layers"] != length:
        sys.exit(f"{path.name} with layout {layout} has {result['layers']} layers in its chains (expected: {length})")
    return result["seconds"], process


def main() -> None:
    lengths = sorted({int(argument) for argument in sys.argv[1:]}) or LENGTHS
    with tempfile.TemporaryDirectory() as directory:
        paths = {length: Path(directory, f"deep{length}.py") for length in {WARM_UP, *lengths}}
        for length, path in paths.items():
            path.write_text(source(length), encoding="utf-8")

        print(f"{'layout':8} {'layers':>7} {'convert s':>10} {'ms/layer':>9} {'growth':>7} {'process s':>10}")
        for layout in LAYOUTS:
            per_layer: list[float] = []
            for length in lengths:
                runs = [measure(paths[WARM_UP], paths[length], layout, length) for _ in range(repeats(length))]
                seconds, process = (median(column) for column in zip(*runs, strict=True))
                per_layer.append(seconds / length)
                growth = per_layer[-1] / per_layer[0]
                print(
                    f"{layout:8} {length:7,} {seconds:10.3f} {1e3 * per_layer[-1]:9.3f} {growth:7.2f} {process:10.2f}",
                    flush=True,
                )
            verdict = f"goal {GOAL}: {'met' if growth <= GOAL else 'missed'}"
            print(f"{layout:8} growth {growth:.2f} from {lengths[0]:,} to {lengths[-1]:,} layers   {verdict}")


if __name__ == "__main__":
    main()
