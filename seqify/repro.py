"""The script that shows a difference: torch, the two files, and nothing of seqify."""

# It does again what the first run did in which a number differed: the same weights, made from the same noise and
# carried over, the same inputs, where they can be drawn again, the same seed, mode, type and device.

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from seqify.compare.comparison import Comparison
from seqify.compare.runs import Trials, short
from seqify.compare.verdict import Check
from seqify.drawn import HELPERS, CannotDraw, draw_inputs
from seqify.inputs import Inputs
from seqify.report import Base
from seqify.target import parse_target
from seqify.trial import Setting

__all__ = ["make_repro"]

_PARTS = ("forward", "gradients", "input gradients", "buffers", "steps")
_WIDTH = 116


@dataclass(frozen=True)
class _Failure:
    trials: Trials
    row: Check
    tensor: str


def make_repro(comparison: Comparison, example: Inputs, targets: tuple[str, str], base: Base | None = None) -> str:
    """
    A script that runs both sides and prints how far apart they are.

    Args:
        comparison: what was found out.
        example: the inputs as they were given or found.
        targets: the old one and the new one, as the user names them in the working folder.
        base: the revision of the old one.

    Returns:
        The script; "" where no number differs, or where the input is nothing that could be written down.
    """
    failure = next(_failures(comparison), None)
    if failure is None:
        return ""
    setting, row = failure.trials.setting, failure.row
    try:
        inputs = [draw_inputs(values, example, setting) for values in failure.trials.values]
    except CannotDraw:
        return ""
    sides = _Source.of(targets[0], base), _Source.of(targets[1], None)
    rules = _rules({name: item for name, item in comparison.names.items() if name != item})
    where = ", ".join(part for part in (row.mode, row.dtype, row.device, row.variant) if part not in ("", "-"))
    rescaled = failure.trials.scale != 1
    purges = sides[0].root != sides[1].root
    names = ["importlib", *(["os"] if purges else []), *(["subprocess"] if base is not None else []), "sys"]
    names += ["tempfile"] if base is not None else []
    seen = f" at {base.name}" if base is not None else ""
    used = [name for name in HELPERS if any(f"{name}(" in line for line in inputs)]
    mapped = "{name: state[old_name(name)] for name in new.state_dict()}" if rules else "state"
    sections = [
        f'"""Shows that `{targets[0]}`{seen} and `{targets[1]}` differ: {row.name} ({where}).\n\n'
        'Run it in the folder that seqify was called in; it needs torch and the files."""',
        "".join(f"import {name}\n" for name in names),
        "import torch\n",
        f"\n{_load(setting, purges)}",
        *([f"\n{_wrapped(f'RENAMED = {rules!r}')}\n\n\n{_OLD_NAME}"] if rules else []),
        "\n" + _PERTURB,
        *(["\n" + _TENSORS] if row.name not in ("forward", "buffers") else []),
        *("\n" + HELPERS[name] for name in used),
        f"\n{_run(failure, bool(rules))}\n",
        "\n"
        + (_LAY_OUT.format(commit=base.commit, top=os.path.relpath(base.top)) if base is not None else "")
        + f"old = load({sides[0].arguments})\nnew = load({sides[1].arguments})\nperturb(old)\n"
        + (f"for item in old.parameters():\n    item.data *= {failure.trials.scale:g}\n" if rescaled else "")
        + f"state = old.state_dict()\nnew.load_state_dict({mapped})",
        "INPUTS = [\n" + "".join(f"    {line},\n" for line in inputs) + "]\n" + _PRINT,
    ]
    return "\n".join(sections)


def _failures(comparison: Comparison) -> Iterator[_Failure]:
    """The runs in which a number differs, those that fail first in front."""
    for trials, rows in comparison.failing:
        for row in rows:
            named = re.search(r"first in `(.+)`", row.note)
            if row.name in _PARTS and row.level == "error" and not row.ok and row.max_abs and named:
                if trials.state is None:
                    yield _Failure(trials, row, named[1])


# ---- sides


@dataclass(frozen=True)
class _Source:
    """Where a side is imported from: the folder, and the arguments of `load` that say so."""

    root: Path
    arguments: str

    @classmethod
    def of(cls, target: str, base: Base | None) -> _Source:
        found = parse_target(target)
        what = found.name + (found.arguments if found.call is not None else "")
        root, name = Path(".").resolve(), found.module or ""
        if found.path is not None:
            path = Path(os.path.abspath(found.path))
            root, parts = path.parent, [path.stem]
            while (root / "__init__.py").is_file():
                parts.insert(0, root.name)
                root = root.parent
            name = ".".join(part for part in parts if part != "__init__")
        folder = repr(os.path.relpath(root))
        if base is not None:
            inside = os.path.relpath(root, base.top)
            folder = "base" if inside == "." else f"base + {f'/{inside}'!r}"
            root = Path(folder)
        return cls(root, f"{folder}, {name!r}, {what!r}")


def _load(setting: Setting, purges: bool) -> str:
    """The function that loads a side; where two folders are imported from, each has its own modules."""
    dtype = f", {setting.dtype}" if setting.dtype is not None else ""
    before, after = (_BEFORE, _AFTER) if purges else ("", "")
    return _LOAD.format(before=before, after=after, move=f'.to("{setting.device}"{dtype})')


