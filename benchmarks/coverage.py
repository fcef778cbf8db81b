"""What seqify makes of real models, beside `nn.Sequential(*children())` and `torch.fx.symbolic_trace`.

    python benchmarks/coverage.py                          all collections, a table each
    python benchmarks/coverage.py timm --only resnet       one collection, the models whose name has this in it
    python benchmarks/coverage.py --write docs/coverage.md

Each model is traced with its submodules whole (depth 0) and opened down to torch.nn (depth full); both graphs are run
at the batch size of the recording and at another one, and each is compared bit for bit with the model. Then a new class
is written in every layout; its outputs are compared, and its graphs, in eval and train, forward and backward, at both
batch sizes. Last, `seqify verify` compares each model with its own deep copy along all axes. Needs torchvision, timm,
transformers and segmentation-models-pytorch, no weights and no network; about 80 minutes on two cores.
"""

from __future__ import annotations

import argparse
import copy
import gc
import json
import os
import re
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
COLLECTIONS = ("torchvision", "segmentation", "timm", "smp", "transformers")
TITLES = {
    "torchvision": "torchvision, classification",
    "segmentation": "torchvision, segmentation",
    "timm": "timm, one of each family",
    "smp": "segmentation-models-pytorch, each decoder",
    "transformers": "transformers, small configurations",
}
LAYOUTS = ("flat", "function", "grouped")
PARTS = ("trace", "convert", "copy")


# ---- one model, in a process of its own collection


def tensors(value: Any) -> Iterator[Any]:
    """All tensors of a nested result."""
    import torch

    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from tensors(item)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from tensors(getattr(value, name))


def answer(module: Callable[..., Any], inputs: dict[str, Any], call: Callable[..., Any]) -> Any:
    """What a module gives in eval for fresh copies of the inputs, or the name of the error that it raises."""
    import torch

    given = {name: value.clone() if isinstance(value, torch.Tensor) else value for name, value in inputs.items()}
    torch.default_generator.manual_seed(1)
    try:
        with torch.no_grad():
            return call(module, given)
    except Exception as error:
        return type(error).__name__


def same(left: Any, right: Any) -> bool:
    import torch

    if isinstance(left, str) or isinstance(right, str):
        return False
    pairs = list(tensors(left)), list(tensors(right))
    return len(pairs[0]) == len(pairs[1]) > 0 and all(
        a.shape == b.shape and a.dtype == b.dtype and torch.equal(a.nan_to_num(), b.nan_to_num())
        for a, b in zip(*pairs, strict=True)
    )


def by_name(module: Any, given: dict[str, Any]) -> Any:
    return module(**given)


def by_position(module: Any, given: dict[str, Any]) -> Any:
    return module(*given.values())


def compare(model: Any, other: Any, inputs: dict[str, Any], call: Callable[..., Any] = by_name) -> str:
    """`equal`, `differs` or the error that is raised; where the model differs from its own copy, it is tried again."""
    for _ in range(3):
        expected, found = answer(model, inputs, by_name), answer(other, inputs, call)
        if isinstance(found, str):
            return found
        if same(expected, found):
            return "equal"
        if same(expected, answer(copy.deepcopy(model), inputs, by_name)):
            return "differs"
    return "differs"


def measure(entry: Any, parts: list[str]) -> dict[str, Any]:
    """Everything that the tables say of one model, or the parts of it that are asked for."""
    import torch
    from torch import fx, nn

    import seqify

    row: dict[str, Any] = {"name": entry.name, "meta": entry.meta}
    began = time.perf_counter()
    torch.manual_seed(0)
    with seqify.recording() as made:
        model = entry.build().eval()
    two, three = entry.inputs(2), entry.inputs(3)
    if entry.meta:
        two = {name: value.to("meta") for name, value in two.items()}
    # before the model itself runs: some keep a cache, and are then no longer as they were built
    if not entry.meta and "convert" in parts:
        convert(row, model, made, two, three)
    if not entry.meta and "copy" in parts:
        row["copy"] = alike(model, two)
    for depth in (0, "full") if "trace" in parts else ():
        row[f"trace {depth}"], graph = traced(
            lambda mode, depth=depth: seqify.trace(model, two, depth=depth, mode=mode)
        )
        if graph is not None and not entry.meta:
            graph.eval()
            row[f"replay {depth}"] = [compare(model, graph, inputs) for inputs in (two, three)]
    row["seconds"] = round(time.perf_counter() - began, 1)
    if entry.meta or "trace" not in parts:
        return row
    row["children"] = compare(model, nn.Sequential(*model.children()).eval(), two, by_position)
    try:
        plain = fx.symbolic_trace(model).eval()
        row["fx"] = [compare(model, plain, inputs) for inputs in (two, three)]
    except BaseException as error:
        row["fx"] = [type(error).__name__]
    row["seconds"] = round(time.perf_counter() - began, 1)
    return row


