"""How many planted bugs `seqify verify` finds, beside allclose, assert_close and a comparison bit for bit.

    python benchmarks/mutants.py                                all networks, the tables on stdout
    python benchmarks/mutants.py lenet gpt --kind dropout       two networks, the kinds with this in their name
    python benchmarks/mutants.py --without-seqify               what the mutants are, and what the others find
    python benchmarks/mutants.py --rows rows --write docs/mutants.md
    python benchmarks/mutants.py --reuse rows --write docs/mutants.md      the tables again, from kept rows
    python benchmarks/mutants.py lenet --sources sources        the mutants as files, to read or to verify by hand

Bugs of many kinds are planted into small networks (`planted/`), one in each mutant, and refactors that change nothing
beside them. What a mutant is meant to be is not taken on trust: an oracle that shares no code with seqify compares
outputs, gradients, buffers, random state, steps of an optimizer and all that is known of the tensors, on several
weights, inputs and batch sizes, in every bit. A bug that it does not see, or a refactor in which it sees a difference,
is listed by name and misses a goal.

`allclose` compares outputs in eval on fresh weights from one seed, `assert_close` in eval and train, `equal bits` in
eval after other weights were loaded into both. A bug is found by seqify where any check fails or the status is
"different", and its culprit is named exactly where the place that is given is a row of the fault, or a row that calls
the layer that a faulty constructor made. The exit status is 1 if a goal is missed. Three minutes on two cores
without seqify.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))


def run(names: list[str], options: argparse.Namespace) -> None:
    """Measure some networks; a line of JSON a mutant on stdout."""
    out = os.dup(1)
    os.dup2(2, 1)  # what networks and libraries print is not for the table
    from planted.measurement import measure
    from planted.mutant import networks

    for network in networks():
        if network.name in names:
            for row in measure(network, options.kind, not options.without_seqify, options.form):
                os.write(out, (json.dumps(row) + "\n").encode())


def gather(names: list[str], options: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of all networks, from processes that have a part of them each."""
    rows: list[dict[str, Any]] = []
    running: list[subprocess.Popen[str]] = []
    for shard in range(options.jobs):
        part = names[shard :: options.jobs]
        command = [sys.executable, __file__, *part, "--run", "--kind", options.kind, "--form", options.form]
        command += ["--without-seqify"] * options.without_seqify
        if part:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            os.set_blocking(process.stdout.fileno(), False)
            running.append(process)
    while running:
        for process in list(running):
            ended = process.poll() is not None
            for text in iter(process.stdout.readline, ""):
                rows.append(json.loads(text))
                if options.rows:
                    with open(options.rows / f"{rows[-1]['network']}.jsonl", "a", encoding="utf-8") as file:
                        file.write(text)
            if ended:
                running.remove(process)
                if process.returncode:
                    sys.exit(f"a process ended with status {process.returncode}; try --jobs 1 --run to see why")
        if sys.stderr.isatty():
            print(f"\r{len(rows)} mutants, now {rows[-1]['network'] if rows else '…'}  ", end="", file=sys.stderr)
        time.sleep(0.5)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", help="files of benchmarks/planted/networks, without `.py`")
    parser.add_argument("--kind", default="", help="kinds whose name has this in it")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--form", choices=("live", "text"), default="text", help="what seqify is given")
    parser.add_argument("--without-seqify", action="store_true", help="ask the oracle and the others alone")
    parser.add_argument("--rows", type=Path, help="keep the rows of each network as JSON lines in this folder")
    parser.add_argument("--reuse", type=Path, help="take networks from the rows in this folder, if they are there")
    parser.add_argument("--write", type=Path, help="write the tables into this file")
    parser.add_argument("--sources", type=Path, help="write the mutants into this folder, and do nothing else")
    parser.add_argument("--run", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run(options.networks, options)
        return
    from planted.measurement import write_sources
    from planted.mutant import networks
    from planted.subject import available
    from planted.table import goals, table

    known = [network.name for network in networks()]
    wanted = options.networks or known
    if unknown := set(wanted) - set(known):
        parser.error(f"no network {sorted(unknown)[0]}; there are {', '.join(known)}")
    if options.sources:
        for network in networks():
            if network.name in wanted:
                write_sources(network, options.sources, options.kind)
        return
    if not options.without_seqify and not available():
        parser.error("this seqify has no `verify`; run with --without-seqify")
    if options.rows:
        options.rows.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for name in wanted if options.reuse else ():
        file = options.reuse / f"{name}.jsonl"
        if file.exists():
            rows += [json.loads(text) for text in file.read_text(encoding="utf-8").splitlines()]
    measured = {row["network"] for row in rows}
    rows += gather([name for name in wanted if name not in measured], options)
    order = {name: number for number, name in enumerate(known)}
    rows.sort(key=lambda row: order[row["network"]])  # stable: the kinds stay in their order
    whole = not options.networks and not options.kind
    text = table(rows, whole)
    print(text)
    if options.write:
        options.write.write_text(HEAD + text, encoding="utf-8")
    if not all(met for _, _, met in goals(rows, whole)):
        sys.exit(1)


HEAD = """# Mutants

How many bugs `seqify verify` finds that were planted into small networks, one in each. Written by `python
benchmarks/mutants.py --write docs/mutants.md`; the benchmark's docstring says what the columns mean.

"""


if __name__ == "__main__":
    main()
