"""Masks and conditions."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..mutant import kind
from ..source import Source, dotted
from .sites import Edits, operators

__all__: list[str] = []


@kind("mask inverted")
def inverted_mask(source: Source) -> Iterator[Edits]:
    for call in source.methods("masked_fill"):
        text = source.of(call.args[0])
        yield [source.replace(call.args[0], text[1:] if text.startswith("~") else f"~({text})")]
    for call in source.calls("torch.where"):
        yield source.swap(call.args[1], call.args[2])
    signs = {ast.Eq: "!=", ast.LtE: ">", ast.Lt: ">=", ast.Gt: "<="}
    for node in source.running(ast.Compare):
        sign = signs.get(type(node.ops[0]))
        if sign is not None and not isinstance(source.parent[node], ast.If | ast.BoolOp):
            yield [source.replace(node, f"{source.of(node.left)} {sign} {source.of(node.comparators[0])}")]


@kind("mask lost")
def lost_mask(source: Source) -> Iterator[Edits]:
    for call in source.methods("masked_fill"):
        yield [source.replace(call, source.receiver(call))]
    for call in source.calls("torch.where"):
        yield [source.replace(call, source.of(call.args[1]))]
    for call in source.calls("self.self_attn"):
        yield [source.without_argument(call, source.argument(call, "key_padding_mask", None))]
    for node in operators(source, ast.Mult, ast.Add):
        if dotted(node.right) == "mask":
            yield [source.replace(node, source.operands(node)[0])]


@kind("bound of a mask")
def mask_bound(source: Source) -> Iterator[Edits]:
    """One more or one less."""
    signs = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
    for node in source.running(ast.Compare):
        sign, left, right = signs.get(type(node.ops[0])), node.left, node.comparators[0]
        branch = isinstance(source.parent[node], ast.If | ast.BoolOp | ast.IfExp)
        # a number that was drawn or measured hardly equals a bound
        counted = dotted(left) == "index" if branch else isinstance(right, ast.Subscript)
        if sign is not None and counted:
            yield [source.replace(node, f"{source.of(left)} {sign} {source.of(right)}")]
    for call in source.calls("torch.tril"):
        yield [source.appended(call, "diagonal=1")]
    for call in source.calls("torch.roll"):
        shift = source.argument(call, "shifts", 1)
        yield [source.replace(shift, f"{source.of(shift)} + 1")]


@kind("value behind a mask")
def mask_value(source: Source) -> Iterator[Edits]:
    """`1e-9` where `-1e9` was meant."""
    for call in source.methods("masked_fill"):
        yield [source.replace(call.args[1], "1e-9" if source.of(call.args[1]) != "0.0" else "1.0")]
    for node in source.nodes:
        if isinstance(node, ast.UnaryOp) and source.of(node) == "-10.0":
            yield [source.replace(node, "-1.0")]


@kind("condition turned")
def turned_condition(source: Source) -> Iterator[Edits]:
    for node in source.running(ast.If, ast.IfExp):
        if "training" not in source.of(node.test):
            yield [source.replace(node.test, f"not ({source.of(node.test)})")]
