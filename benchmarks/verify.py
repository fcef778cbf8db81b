"""What a verification costs, beside one forward and backward of the same network.

    python benchmarks/verify.py
    python benchmarks/verify.py --input 2,3,64,64 --networks resnet18

Each network is verified with itself, as `seqify verify old.py:net new.py:net` does it with its defaults: two processes
of their own, perturbed weights, all axes, the graphs at symbolic sizes. Beside it, in the same run, one forward and
backward in train at the same input, the fastest of three. The goal is 10 times that plus 3 seconds, for resnet50.
Needs torchvision, no weights and no network.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

FACTOR, CONSTANT = 10.0, 3.0  # seconds

_FILE = """
import sys
sys.path.insert(0, {here!r})
from models import define_torchvision_operators
define_torchvision_operators()
from torchvision.models import {name}
"""


def forward_and_backward(name: str, shape: tuple[int, ...]) -> float:
    """Seconds, the fastest of three after one to warm up."""
    import torch
    import torchvision

    model = getattr(torchvision.models, name)()
    values = torch.randn(shape)
    seconds = []
    for _ in range(4):
        began = time.perf_counter()
        model(values).sum().backward()
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["resnet50"], help="of torchvision.models")
    parser.add_argument("--input", default="8,3,224,224", help="shape")
    options = parser.parse_args()
    from models import define_torchvision_operators

    import seqify

    define_torchvision_operators()
    shape = tuple(map(int, options.input.split(",")))
    missed = False
    print(f"{'seconds':<16}{'once':>8}{'verify':>10}{'goal':>10}")
    for name in options.networks:
        once = forward_and_backward(name, shape)
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / "old.py", Path(folder) / "new.py"]
            for file in files:
                file.write_text(_FILE.format(here=str(HERE), name=name), encoding="utf-8")
            stages: list[tuple[float, str]] = []
            began = time.perf_counter()
            report = seqify.verify(
                *(f"{file}:{name}()" for file in files),
                [options.input],
                progress=lambda stage, began=began, stages=stages: stages.append((time.perf_counter() - began, stage)),
            )
            seconds = time.perf_counter() - began
        goal = FACTOR * once + CONSTANT
        missed |= seconds > goal
        verdict = "missed" if seconds > goal else "met"
        print(f"{name:<16}{once:>8.2f}{seconds:>10.2f}{goal:>10.2f}  {verdict}, {report.status}: {report.proof.scope}")
        for (start, stage), (end, _) in zip(stages, [*stages[1:], (seconds, "")], strict=True):
            if end - start > 0.5:
                print(f"{'':<24}{end - start:>10.2f}  {stage}")
    raise SystemExit(missed)


if __name__ == "__main__":
    main()