def _rules(renamed: Mapping[str, str]) -> dict[str, str]:
    """New beginnings of names and the old ones, as few as say it all."""
    rules: dict[str, str] = {}
    for new, old in renamed.items():
        ours, theirs = new.split("."), old.split(".")
        while len(ours) > 1 and len(theirs) > 1 and ours[-1] == theirs[-1]:
            ours.pop()
            theirs.pop()
        rules[".".join(ours)] = ".".join(theirs)
    return rules if all(_apply(rules, new) == old for new, old in renamed.items()) else dict(renamed)


def _apply(rules: Mapping[str, str], name: str) -> str:
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        head = ".".join(parts[:end])
        if head in rules:
            return rules[head] + name[len(head) :]
    return name


# ---- the script


def _run(failure: _Failure, renamed: bool) -> str:
    """The function that runs a model and gives the tensors that differ."""
    setting, part = failure.trials.setting, failure.row.name
    around = [] if setting.grad else ["torch.no_grad()"]
    if setting.autocast is not None:
        around.append(f'torch.autocast("{torch.device(setting.device).type}", torch.{short(setting.autocast)})')
    call = ["output = model(*values.values()) if len(values) == 1 else model(**values)"]
    if around:
        call = [f"with {', '.join(around)}:", f"    {call[0]}"]
    name = "old_name(name)" if renamed else "name"
    leaves = "values = {name: item.clone().requires_grad_(item.is_floating_point()) for name, item in values.items()}"
    lines = {
        "forward": [*call, f"return {{{failure.tensor!r}: {failure.tensor}}}"],
        "gradients": [
            "model.zero_grad()",
            *call,
            *_BACKWARD,
            f"return {{{name}: item.grad for name, item in model.named_parameters()}}",
        ],
        "input gradients": [
            leaves,
            *[line.replace("values.values()", "(item * 1 for item in values.values())") for line in call],
            *_BACKWARD,
            "return {name: item.grad for name, item in values.items()}",
        ],
        "buffers": [*call, f"return {{{name}: item for name, item in model.named_buffers()}}"],
        "steps": [
            "optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)",
            f"for step in range({failure.trials.steps}):",
            "    torch.manual_seed(seed + step)",
            *(f"    {line}" for line in ("optimizer.zero_grad()", *call, *_BACKWARD, "optimizer.step()")),
            f"return {{{name}: item.detach() for name, item in model.named_parameters()}}",
        ],
    }[part]
    head = [f"model.train({failure.row.mode == 'train'})", "torch.manual_seed(seed)"]
    return "def run(model, values, seed):\n" + textwrap.indent("\n".join([*head, *lines]), "    ")


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, _WIDTH, subsequent_indent="    ", break_long_words=False))


_BACKWARD = (
    "chance, total = torch.Generator().manual_seed(7), 0",
    "for item in tensors(output):",
    "    if item.requires_grad:",
    "        total = total + (item * torch.randn(item.shape, generator=chance, dtype=torch.float64).to(item)).sum()",
    "total.backward()",
)

_LOAD = """\
def load(folder, module, what):
    sys.path.insert(0, folder)
    sys.modules.pop(module, None)
{before}    found = eval(what, vars(importlib.import_module(module)))
    torch.manual_seed(0)
    model = found if isinstance(found, torch.nn.Module) else found()
{after}    return model{move}
"""

_BEFORE = """\
    before = set(sys.modules)
"""
_AFTER = """\
    sys.path.remove(folder)
    for name in set(sys.modules) - before:  # the other side has modules of the same names
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(os.path.abspath(folder)):
            del sys.modules[name]
"""

_OLD_NAME = """\
def old_name(name):
    head = max((head for head in RENAMED if f"{name}.".startswith(f"{head}.")), key=len, default=None)
    return name if head is None else RENAMED[head] + name[len(head) :]
"""

_PERTURB = """\
def perturb(model):  # fresh weights hide differences
    chance = torch.Generator().manual_seed(1)
    parameters, saved = dict(model.named_parameters()), model.state_dict()
    for name, item in {**parameters, **dict(model.named_buffers())}.items():
        if name in saved and item.is_floating_point() and item.isfinite().all():
            factor, shift = torch.rand(item.shape, generator=chance) + 0.5, torch.randn(item.shape, generator=chance)
            if name in parameters and item.dim() > 1:
                shift *= float(item.detach().float().std(unbiased=False).clamp(min=0.01))
            elif name not in parameters and (item > 0).any() and not (item < 0).any():
                shift = shift.abs()
            item.data.mul_(factor.to(item)).add_((0.1 * shift).to(item))
"""

_TENSORS = """\
def tensors(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from tensors(item)
"""

_LAY_OUT = """\
base = tempfile.mkdtemp()
subprocess.run("git archive {commit} | tar -x -C " + base, shell=True, check=True, cwd={top!r})
"""

_PRINT = """\
for seed, values in enumerate(INPUTS, 1000):
    left, right = (run(model, values, seed) for model in (old, new))
    pairs = {name: (item, right[name]) for name, item in left.items() if item is not None}
    gaps = {name: (a.double() - b.double()).abs().max().item() for name, (a, b) in pairs.items()}
    first = next((name for name, gap in gaps.items() if gap), None)
    print(f"{first} differs by up to {gaps[first]:.3g}" if first else "no difference")
"""
