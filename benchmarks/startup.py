"""Wall time of seqify's commands beside that of `import torch`.

Run it from anywhere, in an environment where seqify is installed:

    python benchmarks/startup.py

Each round runs the three commands one after the other, so that a busy machine slows all of them; the first round warms
the file cache and is not counted. The figures are medians.
"""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 5

TORCH = "import torch"
CONVERT = "seqify convert samples/lenet.py:LeNet"
HELP = "seqify --help"

COMMANDS = {
    TORCH: [sys.executable, "-c", "import torch"],
    CONVERT: [sys.executable, "-m", "seqify", "convert", "samples/lenet.py:LeNet"],
    HELP: [sys.executable, "-m", "seqify", "--help"],
}

# Wall time over that of `import torch`, at most.
GOALS = {CONVERT: 1.8, HELP: 0.15}


def wall_time(command: list[str]) -> float:
    """Seconds that `command` takes, from start to exit.

    Raises:
        SystemExit: the command failed, so that its time means nothing.
    """
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed (exit code: {done.returncode})\n{done.stderr}")
    return seconds


def main() -> None:
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for round_ in range(ROUNDS + 1):
        for name, command in COMMANDS.items():
            seconds = wall_time(command)
            if round_ > 0:
                times[name].append(seconds)

    base = median(times[TORCH])
    print(f"{'median of ' + str(ROUNDS):40} {'seconds':>9} {'fastest':>9} {'slowest':>9} {'ratio':>7}")
    for name, seconds_ in times.items():
        middle = median(seconds_)
        line = f"{name:40} {middle:9.3f} {min(seconds_):9.3f} {max(seconds_):9.3f} {middle / base:7.3f}"
        if name in GOALS:
            line += f"   goal {GOALS[name]:.2f}: {'met' if middle / base <= GOALS[name] else 'missed'}"
        print(line)


if __name__ == "__main__":
    main()
