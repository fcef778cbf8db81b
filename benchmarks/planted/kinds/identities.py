"""Other operations with the same bits, forward and backward: equal for every value, though no graph is the same."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from ..mutant import kind
from ..source import Source, callee
from .sites import Edits, entries, even, layer_calls, operators

__all__: list[str] = []


def calls_in(node: ast.AST) -> bool:
    return any(isinstance(item, ast.Call | ast.BinOp) for item in ast.walk(node))


@kind("sum or product commuted", "equal")
def commuted(source: Source) -> Iterator[Edits]:
    """Where one side issues no operation, so that all others keep their order."""
    for node in operators(source, ast.Add, ast.Mult):
        if not (calls_in(node.left) and calls_in(node.right)) and not isinstance(source.parent[node], ast.BinOp):
            left, right = source.operands(node)
            sign = "+" if isinstance(node.op, ast.Add) else "*"
            left = f"({left})" if isinstance(node.left, ast.BinOp) and not left.startswith("(") else left
            yield [source.replace(node, f"{right} {sign} {left}")]


@kind("multiplied by the inverse of a power of two", "equal")
def halved(source: Source) -> Iterator[Edits]:
    for node in source.running(ast.BinOp):
        left, right = source.operands(node)
        for number, other in ((left, right), (right, left)):
            if isinstance(node.op, ast.Mult) and number in ("0.5", "0.25", "2.0"):
                yield [source.replace(node, f"({other} / {1 / float(number)})")]


@kind("sum with the negative", "equal")
def negated(source: Source) -> Iterator[Edits]:
    for node in operators(source, ast.Sub):
        left, right = source.operands(node)
        if isinstance(node.right, ast.Name | ast.Call):
            yield [source.replace(node, f"{left} + (-{right})")]


@kind("through double precision and back", "equal")
def double_trip(source: Source) -> Iterator[Edits]:
    for call in layer_calls(source, "nn.Conv1d", "nn.Conv2d", "nn.Linear", "nn.BatchNorm2d", "nn.LayerNorm"):
        if isinstance(call.args[0], ast.Name):
            name = call.args[0].id
            yield [source.replace(call.args[0], f"{name}.to(torch.float64).to({name}.dtype)")]


@kind("in-place where nothing else reads", "equal")
def harmless_inplace(source: Source) -> Iterator[Edits]:
    makers = ("nn.Conv1d", "nn.Conv2d", "nn.Conv3d", "nn.Linear", "nn.BatchNorm1d", "nn.BatchNorm2d", "nn.BatchNorm3d")
    for layers in entries(source):
        for left, right in itertools.pairwise(layers):
            if callee(left) in makers and source.of(right) in ("nn.ReLU()", "nn.Hardswish()"):
                yield [source.replace(right, source.of(right).replace("()", "(inplace=True)"))]
    for call in source.calls("F.relu"):
        inner = call.args[0]
        if isinstance(inner, ast.Call) and source.kind(inner) in makers and not call.keywords:
            if not any(isinstance(item, ast.With) for item in source.climb(call)):
                yield [source.appended(call, "inplace=True")]


@kind("maximum and relu commuted", "equal")
def commuted_pool(source: Source) -> Iterator[Edits]:
    for call in source.calls("F.max_pool2d", "F.max_pool1d"):
        inner = call.args[0]
        if isinstance(inner, ast.Call) and callee(inner) == "F.relu":
            rest = source.text[source.end(inner) : source.end(call)]
            yield [source.replace(call, f"F.relu({source.of(call.func)}({source.of(inner.args[0])}{rest})")]
    for layers in entries(source):
        for left, right in itertools.pairwise(layers):
            if callee(left) == "nn.ReLU" and callee(right) == "nn.MaxPool2d":
                yield source.swap(left, right)


@kind("operation without effect", "equal")
def no_effect(source: Source) -> Iterator[Edits]:
    for call in layer_calls(source, "nn.Conv1d", "nn.Conv2d", "nn.Linear", "nn.BatchNorm2d", "nn.LayerNorm"):
        if isinstance(call.args[0], ast.Name):
            name = call.args[0].id
            yield [source.replace(call.args[0], f"{name}.clone()")]
            yield [source.replace(call.args[0], f"{name} * 1.0")]
            yield [source.replace(call.args[0], f"{name}.view_as({name})")]


@kind("dimensions counted from behind", "equal")
def negative_dims(source: Source) -> Iterator[Edits]:
    for call in source.methods("mean", "sum", "amax"):
        value = source.argument(call, "dim", 0)
        text = source.of(value) if value is not None else ""
        found = {"(2, 3)": "(-2, -1)", "[2, 3]": "[-2, -1]", "[-2, -1]": "[2, 3]", "(-2, -1)": "(2, 3)"}
        if text in found:
            yield [source.replace(value, found[text])]


@kind("square as a product", "equal")
def squared(source: Source) -> Iterator[Edits]:
    for call in source.methods("pow"):
        statement = source.statement(call)
        if source.of(call.args[0]) == "2" and source.computing(call) and isinstance(statement, ast.Assign | ast.Return):
            name = source.fresh("factor")
            first = source.of(call) in source.of(statement).split("=", 1)[-1][: len(source.of(call)) + 2]
            if first and isinstance(call.func.value, ast.BinOp):
                yield [
                    source.before(statement, f"{name} = {source.receiver(call)}"),
                    source.replace(call, f"({name} * {name})"),
                ]


@kind("difference turned under a square", "equal")
def turned_difference(source: Source) -> Iterator[Edits]:
    for node in operators(source, ast.Sub):
        if even(source, node) and not calls_in(node.left):
            left, right = source.operands(node)
            yield [source.replace(node, f"{right} - {left}")]