def convert(row: dict[str, Any], model: Any, made: Any, two: dict[str, Any], three: dict[str, Any]) -> None:
    """A new class in each layout: its outputs in eval, and its graphs beside the model's."""
    import torch

    import seqify

    for layout in LAYOUTS:
        options = {"source": "new", "layout": layout, "made": made, "dtypes": (torch.float32,), "verify": False}
        options |= {"allow_unproved": True, "devices": ["cpu"], "symbolic": False}
        row[layout], report = traced(lambda mode, options=options: seqify.convert(model, two, mode=mode, **options))
        if report is not None and report.keymap is not None:
            row[layout]["proof"] = proof(model, report, (two, three), row[layout]["mode"])
        if row[layout]["kind"] == "converted":
            old, new = copy.deepcopy(model), report.module().eval()
            call = by_position if len(two) == 1 else by_name  # nn.Sequential has a name of its own for its input
            equal = all(compare(old, new, inputs, call) == "equal" for inputs in (two, three))
            row[layout]["kind"] = "equivalent" if equal else "different"


def proof(model: Any, report: Any, inputs: tuple[dict[str, Any], ...], mode: str) -> str:
    """`proved`, or why not: the graphs of both at two batch sizes, in each mode that can be run."""
    from seqify.proof.isomorphism import Case, prove
    from seqify.proof.lowering import lower
    from seqify.trial import Setting

    new, cases = report.module(), []
    for setting in [Setting(found) for found in (("eval", "train") if mode == "both" else ("eval",))]:
        for values in inputs:
            words = {"mode": setting.mode, "dtype": "float32", "inputs": "x"}
            cases.append(Case(words, lower(model, values, setting), lower(new, values, setting)))
    found = prove(cases, report.keymap.tensors, "cpu")
    return found.reason or found.status


def alike(model: Any, inputs: dict[str, Any]) -> dict[str, str]:
    """What `seqify.verify` says of a model and its deep copy."""
    import torch

    import seqify

    for mode in ("both", "eval"):
        found = seqify.verify(
            model, copy.deepcopy(model), inputs, mode=mode, dtypes=(torch.float32,), devices=["cpu"], symbolic=False
        )
        if found.status != "failed":  # in train some need more than an input
            break
    return {"kind": found.status, "mode": mode, "why": found.proof.reason if found.proof else ""}


def traced(attempt: Callable[[str], Any]) -> tuple[dict[str, str], Any]:
    """The outcome of a trace or conversion, in both modes if it can be, else in eval alone."""
    import seqify

    for mode in ("both", "eval"):
        try:
            result = attempt(mode)
        except seqify.SeqifyError as error:
            told = error.diagnostic
            if told.code in ("SQ103", "SQ106") and mode == "both":
                continue
            place = f"{Path(told.location.filename).name}:{told.location.row}" if told.location else ""
            return {"kind": "refused", "code": told.code, "why": told.message[:160], "place": place}, None
        except Exception as error:
            return {"kind": "crashed", "code": type(error).__name__, "why": str(error)[:160], "place": ""}, None
        kind = getattr(result, "status", "traced")
        found = {"kind": kind, "mode": mode}
        if kind in ("unchanged", "different"):
            errors = [item for item in result.diagnostics if item.severity.name == "ERROR"]
            worst = (errors if kind == "different" and errors else result.diagnostics)[0]
            found |= {"code": worst.code, "why": worst.message[:160], "place": ""}
        return found, result
    raise AssertionError("one of the two modes has an outcome")


