"""Constructors: order, ties, hooks, lists, what is trained."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator

from ..edit import Edit
from ..mutant import kind
from ..source import Source, callee, dotted
from .sites import BATCH_NORMS, BLOCKS, CONVS, DRAWING, INSTANCE_NORMS, Edits, made, setup

__all__: list[str] = []


@kind("order of construction")
def construction_order(source: Source) -> Iterator[Edits]:
    """Neighbours that both draw random weights: the same seed gives others."""
    for owner in source.classes:
        found = made(source, owner)
        for (_, first), (_, second) in itertools.pairwise(found):
            block = source.block(first)
            if second in block and all(callee(item.value) in DRAWING for item in (first, second)):
                yield source.swap(first, second)


@kind("order of registration")
def registration_order(source: Source) -> Iterator[Edits]:
    """One of the two draws nothing: the weights stay, the order of the parameters does not."""
    quiet = (*BATCH_NORMS, "nn.LayerNorm", "nn.GroupNorm", "nn.Parameter")
    for owner in source.classes:
        found = made(source, owner)
        for (_, first), (_, second) in itertools.pairwise(found):
            kinds = [callee(item.value) for item in (first, second)]
            text = source.of(first) + source.of(second)
            # a module's own parameters come before those of its children anyway, and a tied one where it is first
            own = [name == "nn.Parameter" for name in kinds]
            tied = any(f"{dotted(item.targets[0])}.weight =" in source.text for item in (first, second))
            if own[0] != own[1] or tied or "affine=False" in text:
                continue
            if second in source.block(first) and any(name in quiet for name in kinds):
                if all(name in (*quiet, *DRAWING) for name in kinds) and "randn" not in text:
                    if not (kinds[0] in DRAWING and kinds[1] in DRAWING):
                        yield source.swap(first, second)


@kind("weight tying lost")
def lost_tie(source: Source) -> Iterator[Edits]:
    for node in setup(source):
        tied = isinstance(node, ast.Assign) and dotted(node.targets[0]).count(".") > 1
        if tied and source.of(node.value).endswith(".weight"):
            yield [source.deleted(node)]
            yield [source.replace(node.value, f"nn.Parameter({source.of(node.value)}.detach().clone())")]


@kind("weights tied")
def added_tie(source: Source) -> Iterator[Edits]:
    for owner in source.classes:
        found = made(source, owner)
        for index, (name, first) in enumerate(found):
            for other, second in found[index + 1 :]:
                same = source.of(first.value) == source.of(second.value) and callee(first.value) in DRAWING
                if same and callee(first.value) in ("nn.Linear", *CONVS, "nn.Embedding"):
                    yield [source.after(second, f"self.{other}.weight = self.{name}.weight")]


@kind("hook lost")
def lost_hook(source: Source) -> Iterator[Edits]:
    for node in setup(source):
        if re.search(r"\.register_\w*hook\(", source.of(node)):
            yield [source.deleted(node)]


@kind("hook at another layer")
def moved_hook(source: Source) -> Iterator[Edits]:
    for owner in source.classes:
        names = [name for name, item in made(source, owner) if callee(item.value) in BLOCKS]
        for node in setup(source):
            match = re.match(r"self\.(\w+)\.(weight\.|bias\.)?register_\w*hook\(", source.of(node))
            if match and source.owner(node) is owner:
                for name in names:
                    if name != match[1]:
                        start = source.start(node) + 5
                        yield [Edit(start, start + len(match[1]), name)]


@kind("hook added")
def added_hook(source: Source) -> Iterator[Edits]:
    for owner in source.classes:
        for name, item in made(source, owner):
            if callee(item.value) in DRAWING[:4]:
                hook = "lambda module, args, output: output * 1.01"
                yield [source.after(item, f"self.{name}.register_forward_hook({hook})")]
                yield [source.after(item, f"self.{name}.weight.register_hook(lambda gradient: gradient * 2)")]


@kind("parametrization lost")
def lost_parametrization(source: Source) -> Iterator[Edits]:
    for call in source.calls("weight_norm", "spectral_norm"):
        yield [source.replace(call, source.of(call.args[0]))]


@kind("parametrization added")
def added_parametrization(source: Source) -> Iterator[Edits]:
    for owner in source.classes:
        for _, item in made(source, owner):
            if callee(item.value) in ("nn.Linear", *CONVS):
                yield [source.replace(item.value, f"nn.utils.parametrizations.weight_norm({source.of(item.value)})")]


@kind("layer frozen")
def frozen(source: Source) -> Iterator[Edits]:
    for owner in source.classes:
        for name, item in made(source, owner):
            if callee(item.value) in BLOCKS and "affine=False" not in source.of(item.value):
                if callee(item.value) not in INSTANCE_NORMS:
                    yield [source.after(item, f"self.{name}.requires_grad_(False)")]
                    yield [source.after(item, f"self.{name}.weight.requires_grad = False")]


@kind("layer no longer frozen")
def unfrozen(source: Source) -> Iterator[Edits]:
    for node in setup(source):
        text = source.of(node)
        if "requires_grad_(False)" in text:
            yield [source.deleted(node)]
        elif text.endswith("requires_grad = False"):
            yield [source.replace(node.value, "True")]


@kind("parameter nothing uses")
def unused_parameter(source: Source) -> Iterator[Edits]:
    for function in source.constructors():
        name = source.fresh("extra")
        last = function.body[-1]
        yield [source.after(last, f"self.{name} = nn.Linear(2, 2)")]
        yield [source.after(last, f"self.{name} = nn.Parameter(torch.zeros(3))")]


@kind("plain list for a ModuleList")
def plain_list(source: Source) -> Iterator[Edits]:
    for call in source.calls("nn.ModuleList", "nn.ModuleDict"):
        if not call.args:
            yield [source.replace(call, "[]")]
        else:
            inner = source.of(call.args[0])
            yield [source.replace(call, inner if inner[0] in "[{" else f"[{inner}]")]
