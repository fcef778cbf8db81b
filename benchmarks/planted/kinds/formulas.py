"""Formulas: other reductions, other functions, the same on paper in another order."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ..mutant import kind
from ..source import Source, callee
from .sites import Edits, operators, renamed_method

__all__: list[str] = []


@kind("sum for mean")
def sum_for_mean(source: Source) -> Iterator[Edits]:
    for call in source.methods("mean", "sum"):
        if source.computing(call):
            yield [renamed_method(source, call, "sum" if call.func.attr == "mean" else "mean")]
    for call in source.calls("torch.sum"):
        yield [source.replace(call.func, "torch.mean")]
    for node in source.nodes:
        if isinstance(node, ast.keyword) and node.arg in ("reduction", "mode") and source.of(node.value) == '"mean"':
            yield [source.replace(node.value, '"sum"')]


@kind("maximum for mean")
def max_for_mean(source: Source) -> Iterator[Edits]:
    for call in source.methods("mean", "amax"):
        if source.computing(call):
            yield [renamed_method(source, call, "amax" if call.func.attr == "mean" else "mean")]
    for node in source.nodes:
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Call) and source.of(node.slice) == "0":
            call = node.value
            if callee(call) == "torch.max":
                yield [source.replace(node, f"torch.mean({', '.join(source.of(item) for item in call.args)})")]
            elif isinstance(call.func, ast.Attribute) and call.func.attr == "max":
                rest = source.text[source.end(call.func) : source.end(call)]
                yield [source.replace(node, f"{source.receiver(call)}.mean{rest}")]


@kind("eps outside the root")
def eps_outside(source: Source) -> Iterator[Edits]:
    for call in source.calls("torch.sqrt"):
        if call.args and isinstance(call.args[0], ast.BinOp) and isinstance(call.args[0].op, ast.Add):
            left, right = source.operands(call.args[0])
            yield [source.replace(call, f"(torch.sqrt({left}) + {right})")]
    for call in source.methods("norm"):
        parent = source.parent[call]
        if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Add):
            left, right = source.operands(parent)
            yield [source.replace(parent, f"torch.sqrt({left}.pow(2) + {right})")]


@kind("small constant of a formula")
def small_constant(source: Source) -> Iterator[Edits]:
    for node in source.running(ast.Constant):
        if isinstance(node.value, float) and 0 < node.value < 2e-3:
            yield [source.replace(node, repr(node.value / 8))]
    for node in operators(source, ast.Add):
        if source.of(node.right) == "self.eps":
            yield [source.replace(node, source.operands(node)[0])]


@kind("sum in another order")
def reordered_sum(source: Source) -> Iterator[Edits]:
    """`(a + b) + c` becomes `a + (b + c)`, and so with products."""
    for node in source.running(ast.BinOp):
        if isinstance(node.op, ast.Add | ast.Mult):
            inner = node.left
            if isinstance(inner, ast.BinOp) and (type(inner.op) is type(node.op) or isinstance(inner.op, ast.Sub)):
                plain = not any(isinstance(item, ast.Constant) for item in (inner.left, inner.right, node.right))
                (first, second), (_, third) = source.operands(inner), source.operands(node)
                sign = "+" if isinstance(node.op, ast.Add) else "*"
                if isinstance(inner.op, ast.Sub) and sign == "+":
                    yield [source.replace(node, f"{first} - ({second} - {third})")]
                elif plain and not isinstance(inner.op, ast.Sub):
                    yield [source.replace(node, f"{first} {sign} ({second} {sign} {third})")]


@kind("the same formula otherwise")
def other_formula(source: Source) -> Iterator[Edits]:
    """The same on paper; the bits are others."""
    for call in source.calls("F.softmax", "torch.softmax", "F.gelu", "F.silu", "torch.tanh", "F.log_softmax"):
        inside, name = source.of(call.args[0]), source.of(call.func).split(".")[1]
        rest = source.text[source.end(call.args[0]) : source.end(call)]
        if source.computing(call) and not (name == "gelu" and len(rest) > 1):
            bracketed = source.atom(call.args[0])
            text = {
                "softmax": f"torch.exp(torch.log_softmax({inside}{rest})",
                "log_softmax": f"torch.log(torch.softmax({inside}{rest})",
                "gelu": f"(0.5 * {bracketed} * (1 + torch.erf({bracketed} * 0.7071067811865476)))",
                "silu": f"({bracketed} / (1 + torch.exp(-{bracketed})))",
                "tanh": f"(2 * torch.sigmoid(2 * {bracketed}) - 1)",
            }[name]
            yield [source.replace(call, text)]
    for node in source.running(ast.BinOp):
        if isinstance(node.op, ast.Div) and isinstance(node.right, ast.Name | ast.Call | ast.Attribute):
            left, right = source.operands(node)
            if right != "keep" and not right.startswith("math."):
                yield [source.replace(node, f"{left} * (1.0 / {right})")]
    for call in source.methods("mean"):
        dim = source.argument(call, "dim", 0)
        if source.computing(call) and isinstance(dim, ast.Constant) and len(call.args) + len(call.keywords) == 1:
            receiver, number = source.receiver(call), source.of(dim)
            if re.fullmatch(r"\w+", receiver):
                yield [source.replace(call, f"({receiver} / {receiver}.size({number})).sum(dim={number})")]


@kind("exponent")
def exponent(source: Source) -> Iterator[Edits]:
    for call in source.methods("pow"):
        yield [source.replace(call.args[0], "3")]
    others = {"2": "3", "0.5": "1", "-0.5": "-1"}
    for node in source.nodes:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and source.of(node.right) in others:
            yield [source.replace(node.right, others[source.of(node.right)])]
    for call in source.calls("math.sqrt"):
        yield [source.replace(call, source.of(call.args[0]))]
    for call in source.calls("F.normalize"):
        yield [source.with_argument(call, "p", 1, "1.0")]


@kind("sine for cosine")
def sine(source: Source) -> Iterator[Edits]:
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and source.of(node) in ("torch.sin", "torch.cos"):
            yield [source.replace(node, {"torch.sin": "torch.cos", "torch.cos": "torch.sin"}[source.of(node)])]