def run_collection(name: str, only: str, shard: int, shards: int, parts: list[str]) -> None:
    """Measure a part of a collection; a line of JSON a model on stdout."""
    sys.path.insert(0, str(HERE))
    warnings.simplefilter("ignore")
    out = os.dup(1)
    os.dup2(2, 1)  # what libraries print is not for the table
    import torch
    from models import define_torchvision_operators, entries

    define_torchvision_operators()
    torch.set_num_threads(1)
    for entry in entries(name)[shard::shards]:
        if only not in entry.name:
            continue
        try:
            row = measure(entry, parts)
        except Exception as error:
            row = {"name": entry.name, "crashed": f"{type(error).__name__}: {error}"[:200]}
        os.write(out, (json.dumps(row) + "\n").encode())
        gc.collect()


# ---- the tables


def count(rows: list[dict[str, Any]], test: Callable[[dict[str, Any]], bool]) -> int:
    return sum(1 for row in rows if test(row))


def is_kind(key: str, *kinds: str) -> Callable[[dict[str, Any]], bool]:
    return lambda row: row.get(key, {}).get("kind") in kinds


def replays(key: str, index: int, what: str = "equal") -> Callable[[dict[str, Any]], bool]:
    return lambda row: len(row.get(key, [])) > index and row[key][index] == what


def shortened(text: str) -> str:
    """Without the folders of places in installed packages."""
    return re.sub(r"[^\s`]*/([^/\s]+\.py)", r"\1", text)[:240]


