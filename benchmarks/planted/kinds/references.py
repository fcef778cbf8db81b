"""The wrong one of several: variables, elements, the order of a list."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator

from ..edit import Edit
from ..mutant import kind
from ..source import Source
from .sites import Edits

__all__: list[str] = []


@kind("wrong variable")
def wrong_variable(source: Source) -> Iterator[Edits]:
    """Another local variable as the argument of a layer or function; kept where the network still runs."""
    for function in source.forwards():
        # in which row each variable is first assigned
        known = {item.arg: function.lineno for item in function.args.args if item.arg != "self"}
        inside = [node for node in source.inside(function) if isinstance(node, ast.Name)]
        for node in inside:
            if isinstance(node.ctx, ast.Store):
                known.setdefault(node.id, node.lineno)
        for node in inside:
            if isinstance(node.ctx, ast.Store) or node.id not in known:
                continue
            if getattr(source.parent[node], "attr", "") in ("shape", "size", "dtype", "device"):
                continue
            for other, row in known.items():
                same = rf"\b({other} = {node.id}|{node.id} = {other})\n"
                if other != node.id and row < node.lineno and not re.search(same, source.of(function)):
                    yield [source.replace(node, other)]


@kind("order of a concatenation")
def cat_order(source: Source) -> Iterator[Edits]:
    for call in source.calls("torch.cat", "torch.stack"):
        if isinstance(call.args[0], ast.List | ast.Tuple):
            items = call.args[0].elts
            for left, right in itertools.pairwise(items):
                yield source.swap(left, right)


@kind("swapped unpacking")
def swapped_unpacking(source: Source) -> Iterator[Edits]:
    for node in source.running(ast.Assign):
        if isinstance(node.targets[0], ast.Tuple):
            names = node.targets[0].elts
            for left, right in itertools.pairwise(names):
                yield source.swap(left, right)


@kind("wrong element")
def wrong_index(source: Source) -> Iterator[Edits]:
    others = {"[:, -1]": "[:, 0]", "[:, 0]": "[:, -1]", "[:, :, -1]": "[:, :, 0]", "[-1]": "[0]", "[0]": "[-1]"}
    others |= {"[-2]": "[0]", "[:, 0::2]": "[:, 1::2]", "[:, 1::2]": "[:, 0::2]", "[:, 1:]": "[:, :-1]"}
    for node in source.nodes:
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            text = source.text[source.end(node.value) : source.end(node)]
            if text in others and source.owner(node) is not None:
                yield [Edit(source.end(node.value), source.end(node), others[text])]
