"""Shapes, strides and dtypes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ..edit import Edit
from ..mutant import kind
from ..source import Source, dotted
from .sites import BLOCKS, Edits, layer_calls, returns

__all__: list[str] = []


@kind("lower precision on the way")
def half_trip(source: Source) -> Iterator[Edits]:
    for call in layer_calls(source, *BLOCKS):
        yield [source.replace(call.args[0], f"{source.atom(call.args[0])}.half().float()")]
        yield [source.replace(call, f"{source.of(call)}.bfloat16().float()")]


@kind("cast lost")
def lost_cast(source: Source) -> Iterator[Edits]:
    for call in source.methods("double", "to"):
        argument = dotted(call.args[0]) if call.args else ""
        # an integer beside a floating-point number is promoted without a cast
        promoted = re.search("mask|lengths", source.of(call))
        if source.computing(call) and (not call.args or argument.endswith("dtype")) and not promoted:
            yield [source.replace(call, source.receiver(call))]


@kind("dtype of the output")
def output_dtype(source: Source) -> Iterator[Edits]:
    for node in returns(source):
        values = node.value.elts if isinstance(node.value, ast.Tuple | ast.List) else [node.value]
        for value in values if not isinstance(node.value, ast.Dict) else node.value.values[:1]:
            if not isinstance(value, ast.Tuple):
                for cast in ("double", "half"):
                    yield [source.replace(value, f"{source.atom(value)}.{cast}()")]


@kind("squeeze of all dimensions")
def squeeze_all(source: Source) -> Iterator[Edits]:
    for call in source.methods("squeeze"):
        yield [source.without_argument(call, call.args[0])]


@kind("batch size written down")
def fixed_batch(source: Source) -> Iterator[Edits]:
    """Four, as in the example."""
    for call in source.methods("size"):
        if call.args and source.of(call.args[0]) == "0" and isinstance(call.func.value, ast.Name):
            yield [source.replace(call, "4")]
    for node in source.nodes:
        if isinstance(node, ast.Subscript) and dotted(node.value).endswith(".shape") and source.of(node.slice) == "0":
            yield [source.replace(node, "4")]
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple) and source.computing(node):
            if source.of(node.value).endswith((".shape", ".size()")):
                yield [source.after(node, f"{source.of(node.targets[0].elts[0])} = 4")]
    for call in source.calls("torch.flatten"):
        yield [source.replace(call, f"{source.atom(call.args[0])}.reshape(4, -1)")]
    for call in source.methods("flatten"):
        if source.of(call.args[0]) == "1":
            yield [source.replace(call, f"{source.receiver(call)}.reshape(4, -1)")]


@kind("view for a transposition")
def view_for_transpose(source: Source) -> Iterator[Edits]:
    """The same shape, the numbers in another order."""
    for call in source.methods("transpose", "permute", "t"):
        receiver, statement, name = source.receiver(call), source.statement(call), source.fresh("whole")
        if source.computing(call) and re.fullmatch(r"[\w.]+", receiver):
            yield [source.replace(call, f"{receiver}.reshape({source.of(call)}.shape)")]
        elif source.computing(call) and isinstance(statement, ast.Assign):
            yield [
                source.before(statement, f"{name} = {receiver}"),
                source.replace(call, f"{name}.reshape({name}{source.of(call)[len(receiver) :]}.shape)"),
            ]


@kind("transposition lost", raises=True)
def lost_transpose(source: Source) -> Iterator[Edits]:
    for call in source.methods("transpose", "permute"):
        if source.computing(call):
            yield [source.replace(call, source.receiver(call))]


@kind("strides of the output")
def strides(source: Source) -> Iterator[Edits]:
    for node in returns(source):
        if source.of(node.value).endswith(".contiguous()"):
            yield [source.replace(node.value, source.of(node.value).removesuffix(".contiguous()"))]
        elif not isinstance(node.value, ast.Tuple | ast.List | ast.Dict):
            value = source.atom(node.value)
            yield [source.replace(node.value, f"{value}.transpose(0, -1).contiguous().transpose(0, -1)")]


@kind("keepdim lost", raises=True)
def lost_keepdim(source: Source) -> Iterator[Edits]:
    """Shapes that still broadcast: `(N)` beside `(N, 1)` gives `(N, N)`."""
    for node in source.nodes:
        if isinstance(node, ast.Call) and source.computing(node):
            value = source.argument(node, "keepdim", None)
            if value is not None:
                yield [source.without_argument(node, value)]


@kind("broadcast over another dimension")
def other_broadcast(source: Source) -> Iterator[Edits]:
    others = {"-1": "0", "1": "0", "2": "1", "0": "1"}
    for call in source.methods("unsqueeze"):
        if source.of(call.args[0]) in others and source.computing(call):
            yield [source.replace(call.args[0], others[source.of(call.args[0])])]
            yield [source.replace(call, source.receiver(call))]
    for call in source.methods("squeeze"):
        if source.computing(call):
            yield [source.replace(call, source.receiver(call))]
    for node in source.nodes:
        if isinstance(node, ast.Subscript) and "None" in source.of(node.slice) and source.computing(node):
            found = {"[:, None]": "[None, :]", "[None, :]": "[:, None]", "[:, None, None]": "[None, None, :]"}
            text = source.text[source.end(node.value) : source.end(node)]
            if text in found:
                yield [Edit(source.end(node.value), source.end(node), found[text])]


@kind("padding on the other side")
def padding_side(source: Source) -> Iterator[Edits]:
    for call in source.calls("F.pad"):
        items = call.args[1].elts
        yield source.swap(items[0], items[1])
        half = f"{source.of(items[0])} // 2"
        yield [source.replace(call.args[1], f"({half}, {source.of(items[0])} - {half})")]
