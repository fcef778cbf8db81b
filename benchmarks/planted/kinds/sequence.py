"""Layers that are swapped, repeated, shared, or called in another order."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from ..mutant import kind
from ..source import Source, callee, dotted, names_in
from .sites import ACTIVATIONS, BATCH_NORMS, BLOCKS, DROPOUTS, FUNCTIONS, NORMS, Edits, entries, layer_calls

__all__: list[str] = []


@kind("order in a Sequential")
def swapped_entries(source: Source) -> Iterator[Edits]:
    """Neighbours of which one at least has no sizes of its own; a dropout beside a relu commutes with it."""
    for layers in entries(source):
        for left, right in itertools.pairwise(layers):
            names = [callee(item) for item in (left, right)]
            free = [name for name in names if name in (*ACTIVATIONS, *DROPOUTS, *BATCH_NORMS)]
            commute = any(name in DROPOUTS for name in names) and any(name in ("nn.ReLU", "nn.ReLU6") for name in names)
            commute = commute or ("nn.MaxPool2d" in names and "nn.ReLU" in names)
            if free and not commute:
                yield source.swap(left, right)


@kind("swapped layers")
def swapped_layers(source: Source) -> Iterator[Edits]:
    """Two layers that are made by the same text, each called in place of the other."""
    calls = list(layer_calls(source, *BLOCKS))
    for index, left in enumerate(calls):
        for right in calls[index + 1 :]:
            same = source.function(left) is source.function(right) and left.func.attr != right.func.attr
            if same and source.of(source.layer(left)) == source.of(source.layer(right)):
                if not (isinstance(source.parent[left], ast.BinOp) and source.parent[left] is source.parent[right]):
                    yield source.swap(left.func, right.func)


@kind("the same layer called twice")
def repeated_layer(source: Source) -> Iterator[Edits]:
    """One of two layers made by the same text is called for both."""
    calls = list(layer_calls(source, *BLOCKS))
    for left, right in itertools.pairwise(calls):
        if source.function(left) is source.function(right) and left.func.attr != right.func.attr:
            if source.of(source.layer(left)) == source.of(source.layer(right)):
                yield [source.replace(right.func, source.of(left.func))]


@kind("norm behind the activation")
def nest_turned(source: Source) -> Iterator[Edits]:
    """`f(norm(x))` becomes `norm(f(x))`."""
    for norm in layer_calls(source, *NORMS):
        outer = source.parent[norm]
        if isinstance(outer, ast.Call) and len(outer.args) == 1 == len(norm.args) and outer.args[0] is norm:
            if source.kind(outer) in (*FUNCTIONS, *ACTIVATIONS):
                begin, inner = source.of(outer.func), source.of(norm.args[0])
                text = f"{source.of(norm.func)}({begin}({inner}"
                rest = source.text[source.end(norm) : source.end(outer) - 1]
                yield [source.replace(outer, f"{text}{rest}))")]


@kind("loop one short")
def short_loop(source: Source) -> Iterator[Edits]:
    for loop in source.running(ast.For):
        inner = loop.iter
        if callee(inner) in ("enumerate", "range") and len(inner.args) == 1:
            short = " - 1" if callee(inner) == "range" else "[:-1]"
            yield [source.replace(inner.args[0], source.of(inner.args[0]) + short)]
        elif isinstance(inner, ast.Attribute):
            yield [source.replace(inner, f"{source.of(inner)}[:-1]")]
            yield [source.replace(inner, f"{source.of(inner)}[1:]")]


@kind("loop in reverse")
def reversed_loop(source: Source) -> Iterator[Edits]:
    for loop in source.running(ast.For):
        if isinstance(loop.iter, ast.Attribute):
            yield [source.replace(loop.iter, f"reversed({source.of(loop.iter)})")]
    for call in source.calls("reversed"):
        yield [source.replace(call, source.of(call.args[0]))]


@kind("one element many times")
def shared_elements(source: Source) -> Iterator[Edits]:
    """One layer many times, where there were many layers: `[Block()] * depth`."""
    for node in source.nodes:
        if isinstance(node, ast.ListComp | ast.GeneratorExp) and not source.computing(node):
            generator = node.generators[0]
            if callee(generator.iter) == "range" and dotted(generator.target) == "_" and isinstance(node.elt, ast.Call):
                text = f"[{source.of(node.elt)}] * {source.of(generator.iter.args[-1])}"
                starred = isinstance(source.parent[node], ast.Starred)
                yield [source.replace(node, f"({text})" if starred else text)]


@kind("layer shared instead of two")
def shared_layer(source: Source) -> Iterator[Edits]:
    for owner in source.classes:
        made = [(name, item) for name, item in source.attributes(owner).items() if isinstance(item.value, ast.Call)]
        for index, (name, first) in enumerate(made):
            for _, second in made[index + 1 :]:
                weights = callee(first.value) not in (*ACTIVATIONS, *DROPOUTS)
                if weights and first.value.args and source.of(first.value) == source.of(second.value):
                    yield [source.replace(second.value, f"self.{name}")]


@kind("two layers instead of one shared")
def split_layer(source: Source) -> Iterator[Edits]:
    for owner in source.classes:
        for name, statement in source.attributes(owner).items():
            calls = list(source.calls(f"self.{name}", within=owner))
            if len(calls) > 1 and callee(statement.value) in (*BLOCKS, "nn.Sequential"):
                again = source.fresh(f"{name}_again")
                yield [
                    source.after(statement, f"self.{again} = {source.of(statement.value)}"),
                    source.replace(calls[-1].func, f"self.{again}"),
                ]


@kind("constructed one short")
def shallower(source: Source) -> Iterator[Edits]:
    for call in source.calls("range"):
        if not source.computing(call):
            yield [source.replace(call.args[-1], f"{source.of(call.args[-1])} - 1")]
    for layers in entries(source):
        for index, layer in enumerate(layers):
            call = layer if isinstance(layer, ast.Call) else None
            sizes = [source.of(item) for item in call.args[:2]] if call else []
            if len(sizes) == 2 and sizes[0] == sizes[1]:
                yield [source.without(layers, index)]


@kind("skip taken later")
def late_skip(source: Source) -> Iterator[Edits]:
    """`skip = x` after the statement that gives x its next value, instead of before."""
    for node in source.running(ast.Assign):
        following, skip = source.following(node), dotted(node.targets[0])
        copied = dotted(node.value) or callee(node.value).removesuffix(".clone")
        if isinstance(following, ast.Assign) and dotted(following.targets[0]) == copied != "":
            if skip and skip not in names_in(following):
                yield source.swap(node, following)
