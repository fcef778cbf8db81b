"""Where a planted fault shows: the layers that it concerns, and the rows that call them."""

# A fault in a constructor shows where forward calls what was constructed:
#
#     self.bn1 = nn.BatchNorm2d(6, eps=1e-3)      the fault
#     x = self.bn1(self.conv1(x))                 where it shows
#
# From the edited statement on, names are tainted: a local variable, a helper function, the attribute that is assigned,
# and whatever is assigned from them. A class without a forward of its own taints whatever is made of it.

from __future__ import annotations

import ast
import bisect
import re
import textwrap
from collections.abc import Iterator, Sequence

from .edit import Edit
from .source import Source, callee, names_in

__all__ = ["moved", "places"]

NAMESPACES = ("self", "nn", "torch", "F", "math", "range", "len")


def places(source: Source, edits: Sequence[Edit]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """
    What an edit concerns.

    Returns:
        The names that can be given for it: attributes, parameters of forward, keys of an output, "output" for what is
        returned; and the rows of the old text that call what an edited constructor makes.
    """
    taint = Taint(source)
    names: set[str] = set()
    rows: set[int] = set()
    for edit in edits:
        statement = statement_at(source, edit)
        function = statement if isinstance(statement, ast.FunctionDef) else source.function(statement)
        if function is None:
            continue
        inserted = edit.start == edit.end and edit.text.endswith("\n")
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if not source.computing(function.body[0]):
            taint.begin(statement, function, edit)
        elif inserted:
            owner = source.owner(function)
            taint.add(owner.name if owner is not None else "", re.findall(r"self\.\w+", edit.text))
        elif isinstance(statement, ast.FunctionDef):
            names |= set(parameters_at(source, statement, edit))
            rows |= set(readers(source, function, names))
        elif isinstance(statement, ast.Return) and function is source.method(source.classes[-1], "forward"):
            names |= {"output", "outputs", *strings(statement)}
        elif isinstance(target, ast.Tuple) and edit.end <= source.end(target):
            # taking a tuple apart calls nothing; it shows where the variables are read
            rows |= set(readers(source, function, names_in(target)))
    taint.spread()
    rows |= {row for owner, name in taint.attributes for row in uses(source, owner, name)}
    return tuple(sorted(names | {name for _, name in taint.attributes})), tuple(sorted(rows))


def moved(rows: Sequence[int], text: str, edits: Sequence[Edit]) -> tuple[int, ...]:
    """The numbers that rows of the old text have in the new one."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for row in rows:
        shift = 0
        for edit in edits:
            begins_before = bisect.bisect_right(starts, edit.start) < row
            if begins_before or edit.start == edit.end == starts[row - 1]:
                shift += edit.text.count("\n") - text.count("\n", edit.start, edit.end)
        found.append(row + shift)
    return tuple(found)


class Taint:
    """What a fault in a constructor reaches: names of functions and variables, and attributes of classes."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.names: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()

    def begin(self, statement: ast.stmt | None, function: ast.FunctionDef, edit: Edit) -> None:
        """Taint what the edited statement itself makes or changes."""
        owner = self.source.owner(function)
        if owner is None or function.name not in ("__init__", "_init_weights"):
            self.names.add(function.name)
        elif isinstance(statement, ast.FunctionDef):
            self.names.update(parameters_at(self.source, statement, edit))
        else:
            inserted = edit.text if edit.start == edit.end and edit.text.endswith("\n") else ""
            concerned = [name for item in ast.parse(textwrap.dedent(inserted)).body for name in changed(item)]
            self.add(owner.name, [*(concerned or changed(statement)), *re.findall(r"self\.\w+", edit.text)])
        self._follow(function, owner.name if owner is not None else "")

    def spread(self) -> None:
        """Follow assignments until nothing new is reached."""
        size = -1
        while size != len(self.names) + len(self.attributes):
            size = len(self.names) + len(self.attributes)
            for owner in self.source.classes:
                for function in owner.body:
                    if isinstance(function, ast.FunctionDef) and not self.source.computing(function.body[0]):
                        self._follow(function, owner.name)
                if self.source.method(owner, "forward") is None:
                    if any(name == owner.name for name, _ in self.attributes):
                        self.names.add(owner.name)

    def add(self, owner: str, names: Sequence[str]) -> None:
        for name in names:
            if name.startswith("self."):
                self.attributes.add((owner, name.removeprefix("self.")))
            else:
                self.names.add(name)

    def _follow(self, function: ast.FunctionDef, owner: str) -> None:
        for node in ast.walk(function):
            if isinstance(node, ast.Assign | ast.Expr | ast.Return) and node.value is not None:
                read = {name.removeprefix("self.") for name in read_names(node.value)}
                if not self.names & read:
                    continue
                if not isinstance(node, ast.Return):
                    self.add(owner, changed(node))
                elif function.name != "__init__":
                    self.names.add(function.name)


def statement_at(source: Source, edit: Edit) -> ast.stmt | None:
    """The innermost statement that an edit begins in; for inserted rows, the one behind them in their block, if any."""
    inserted = edit.start == edit.end and edit.text.endswith("\n")
    gone = source.text[edit.start : edit.end]
    position = edit.start - 2 if inserted else edit.start + len(gone) - len(gone.lstrip())
    found = [
        node
        for node in ast.walk(source.tree)
        if isinstance(node, ast.stmt) and source.start(node) <= position <= source.end(node)
    ]
    if not inserted:
        return min(found, key=lambda node: source.end(node) - source.start(node), default=None)
    indent = len(edit.text) - len(edit.text.lstrip())
    before = next((node for node in found if node.col_offset == indent), None)
    if before is not None:
        return source.following(before) or before
    # the first rows of a block
    return next((node for node in ast.walk(source.tree) if getattr(node, "lineno", 0) == source.row(edit.start)), None)


def parameters_at(source: Source, function: ast.FunctionDef, edit: Edit) -> Iterator[str]:
    """The parameter in whose range an edit begins."""
    before = [item for item in function.args.args if source.start(item) <= edit.start]
    if before:
        yield before[-1].arg


def strings(node: ast.AST) -> set[str]:
    return {item.value for item in ast.walk(node) if isinstance(item, ast.Constant) and isinstance(item.value, str)}


def read_names(node: ast.AST) -> Iterator[str]:
    """Variables, and attributes of self as `self.x`."""
    for item in ast.walk(node):
        if isinstance(item, ast.Attribute) and isinstance(item.value, ast.Name) and item.value.id == "self":
            yield f"self.{item.attr}"
        elif isinstance(item, ast.Name) and item.id not in NAMESPACES:
            yield item.id


def changed(statement: ast.AST | None) -> list[str]:
    """What a statement of a constructor makes or changes."""
    if statement is None:
        return []
    if isinstance(statement, ast.Assign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return [name for target in targets for name in read_names(target)]
    found = [name for name in read_names(statement) if name.startswith("self.")]
    for item in ast.walk(statement):
        if isinstance(item, ast.Call) and isinstance(item.func, ast.Attribute):
            if item.func.attr == "register_buffer" and isinstance(item.args[0], ast.Constant):
                found = [f"self.{item.args[0].value}"]
            elif item.func.attr == "append" and isinstance(item.func.value, ast.Name):
                found.append(item.func.value.id)
    return found


def readers(source: Source, function: ast.FunctionDef, names: set[str], deeper: bool = True) -> Iterator[int]:
    """The rows that read variables, those of methods that they are given to included."""
    owner = source.owner(function)
    for node in source.inside(function):
        if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load):
            yield node.lineno
        method = source.method(owner, callee(node).removeprefix("self.")) if deeper and callee(node) else None
        for parameter, value in zip(method.args.args[1:], node.args, strict=False) if method is not None else ():
            if names_in(value) & names:
                yield from readers(source, method, {parameter.arg}, deeper=False)


def uses(source: Source, owner: str, name: str) -> Iterator[int]:
    """The rows of a class's methods that read an attribute, and those of a loop that read an element of it."""
    for node in source.nodes:
        if not (isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.value, ast.Name)):
            continue
        home = source.owner(node)
        if node.value.id != "self" or home is None or home.name != owner or not source.computing(node):
            continue
        yield node.lineno
        for outer in source.climb(node):
            if isinstance(outer, ast.For) and node in set(ast.walk(outer.iter)):
                elements = {item.id for item in ast.walk(outer.target) if isinstance(item, ast.Name)}
                for item in ast.walk(outer):
                    if isinstance(item, ast.Name) and item.id in elements:
                        yield item.lineno
