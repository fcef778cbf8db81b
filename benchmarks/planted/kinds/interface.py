"""What callers see: parameters of forward and the structure of the output."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from ..edit import Edit
from ..mutant import kind
from ..source import Source
from .sites import Edits, returns

__all__: list[str] = []


@kind("tuple for a tensor or a list")
def output_structure(source: Source) -> Iterator[Edits]:
    for node in returns(source):
        value, text = node.value, source.of(node.value)
        if isinstance(value, ast.Tuple):
            yield [source.replace(value, f"[{text.strip('()')}]")]
        elif isinstance(value, ast.List):
            yield [source.replace(value, f"({text[1:-1]})")]
        elif not isinstance(value, ast.Dict):
            yield [source.replace(value, f"({text},)")]
            yield [source.replace(value, f'{{"out": {text}}}')]


@kind("outputs in another order")
def output_order(source: Source) -> Iterator[Edits]:
    for node in returns(source):
        items = getattr(node.value, "elts", [])
        for left, right in itertools.pairwise(items):
            yield source.swap(left, right)
        values = node.value.values if isinstance(node.value, ast.Dict) else []
        for left, right in itertools.pairwise(values):
            yield source.swap(left, right)


@kind("output lost")
def lost_output(source: Source) -> Iterator[Edits]:
    for node in returns(source):
        if isinstance(node.value, ast.Tuple | ast.List):
            for item in node.value.elts:
                yield [source.replace(node.value, source.of(item))]
        elif isinstance(node.value, ast.Dict):
            for key, value in zip(node.value.keys[1:], node.value.values[1:], strict=True):
                start = source.text.rindex(",", 0, source.start(key))
                yield [Edit(start, source.end(value), "")]


@kind("key of the output")
def output_key(source: Source) -> Iterator[Edits]:
    for node in returns(source):
        for key in node.value.keys if isinstance(node.value, ast.Dict) else ():
            yield [source.replace(key, source.of(key)[:-1] + '_"')]


@kind("parameter of forward renamed")
def renamed_parameter(source: Source) -> Iterator[Edits]:
    forward = source.method(source.classes[-1], "forward")
    for argument in forward.args.args[1:]:
        name = source.fresh(f"{argument.arg}_in")
        yield [
            source.replace(node, name)
            for node in source.inside(forward)
            if (isinstance(node, ast.Name) and node.id == argument.arg) or node is argument
        ]


@kind("default of forward")
def forward_default(source: Source) -> Iterator[Edits]:
    for value in source.method(source.classes[-1], "forward").args.defaults:
        yield [source.replace(value, repr(float(source.of(value)) * 2))]


@kind("parameters of forward in another order")
def parameter_order(source: Source) -> Iterator[Edits]:
    forward = source.method(source.classes[-1], "forward")
    arguments = forward.args.args[1 : len(forward.args.args) - len(forward.args.defaults)]
    for left, right in itertools.pairwise(arguments):
        yield source.swap(left, right)


@kind("the same output twice")
def repeated_output(source: Source) -> Iterator[Edits]:
    for node in returns(source):
        if isinstance(node.value, ast.Tuple) and len(node.value.elts) > 1:
            first, second = node.value.elts[:2]
            yield [source.replace(second, source.of(first))]
