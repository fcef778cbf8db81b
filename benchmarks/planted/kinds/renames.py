"""Refactors after which parameters have other names: the same network up to a map of keys."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..edit import Edit
from ..mutant import kind
from ..source import Source, callee
from .sites import BLOCKS, Edits, made, mentions

__all__: list[str] = []


@kind("layer renamed", "renamed")
def renamed_layer(source: Source) -> Iterator[Edits]:
    for owner in source.classes:
        for name, item in made(source, owner):
            if callee(item.value) in (*BLOCKS, "nn.Embedding", "nn.Sequential", "nn.ModuleList", "nn.Parameter"):
                # a name that something else has too could be meant there: `x.weight` of a layer, a key of a dict
                if name not in ("weight", "bias") and f".{name}." not in source.text.replace(f"self.{name}.", ""):
                    yield source.renamed(mentions(source, owner, name), name, source.fresh(f"{name}_new"))


@kind("block renamed", "renamed")
def renamed_block(source: Source) -> Iterator[Edits]:
    """A submodule of a class of the file, or a list of them."""
    names = {owner.name for owner in source.classes}
    for owner in source.classes:
        for name, item in made(source, owner):
            if names & {callee(node) for node in ast.walk(item.value) if isinstance(node, ast.Call)}:
                yield source.renamed(mentions(source, owner, name), name, source.fresh(f"{name}_new"))


def lines(source: Source) -> Iterator[tuple[list[tuple[str, ast.Assign]], ast.Call]]:
    """Layers that are made one after the other and called once each, one inside the other: `self.b(self.a(x))`."""
    for owner in source.classes:
        found = dict(made(source, owner))
        for outer in source.inside(owner):
            inner = outer.args[0] if isinstance(outer, ast.Call) and outer.args else None
            if not isinstance(inner, ast.Call):
                continue
            if any(len(call.args) != 1 or call.keywords for call in (outer, inner)):
                continue
            names = [callee(call).removeprefix("self.") for call in (inner, outer)]
            if all(name in found for name in names) and all(len(mentions(source, owner, name)) == 2 for name in names):
                first, second = found[names[0]], found[names[1]]
                if source.following(first) is second:
                    yield [(names[0], first), (names[1], second)], outer


@kind("layers in a Sequential", "renamed")
def sequential(source: Source) -> Iterator[Edits]:
    for ((name, first), (_, second)), outer in lines(source):
        joined = source.fresh(f"{name}_stage")
        text = f"self.{joined} = nn.Sequential({source.of(first.value)}, {source.of(second.value)})"
        yield [
            Edit(source.start(first), source.end(second), text),
            source.replace(outer, f"self.{joined}({source.of(outer.args[0].args[0])})"),
        ]


@kind("layers in a ModuleList", "renamed")
def module_list(source: Source) -> Iterator[Edits]:
    for ((name, first), (_, second)), outer in lines(source):
        joined = source.fresh(f"{name}_parts")
        text = f"self.{joined} = nn.ModuleList([{source.of(first.value)}, {source.of(second.value)}])"
        inner = source.of(outer.args[0].args[0])
        yield [
            Edit(source.start(first), source.end(second), text),
            source.replace(outer, f"self.{joined}[1](self.{joined}[0]({inner}))"),
        ]


@kind("layer wrapped in a class", "renamed")
def wrapped(source: Source) -> Iterator[Edits]:
    name = source.fresh("Wrapped")
    text = (
        f"class {name}(nn.Module):\n    def __init__(self, layer):\n        super().__init__()\n"
        "        self.layer = layer\n\n"
        "    def forward(self, x):\n        return self.layer(x)\n\n\n"
    )
    start = source.start(source.classes[0])
    for owner in source.classes:
        for attribute, item in made(source, owner):
            if callee(item.value) in BLOCKS and len(mentions(source, owner, attribute)) == 2:
                yield [Edit(start, start, text), source.replace(item.value, f"{name}({source.of(item.value)})")]


@kind("entries of a Sequential named", "renamed")
def named_entries(source: Source) -> Iterator[Edits]:
    for call in source.calls("nn.Sequential"):
        if call.args and not isinstance(call.args[0], ast.Starred):
            items = ", ".join(f'("part{index}", {source.of(item)})' for index, item in enumerate(call.args))
            start = source.start(source.tree.body[1])
            yield [
                Edit(start, start, "from collections import OrderedDict\n\n"),
                source.replace(call, f"nn.Sequential(OrderedDict([{items}]))"),
            ]


@kind("Sequential taken apart", "renamed")
def apart(source: Source) -> Iterator[Edits]:
    """One attribute for each entry, called one after the other."""
    for owner in source.classes:
        for name, item in made(source, owner):
            entries = item.value.args if callee(item.value) == "nn.Sequential" else []
            found = mentions(source, owner, name)
            calls = [node for node in found if source.computing(node)]
            whole = [source.parent[node] for node in calls]
            if not entries or isinstance(entries[0], ast.Starred) or len(found) != len(calls) + 1:
                continue
            if all(isinstance(call, ast.Call) and len(call.args) == 1 and call.func in calls for call in whole):
                rows = [f"self.{name}{index} = {source.of(entry)}" for index, entry in enumerate(entries)]
                edits = [source.replace(item, f"\n{source.indent(item)}".join(rows))]
                for call in whole:
                    text = source.of(call.args[0])
                    for index in range(len(entries)):
                        text = f"self.{name}{index}({text})"
                    edits.append(source.replace(call, text))
                yield edits
