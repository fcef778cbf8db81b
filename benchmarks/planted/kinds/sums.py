"""Skips, sums and products."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..mutant import kind
from ..source import Source, callee, dotted
from .sites import FUNCTIONS, Edits, even, operators

__all__: list[str] = []


@kind("skip lost")
def lost_skip(source: Source) -> Iterator[Edits]:
    for node in operators(source, ast.Add):
        left, right = source.operands(node)
        yield [source.replace(node, right if isinstance(node.right, ast.Call) else left)]
        yield [source.replace(node, left if isinstance(node.right, ast.Call) else right)]
    for node in source.running(ast.AugAssign):
        if isinstance(node.op, ast.Add):
            yield [source.deleted(node)]


@kind("skip behind the norm")
def normed_skip(source: Source) -> Iterator[Edits]:
    """`x + f(norm(x))` becomes `norm(x) + f(norm(x))`."""
    for node in operators(source, ast.Add):
        if isinstance(node.left, ast.Name):
            for call in ast.walk(node.right):
                if isinstance(call, ast.Call) and len(call.args) == 1 and dotted(call.args[0]) == node.left.id:
                    if callee(call).startswith("self."):
                        yield [source.replace(node.left, source.of(call))]


@kind("activation before the sum")
def early_activation(source: Source) -> Iterator[Edits]:
    for node in operators(source, ast.Add):
        call = source.parent[node]
        function = callee(call)
        if (function in FUNCTIONS or function.startswith("self.")) and call.args == [node]:
            left, right = source.operands(node)
            yield [source.replace(call, f"({function}({left}) + {right})")]
            yield [source.replace(call, f"({left} + {function}({right}))")]


@kind("scaled branch")
def scaled_branch(source: Source) -> Iterator[Edits]:
    for node in operators(source, ast.Add):
        left, right = source.operands(node)
        right = right if isinstance(node.right, ast.Name | ast.Call) else f"({right})"
        yield [source.replace(node, f"{left} + 0.5 * {right}")]


@kind("wrong sign")
def wrong_sign(source: Source) -> Iterator[Edits]:
    for node in operators(source, ast.Add, ast.Sub):
        left, right = source.operands(node)
        sign = "-" if isinstance(node.op, ast.Add) else "+"
        right = f"({right})" if isinstance(node.right, ast.BinOp) else right
        yield [source.replace(node, f"{left} {sign} {right}")]


@kind("sum for product")
def sum_for_product(source: Source) -> Iterator[Edits]:
    for node in operators(source, ast.Mult):
        left, right = source.operands(node)
        yield [source.replace(node, f"({left} + {right})")]


@kind("factor lost")
def lost_factor(source: Source) -> Iterator[Edits]:
    """A gate, a scale of the attention, a temperature."""
    for node in source.running(ast.BinOp):
        if isinstance(node.op, ast.Mult | ast.Div):
            left, right = source.operands(node)
            if not isinstance(node.left, ast.Constant):
                yield [source.replace(node, left)]
            elif isinstance(node.op, ast.Mult):
                yield [source.replace(node, right)]


@kind("other constant")
def other_constant(source: Source) -> Iterator[Edits]:
    for node in source.running(ast.Constant):
        if isinstance(node.value, float) and isinstance(source.parent[node], ast.BinOp):
            yield [source.replace(node, repr(node.value * 1.5 + 0.125))]


@kind("swapped operands")
def swapped_operands(source: Source) -> Iterator[Edits]:
    signs = {ast.Sub: "-", ast.Div: "/", ast.MatMult: "@"}
    for node in source.running(ast.BinOp):
        sign = signs.get(type(node.op))
        if sign is not None and not (sign == "-" and even(source, node)):
            left, right = source.operands(node)
            bracketed = isinstance(node.left, ast.BinOp) and not left.startswith("(")
            yield [source.replace(node, f"{right} {sign} {f'({left})' if bracketed else left}")]
    for call in source.calls("torch.matmul", "torch.bmm"):
        yield source.swap(call.args[0], call.args[1])
