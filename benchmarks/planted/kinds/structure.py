"""Refactors of classes, methods and loops that issue the same operations in the same order."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator

from ..edit import Edit
from ..mutant import kind
from ..source import Source, callee, names_in
from .sites import ACTIVATIONS, CONVS, DROPOUTS, Edits, layer_calls, made, mentions

__all__: list[str] = []


@kind("method taken out", "equivalent")
def extracted(source: Source) -> Iterator[Edits]:
    """The right side of an assignment in a method of its own."""
    for node in source.running(ast.Assign):
        function, owner = source.function(node), source.owner(node)
        scoped = any(isinstance(item, ast.ListComp | ast.GeneratorExp) for item in ast.walk(node.value))
        if owner is None or scoped or not isinstance(node.value, ast.Call | ast.BinOp):
            continue
        local = {*stored(source, function), *(item.arg for item in function.args.args[1:])}
        read = ", ".join(sorted(names_in(node.value) & local))
        name, start = source.fresh("_part"), source.starts[function.lineno - 1]
        text = f"    def {name}(self, {read}):\n        return {source.of(node.value)}\n\n"
        yield [Edit(start, start, text), source.replace(node.value, f"self.{name}({read})")]


def stored(source: Source, function: ast.FunctionDef) -> list[str]:
    """The local variables of a function, in the order in which they are first assigned."""
    names = [node for node in source.inside(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    return list(dict.fromkeys(node.id for node in names))


@kind("local variable renamed", "equivalent")
def renamed_local(source: Source) -> Iterator[Edits]:
    for function in source.forwards():
        arguments = {item.arg for item in function.args.args}
        for name in stored(source, function):
            if name not in arguments:
                found = [item for item in source.inside(function) if isinstance(item, ast.Name) and item.id == name]
                yield source.renamed(found, name, source.fresh(f"{name}_value"))


@kind("loop by index", "equivalent")
def indexed_loop(source: Source) -> Iterator[Edits]:
    for loop in source.running(ast.For):
        if isinstance(loop.iter, ast.Attribute) and isinstance(loop.target, ast.Name):
            layers, index = source.of(loop.iter), source.fresh("number")
            yield [
                Edit(source.start(loop.target), source.end(loop.iter), f"{index} in range(len({layers}))"),
                source.before(loop.body[0], f"{loop.target.id} = {layers}[{index}]"),
            ]


@kind("loop unrolled", "equivalent")
def unrolled(source: Source) -> Iterator[Edits]:
    """Where the constructor's default says how many there are."""
    for loop in source.running(ast.For):
        owner, layers = source.owner(loop), source.of(loop.iter)
        item = dict(made(source, owner)).get(layers.removeprefix("self."))
        generators = [node for node in ast.walk(item) if isinstance(node, ast.comprehension)] if item else []
        if not generators or len(loop.body) != 1:
            continue
        count, given = source.of(generators[0].iter.args[-1]), source.method(owner, "__init__").args
        defaults = zip(reversed(given.args), reversed(given.defaults), strict=False)
        count = {name.arg: source.of(value) for name, value in defaults}.get(count, count)
        if count.isdigit():
            variable, text = source.of(loop.target), source.of(loop.body[0])
            rows = [re.sub(rf"\b{variable}\b", f"{layers}[{index}]", text) for index in range(int(count))]
            yield [source.replace(loop, f"\n{source.indent(loop)}".join(rows))]


@kind("dead code", "equivalent")
def dead_code(source: Source) -> Iterator[Edits]:
    for function in source.forwards():
        if source.owner(function) is not None and len(function.args.args) > 1:
            name = function.args.args[1].arg
            yield [source.before(function.body[0], "if False:", f"    {name} = {name} * 2")]
            yield [source.before(function.body[-1], f"unused = type({name}).__name__")]


@kind("comments and docstrings", "equivalent")
def comments(source: Source) -> Iterator[Edits]:
    for function in source.forwards():
        yield [source.before(function.body[0], '"""Compute the result."""', "", "# the first step")]
    for function in source.constructors():
        yield [source.before(statement, "# one more part") for statement in function.body]


@kind("annotations", "equivalent")
def annotations(source: Source) -> Iterator[Edits]:
    for function in source.forwards():
        plain = function.args.args[1 : len(function.args.args) - len(function.args.defaults)]
        yield [Edit(source.end(item), source.end(item), ': "torch.Tensor"') for item in plain]


