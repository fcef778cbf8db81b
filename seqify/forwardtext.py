"""Forward as text: which statements follow which, and who reads a name."""

from __future__ import annotations

import ast
import bisect
from collections import Counter
from collections.abc import Iterable, Sequence

from seqify.classes import ClassSource, names_loaded, names_stored
from seqify.ops import Layer

__all__ = ["ForwardText"]


class ForwardText:
    """Forward as text: which statements follow which, and who reads a name."""

    def __init__(self, cls: ClassSource) -> None:
        self.cls = cls
        self.body = cls.forward_body
        self.loads = [Counter(_loads(node)) for node in self.body]
        self.stores = [names_stored(node) for node in self.body]
        nested = [
            part
            for node in self.body
            for part in ast.walk(node)
            if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        ]
        self.captured = {name for part in nested for name in names_loaded(part)}
        for part in (part for node in self.body for part in ast.walk(node)):
            if isinstance(part, ast.Global | ast.Nonlocal):
                self.captured |= set(part.names)
        # code that reads variables by their names in strings
        self.looks_up = any(counter[name] for counter in self.loads for name in ("locals", "vars", "eval", "exec"))
        self.size_statements = [index for index, node in enumerate(self.body) if _only_reads_sizes(node)]
        self._readers: dict[str, list[int]] = {}
        for index, counter in enumerate(self.loads):
            for name in counter:
                self._readers.setdefault(name, []).append(index)

    def text(self, layer: Layer) -> str:
        """A layer's call, on one line."""
        return " ".join(self.cls.source.segment(layer.node).split())

    def linked(self, left: Layer, right: Layer) -> bool:
        """Whether the value goes from one expression to the other and nowhere else."""
        if right.input is left.node:
            return True
        first, last = self.cls.statement_of(left.node), self.cls.statement_of(right.node)
        name = self.result_name(left, first)
        if name is None or first is None or last is None or last <= first or self.looks_up:
            return False
        if not self.cls.source.alone_on_rows(self.body[first]):
            return False
        if not (isinstance(right.input, ast.Name) and right.input.id == name):
            return False
        between = range(first + 1, last)
        if any(index not in self.size_statements for index in between):
            return False
        # reads beside the input go with the call: `x.view(x.size(0), -1)`
        going = sum(isinstance(part, ast.Name) and part.id == name for part in ast.walk(right.node))
        if name in self.captured or self.loads[last][name] != going:
            return False
        node = self.body[last]
        if isinstance(node, ast.Expr) and node.value is right.node:
            return (
                True  # `F.relu_(x)` leaves its value in the same variable; who reads it next is the next link's matter
            )
        return self._dead_after(name, last)

    def result_name(self, layer: Layer, index: int | None) -> str | None:
        """The variable that holds a layer's value after its statement."""
        node = self.body[index] if index is not None else None
        if isinstance(node, ast.Assign) and node.value is layer.node and len(node.targets) == 1:
            target: ast.expr = node.targets[0]
        elif isinstance(node, ast.AnnAssign) and node.value is layer.node:
            target = node.target
        elif isinstance(node, ast.Expr) and node.value is layer.node:
            target = layer.input  # `F.relu_(x)`: the same tensor
        else:
            return None
        return target.id if isinstance(target, ast.Name) else None

    def _dead_after(self, name: str, index: int) -> bool:
        if name in self.stores[index] and _rebinds(self.body[index], name):
            return True
        readers = self._readers.get(name, [])
        position = bisect.bisect_right(readers, index)
        if position == len(readers):
            return True
        return any(_rebinds(self.body[between], name) for between in range(index + 1, readers[position]))

    def needed_only_in(self, index: int, lines: Iterable[Sequence[Layer]]) -> bool:
        """Whether all that a size statement assigns is read by these layers' own arguments, which go."""
        names = self.stores[index]
        going: dict[int, str] = {}
        for line in lines:
            kept = {id(part) for part in ast.walk(line[0].input)}
            parts = (part for layer in line for part in ast.walk(layer.node))
            going |= {id(part): part.id for part in parts if isinstance(part, ast.Name) and id(part) not in kept}
        inside = Counter(name for name in going.values() if name in names)
        everywhere = Counter({name: sum(counter[name] for counter in self.loads) for name in names})
        if names & self.captured or sum(name in stored for stored in self.stores for name in names) != len(names):
            return False
        return inside == everywhere and bool(+everywhere)


def _loads(node: ast.stmt) -> list[str]:
    return [part.id for part in ast.walk(node) if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Store)]


def _rebinds(node: ast.stmt, name: str) -> bool:
    """Whether a statement always gives a name a new value."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _only_reads_sizes(node: ast.stmt) -> bool:
    """Whether a statement assigns plain names from sizes: `b = x.size(0)`, `b, c = x.shape[:2]`, `n = h * w`."""
    if not isinstance(node, ast.Assign) or len(node.targets) != 1:
        return False
    target = node.targets[0]
    names = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
    if not all(isinstance(name, ast.Name) for name in names):
        return False
    parts = list(ast.walk(node.value))
    return any(_is_size(part) for part in parts) and all(
        isinstance(part, _SIZE_PARTS) or _is_size(part) for part in parts
    )


_SIZE_PARTS = (ast.expr_context, ast.operator, ast.unaryop, ast.Name, ast.Constant, ast.Subscript, ast.Slice, ast.Tuple,
               ast.BinOp, ast.UnaryOp)  # fmt: skip


def _is_size(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in ("shape", "size") and isinstance(node.value, ast.Name)
    if isinstance(node, ast.Call):
        return (isinstance(node.func, ast.Name) and node.func.id == "len") or _is_size(node.func)
    return False