def proved_in(row: dict[str, Any], layout: str) -> bool:
    return row.get(layout, {}).get("kind") in ("equivalent", "tested") and row[layout].get("proof") == "proved"


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    """The tables as Markdown."""
    lines = ["| | " + " | ".join(TITLES[name] for name in results) + " |", "|---|" + "---|" * len(results)]

    def line(title: str, cell: Callable[[list[dict[str, Any]]], Any]) -> None:
        lines.append(f"| {title} | " + " | ".join(str(cell(rows)) for rows in results.values()) + " |")

    line("models", len)
    line(
        "of these on the meta device, traced and not run", lambda rows: count(rows, lambda row: row.get("meta", False))
    )
    for depth in (0, "full"):
        key = f"replay {depth}"
        line(f"**seqify.trace**, depth {depth}", lambda rows, d=depth: count(rows, is_kind(f"trace {d}", "traced")))
        line(
            "of these in eval alone",
            lambda rows, d=depth: count(rows, lambda row: row.get(f"trace {d}", {}).get("mode") == "eval"),
        )
        line("replays bit for bit", lambda rows, k=key: count(rows, replays(k, 0)))
        line("… at another batch size too", lambda rows, k=key: count(rows, replays(k, 1)))
        line(
            "says that it does not",
            lambda rows, k=key: count(rows, lambda row: k in row and row[k][1] not in ("equal", "differs")),
        )
        line("wrong without a word", lambda rows, k=key: count(rows, lambda row: "differs" in row.get(k, [])))
    line("`fx.symbolic_trace` runs equal", lambda rows: count(rows, replays("fx", 0)))
    line("… at another batch size too", lambda rows: count(rows, replays("fx", 1)))
    line("… wrong without a word", lambda rows: count(rows, lambda row: "differs" in row.get("fx", [])))
    line(
        "`nn.Sequential(*children())` runs equal", lambda rows: count(rows, lambda row: row.get("children") == "equal")
    )
    line("… wrong without a word", lambda rows: count(rows, lambda row: row.get("children") == "differs"))
    line("**seqify.verify** with its deep copy: equivalent", lambda rows: count(rows, is_kind("copy", "equivalent")))
    line("tested, since nothing was proved", lambda rows: count(rows, is_kind("copy", "tested")))
    line("different (a false alarm) or no answer", lambda rows: count(rows, is_kind("copy", "different", "failed")))
    for layout in LAYOUTS:
        line(
            f"**seqify.convert**, {layout}", lambda rows, key=layout: count(rows, is_kind(key, "equivalent", "tested"))
        )
        line("of these proved", lambda rows, key=layout: count(rows, lambda row: proved_in(row, key)))
        line("left alone or refused", lambda rows, key=layout: count(rows, is_kind(key, "unchanged", "refused")))
        line("not shown to be equal", lambda rows, key=layout: count(rows, is_kind(key, "different", "crashed")))
    lines += ["", "## What was refused, and why", ""]
    for name, rows in results.items():
        lines += [f"### {TITLES[name]}", ""]
        for key in ("trace 0", "trace full", *LAYOUTS):
            told = Counter(row[key]["code"] for row in rows if row.get(key, {}).get("code"))
            if told:
                lines.append(f"- {key}: " + ", ".join(f"{code} {number}" for code, number in told.most_common()))
        lines.append("")
        for row in rows:
            for key in ("trace 0", "trace full"):
                found = row.get(key, {})
                if found.get("kind") not in (None, "traced"):
                    lines.append(f"  - `{row['name']}`, {key}: {found['code']} {found['why']} ({found['place']})")
            if "crashed" in row:
                lines.append(f"  - `{row['name']}`: {row['crashed']}")
            for key in LAYOUTS:
                if row.get(key, {}).get("kind") in ("different", "crashed"):
                    lines.append(f"  - `{row['name']}`, {key}: {row[key]['code']} {row[key]['why']}")
                if row.get(key, {}).get("proof", "proved") != "proved":
                    lines.append(f"  - `{row['name']}`, {key}, not proved: {shortened(row[key]['proof'])}")
            if row.get("copy", {}).get("kind", "equivalent") != "equivalent":
                lines.append(
                    f"  - `{row['name']}` and its copy, {row['copy']['kind']}: {shortened(row['copy']['why'])}"
                )
            for key in ("replay 0", "replay full"):
                if any(item != "equal" for item in row.get(key, [])):
                    lines.append(f"  - `{row['name']}`, {key}: {row[key]}")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("collections", nargs="*", help=", ".join(COLLECTIONS))
    parser.add_argument("--only", default="", help="models whose name has this in it")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--rows", type=Path, help="keep the rows of each collection as JSON lines in this folder")
    parser.add_argument("--reuse", type=Path, help="take whole collections from the rows in this folder")
    parser.add_argument("--write", type=Path, help="write the tables into this file")
    parser.add_argument("--parts", default=",".join(PARTS), help="what to measure; the rest is taken from --reuse")
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        name, shard, shards = options.run
        run_collection(name, options.only, int(shard), int(shards), options.parts.split(","))
        return
    wanted = options.collections or list(COLLECTIONS)
    if unknown := set(wanted) - set(COLLECTIONS):
        parser.error(f"no collection {sorted(unknown)[0]}; there are {', '.join(COLLECTIONS)}")
    shards = options.jobs
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in wanted}
    for name in wanted if options.reuse else ():
        file = options.reuse / f"{name}.jsonl"
        if file.exists():
            results[name] = [json.loads(text) for text in file.read_text(encoding="utf-8").splitlines()]
    known = {}
    if options.parts != ",".join(PARTS):
        known = {(name, row["name"]): row for name in wanted for row in results[name]}
        results = {name: [] for name in wanted}
    waiting = [(name, shard) for name in wanted if not results[name] for shard in range(shards)]
    running: dict[tuple[str, int], subprocess.Popen[str]] = {}
    while waiting or running:
        while waiting and len(running) < options.jobs:
            name, shard = part = waiting.pop(0)
            command = [sys.executable, __file__, "--only", options.only, "--parts", options.parts]
            command += ["--run", name, str(shard), str(shards)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            os.set_blocking(process.stdout.fileno(), False)
            running[part] = process
        for (name, shard), process in list(running.items()):
            ended = process.poll() is not None
            for text in iter(process.stdout.readline, ""):
                row = json.loads(text)
                results[name].append(known.get((name, row["name"]), {}) | row)
                if options.rows:
                    with open(options.rows / f"{name}.jsonl", "a", encoding="utf-8") as file:
                        file.write(json.dumps(results[name][-1]) + "\n")
            if ended:
                if process.returncode:
                    results[name].append({"name": "(the run itself)", "crashed": f"status {process.returncode}"})
                del running[name, shard]
        if sys.stderr.isatty():
            done = ", ".join(f"{name} {len(rows)}" for name, rows in results.items())
            print(f"\r{done}", end="", file=sys.stderr, flush=True)
        time.sleep(0.5)
    for rows in results.values():
        rows.sort(key=lambda row: row["name"])
    text = table(results)
    print(text)
    if options.write:
        options.write.write_text(HEAD + text, encoding="utf-8")


HEAD = """# Coverage

What seqify makes of real models, with random weights. Written by `python benchmarks/coverage.py --write
docs/coverage.md`; the benchmark's docstring says what each line means.

"""


if __name__ == "__main__":
    main()