@kind("base class split off", "equivalent")
def split_class(source: Source) -> Iterator[Edits]:
    """The constructor in a base class, the methods behind it in a class of the old name."""
    for owner in source.classes:
        constructor = source.method(owner, "__init__")
        rest = owner.body[owner.body.index(constructor) + 1 :] if constructor is not None else []
        called = constructor is not None and any(f"self.{item.name}" in source.of(constructor) for item in rest)
        if rest and constructor is owner.body[0] and not called:
            start, end = source.starts[rest[0].lineno - 1], source.start(owner) + len(f"class {owner.name}")
            yield [Edit(end, end, "Layers"), Edit(start, start, f"\nclass {owner.name}({owner.name}Layers):\n")]


@kind("layer without parameters renamed", "equivalent")
def renamed_quiet(source: Source) -> Iterator[Edits]:
    for owner in source.classes:
        for name, item in made(source, owner):
            if callee(item.value) in (*ACTIVATIONS, *DROPOUTS) and callee(item.value) != "nn.PReLU":
                yield source.renamed(mentions(source, owner, name), name, source.fresh(f"{name}_new"))


@kind("one module for two without parameters", "equivalent")
def merged_quiet(source: Source) -> Iterator[Edits]:
    for owner in source.classes:
        found = [(name, item) for name, item in made(source, owner) if callee(item.value) in DROPOUTS]
        for (name, first), (other, second) in itertools.pairwise(found):
            if source.of(first.value) == source.of(second.value):
                uses = [node for node in mentions(source, owner, other) if source.computing(node)]
                yield [source.deleted(second), *source.renamed(uses, other, name)]


@kind("list for a generator", "equivalent")
def listed(source: Source) -> Iterator[Edits]:
    for call in source.calls("nn.ModuleList"):
        inner = call.args[0] if call.args else None
        if isinstance(inner, ast.GeneratorExp):
            start, end = source.end(call.func) + 1, source.end(call) - 1
            yield [Edit(start, end, f"[{source.text[start:end]}]")]
        if isinstance(inner, ast.ListComp | ast.GeneratorExp):
            statement, generator = source.statement(call), inner.generators[0]
            layers, indent = source.of(statement.targets[0]), source.indent(statement)
            loop = f"for {source.of(generator.target)} in {source.of(generator.iter)}:"
            rows = [f"{layers} = nn.ModuleList()", loop, f"    {layers}.append({source.of(inner.elt)})"]
            yield [source.replace(statement, f"\n{indent}".join(rows))]


@kind("import written otherwise", "equivalent")
def imports(source: Source) -> Iterator[Edits]:
    for node in source.tree.body:
        if isinstance(node, ast.Import) and source.of(node) == "import torch.nn.functional as F":
            yield [source.replace(node, "from torch.nn import functional as F")]
        if isinstance(node, ast.ImportFrom) and source.of(node) == "from torch import nn":
            yield [source.replace(node, "import torch.nn as nn")]


@kind("Sequential called by a loop", "equivalent")
def looped_sequential(source: Source) -> Iterator[Edits]:
    value, layer = source.fresh("value"), source.fresh("entry")
    for call in layer_calls(source, "nn.Sequential"):
        statement, name = source.statement(call), callee(call)
        first = f"{value} = {source.of(call.args[0])}"
        # nothing may run between the loop and the call that it replaces
        if statement.value is call or name == callee(getattr(statement.value, "left", None)):
            rows = (first, f"for {layer} in {name}:", f"    {value} = {layer}({value})")
            yield [source.before(statement, *rows), source.replace(call, value)]


@kind("super with arguments", "equivalent")
def super_arguments(source: Source) -> Iterator[Edits]:
    for call in source.calls("super"):
        if not call.args and source.owner(call) is not None:
            yield [source.replace(call, f"super({source.owner(call).name}, self)")]


@kind("layers through a helper", "equivalent")
def helper(source: Source) -> Iterator[Edits]:
    start = source.start(source.classes[0])
    for call in source.calls("nn.Linear", *CONVS, "nn.LayerNorm", "nn.BatchNorm2d"):
        owner = source.owner(call)
        if owner is not None and source.function(call).name == "__init__":
            name = source.fresh("make_layer")
            text = f"def {name}(*args, **kwargs):\n    return {source.of(call.func)}(*args, **kwargs)\n\n\n"
            yield [Edit(start, start, text), source.replace(call.func, name)]


@kind("parameter registered by its name", "equivalent")
def registered(source: Source) -> Iterator[Edits]:
    for owner in source.classes:
        for name, item in made(source, owner):
            if callee(item.value) == "nn.Parameter":
                yield [source.replace(item, f'self.register_parameter("{name}", {source.of(item.value)})')]
            elif source.block(item) is source.method(owner, "__init__").body and "." in callee(item.value):
                yield [source.replace(item, f'self.add_module("{name}", {source.of(item.value)})')]
