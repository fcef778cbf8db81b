"""The excerpts: what the source of both sides has at the calls around a divergence."""

#   the call is of a function           x = F.leaky_relu(self.bn2(x))        its name in forward
#                                           ^^^^^^^^^^^^
#   of a layer that somebody built      nn.LeakyReLU(0.1),                   the constructor, which has the arguments
#                                       ^^^^^^^^^^^^^^^^^
#   anything else                       return x + self.offset               the statement
#                                       ^^^^^^^^^^^^^^^^^^^^^^

from __future__ import annotations

import ast
import linecache
from collections.abc import Sequence
from dataclasses import replace

from seqify.compare.verdict import Divergence, Spot
from seqify.diagnostics import Location

__all__ = ["with_excerpts"]

_OPERATORS = {
    "add": ast.Add,
    "sub": ast.Sub,
    "mul": ast.Mult,
    "div": ast.Div,
    "truediv": ast.Div,
    "matmul": ast.MatMult,
    "pow": ast.Pow,
}


def with_excerpts(divergence: Divergence) -> Divergence:
    """The same, with the place and the text of each call. The files are read, so they have to be there."""
    texts: dict[str, _Text] = {}

    def placed(spot: Spot | None) -> Spot | None:
        if spot is None:
            return None
        for filename in (spot.filename, spot.constructed[0] if spot.constructed else ""):
            if filename not in texts:
                texts[filename] = _Text(filename)
        place = _find(spot, texts)
        return spot if place is None else replace(spot, place=place, text=texts[place.filename].lines[place.row - 1])

    calls = tuple(replace(pair, old=placed(pair.old), new=placed(pair.new)) for pair in divergence.calls)
    return replace(divergence, old=placed(divergence.old), new=placed(divergence.new), calls=calls)


class _Text:
    """A file's lines and nodes; nothing where it cannot be read."""

    def __init__(self, filename: str) -> None:
        self.filename = filename
        linecache.checkcache(filename)
        self.lines = [line.rstrip("\r\n") for line in linecache.getlines(filename)]
        try:
            self.nodes = list(ast.walk(ast.parse("\n".join(self.lines))))
        except (SyntaxError, ValueError):
            self.nodes = []

    def calls(self, row: int) -> list[ast.Call]:
        """The calls on a row, the outermost first."""
        found = [node for node in self.nodes if isinstance(node, ast.Call) and _last_row(node.func) == row]
        return sorted(found, key=lambda node: (node.lineno, node.col_offset, -(node.end_col_offset or 0)))

    def statement(self, row: int) -> ast.stmt | None:
        """The innermost statement that a row is part of."""
        found = [
            node for node in self.nodes if isinstance(node, ast.stmt) and node.lineno <= row <= (node.end_lineno or 0)
        ]
        return max(found, key=lambda node: (node.lineno, node.col_offset), default=None)

    def location(self, node: ast.expr | ast.stmt, row: int) -> Location:
        """The part of a node that is on a row, without the blanks in front of it."""
        line = self.lines[row - 1]
        start, end = len(line) - len(line.lstrip()), len(line)
        if node.lineno == row:
            start = _characters(line, node.col_offset)
        if node.end_lineno == row:
            end = _characters(line, node.end_col_offset or 0)
        return Location(self.filename, row, start + 1, row, end + 1)


def _find(spot: Spot, texts: dict[str, _Text]) -> Location | None:
    text = texts[spot.filename]
    if not 0 < spot.row <= len(text.lines):
        return None
    calls = text.calls(spot.row)
    named = own = [node for node in calls if ast.unparse(node.func) == f"self.{spot.module.rpartition('.')[2]}"]
    if spot.function:  # else that a submodule is called here is what differs
        named = [node for node in calls if _name(node.func) == spot.function] if not own else []
    if len(named) == 1:
        return text.location(named[0].func, spot.row)
    operator = _OPERATORS.get(spot.function.strip("_").removeprefix("i"))
    operations = [
        node
        for node in text.nodes
        if operator is not None
        and isinstance(node, ast.BinOp)
        and isinstance(node.op, operator)
        and node.lineno == spot.row
    ]
    if len(operations) == 1:
        return text.location(operations[0], spot.row)
    if spot.function and not named and not operations and spot.module and spot.constructed is not None:
        filename, row = spot.constructed
        built = texts[filename].calls(row)
        if built:
            return texts[filename].location(_constructor(built, spot.function), row)
    statement = text.statement(spot.row)
    return text.location(statement, spot.row) if statement is not None else None


def _constructor(calls: Sequence[ast.Call], function: str) -> ast.Call:
    """The call that builds what calls a function: `nn.LeakyReLU(...)` for `leaky_relu`."""
    wanted = function.replace("_", "").lower()
    names = [_name(node.func).lower() for node in calls]
    alike = [node for node, name in zip(calls, names, strict=True) if name and (name in wanted or wanted in name)]
    return (alike or list(calls))[0]


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _last_row(node: ast.expr) -> int:
    return node.end_lineno or node.lineno


def _characters(line: str, offset: int) -> int:
    """Python counts columns in bytes of UTF-8."""
    return len(line.encode()[:offset].decode(errors="ignore"))
