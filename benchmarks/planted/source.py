"""The text of a network with its syntax tree: what is where, and the edits that change it."""

# The texts are ASCII, so that a column of the tree is an index into the row.

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from .edit import Edit

__all__ = ["Source", "callee", "dotted", "names_in"]

ATOMS = (ast.Name, ast.Call, ast.Attribute, ast.Subscript, ast.Constant, ast.List, ast.Tuple)
Function = ast.FunctionDef


def dotted(node: ast.AST | None) -> str:
    """`self.conv1` for a chain of names, and nothing for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else ""
    return ""


def callee(node: ast.AST | None) -> str:
    """The dotted name of what is called, and nothing for anything but a call of a name."""
    return dotted(node.func) if isinstance(node, ast.Call) else ""


def names_in(node: ast.AST) -> set[str]:
    """All variables that a node reads or writes."""
    return {item.id for item in ast.walk(node) if isinstance(item, ast.Name)}


class Source:
    """A file with one network: the last class in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = ast.parse(text)
        self.starts = [0]
        for line in text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.parent = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}
        self.classes = [node for node in self.tree.body if isinstance(node, ast.ClassDef)]
        self.name = self.classes[-1].name
        inputs = [node for node in self.tree.body if getattr(node, "name", "") == "seqify_inputs"]
        self.limit = self.start(inputs[0]) if inputs else len(text)

    # ---- ranges

    def start(self, node: ast.AST) -> int:
        return self.starts[node.lineno - 1] + node.col_offset

    def end(self, node: ast.AST) -> int:
        return self.starts[node.end_lineno - 1] + node.end_col_offset

    def of(self, node: ast.AST) -> str:
        """The text of a node, without brackets around it."""
        return self.text[self.start(node) : self.end(node)]

    def atom(self, node: ast.AST) -> str:
        """The text of a node, in brackets where it could fall apart."""
        return self.of(node) if isinstance(node, ATOMS) else f"({self.of(node)})"

    def operands(self, node: ast.BinOp) -> tuple[str, str]:
        """Both operands of an operator with the brackets that they have."""
        begin, end = self.end(node.left), self.start(node.right)
        sign = re.search(r"\*\*|//|[-+*/@%]", self.text[begin:end])
        return self.text[self.start(node) : begin + sign.start()].strip(), self.text[
            begin + sign.end() : self.end(node)
        ].strip()

    def receiver(self, call: ast.Call) -> str:
        """For `(a + b).sum()`: `(a + b)`, with its brackets."""
        return self.text[self.start(call) : self.end(call.func) - len(call.func.attr) - 1]

    def row(self, position: int) -> int:
        """The number of the row, from 1, that a character is in."""
        return self.text.count("\n", 0, position) + 1

    # ---- what is where

    @functools.cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes before the example inputs, in the order of the text."""
        found = [node for node in ast.walk(self.tree) if hasattr(node, "lineno") and self.start(node) < self.limit]
        return sorted(found, key=lambda node: (self.start(node), -self.end(node)))

    def calls(self, *names: str, within: ast.AST | None = None) -> Iterator[ast.Call]:
        """Calls of a function by its dotted name, as it is written."""
        for node in self.inside(within):
            if isinstance(node, ast.Call) and dotted(node.func) in names:
                yield node

    def methods(self, *names: str) -> Iterator[ast.Call]:
        """Calls of a method by its name: on any expression, but not functions of a namespace."""
        for node in self.nodes:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
                base = dotted(node.func.value)
                if base.split(".")[0] not in ("torch", "F", "nn", "math") and base != "self":
                    yield node

    def inside(self, within: ast.AST | None) -> list[ast.AST]:
        if within is None:
            return self.nodes
        found = set(ast.walk(within))
        return [node for node in self.nodes if node in found]

    def running(self, *types: type[ast.AST]) -> Iterator[Any]:
        """Nodes of some types that belong to what runs at each call."""
        for node in self.nodes:
            if isinstance(node, types) and self.computing(node):
                yield node

    def climb(self, node: ast.AST | None) -> Iterator[ast.AST]:
        while node in self.parent:
            node = self.parent[node]
            yield node

    def statement(self, node: ast.AST) -> ast.stmt:
        return (
            node
            if isinstance(node, ast.stmt)
            else next(item for item in self.climb(node) if isinstance(item, ast.stmt))
        )

    def function(self, node: ast.AST | None) -> Function | None:
        return next((item for item in self.climb(node) if isinstance(item, Function)), None)

    def owner(self, node: ast.AST) -> ast.ClassDef | None:
        return next((item for item in self.climb(node) if isinstance(item, ast.ClassDef)), None)

    def block(self, statement: ast.stmt) -> list[ast.stmt]:
        """The statements that a statement stands among."""
        parent = self.parent[statement]
        return next(value for _, value in ast.iter_fields(parent) if isinstance(value, list) and statement in value)

    def following(self, statement: ast.stmt) -> ast.stmt | None:
        """The next statement of the same block."""
        block = self.block(statement)
        index = block.index(statement) + 1
        return block[index] if index < len(block) else None

    def method(self, owner: ast.ClassDef | None, name: str) -> Function | None:
        body = owner.body if owner is not None else ()
        return next((item for item in body if isinstance(item, Function) and item.name == name), None)

    def computing(self, node: ast.AST) -> bool:
        """Whether a node belongs to what runs at each call, and not to a constructor."""
        function = self.function(node)
        if function is None or function.name in ("__init__", "train", "_make_layer", "_init_weights"):
            return False
        # a function beside the classes that makes layers belongs to a constructor
        return self.owner(function) is not None or not re.search(r"\bnn\.[A-Z]", self.of(function))

    def constructing(self, position: int) -> bool:
        """Whether a character belongs to a constructor or a function that one calls."""
        functions = [node for node in self.nodes if isinstance(node, Function)]
        return any(
            self.start(node) < position <= self.end(node) + 1 and not self.computing(node.body[0]) for node in functions
        )

    def forwards(self) -> Iterator[Function]:
        """The methods and functions that run at each call."""
        for node in self.nodes:
            if isinstance(node, Function) and (not node.body or self.computing(node.body[0])):
                yield node

    def constructors(self) -> Iterator[Function]:
        for owner in self.classes:
            function = self.method(owner, "__init__")
            if function is not None:
                yield function

    def attributes(self, owner: ast.ClassDef | None) -> dict[str, ast.Assign]:
        """For each attribute that is assigned once, by itself, in the constructor: the statement."""
        function = self.method(owner, "__init__")
        found: dict[str, list[ast.Assign]] = {}
        for node in ast.walk(function) if function else ():
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and dotted(node.targets[0]).startswith("self."):
                found.setdefault(dotted(node.targets[0]).removeprefix("self."), []).append(node)
        return {name: items[0] for name, items in found.items() if len(items) == 1 and "." not in name}

    def layer(self, call: ast.Call) -> ast.Call | None:
        """For `self.conv1(x)`: the call that constructs `conv1`."""
        name, owner = dotted(call.func), self.owner(call)
        if owner is None or not re.fullmatch(r"self\.\w+", name):
            return None
        made = self.attributes(owner).get(name.removeprefix("self."))
        return made.value if made is not None and isinstance(made.value, ast.Call) else None

    def kind(self, call: ast.Call) -> str:
        """`nn.Conv2d` for a call of such a layer, else the name of the function."""
        layer = self.layer(call)
        return dotted(layer.func) if layer is not None else dotted(call.func)

    def pinned(self, call: ast.Call) -> bool:
        """Whether the layer that is called stays in eval whatever the mode."""
        return f"{dotted(call.func)}.eval()" in self.text

    def set_later(self, name: str) -> bool:
        """Whether the first values of a layer or parameter are written over: by `nn.init`, or for all at once."""
        later = rf"nn\.init\.\w+\(self\.{name}\b|self\.{name}\.\w+ = |self\.apply\(|in self\.modules\(\)|_init_weights"
        return re.search(later, self.text) is not None

    # ---- arguments

    def argument(self, call: ast.Call, name: str, position: int | None) -> ast.expr | None:
        for keyword in call.keywords:
            if keyword.arg == name:
                return keyword.value
        return call.args[position] if position is not None and position < len(call.args) else None

    def with_argument(self, call: ast.Call, name: str, position: int | None, text: str) -> Edit:
        """Another value for an argument, or the argument as a keyword at the end."""
        value = self.argument(call, name, position)
        return self.replace(value, text) if value is not None else self.appended(call, f"{name}={text}")

    def appended(self, call: ast.Call, text: str) -> Edit:
        """A call with one argument more."""
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        close = self.end(call) - 1
        if not given:
            return Edit(close, close, text)
        end = max(self.end(item) for item in given)
        # behind the brackets around the last argument, and before a comma that is there already
        end += self.text[end:close].rfind(")") + 1
        return Edit(end, end, f", {text}")

    def without(self, items: Sequence[ast.AST], index: int) -> Edit:
        """One of several items with a comma between them taken away."""
        start, end = self.start(items[index]), self.end(items[index])
        if index + 1 < len(items):
            return Edit(start, self.start(items[index + 1]), "")
        if index:
            before = self.end(items[index - 1])
            if "\n" in self.text[before:start]:  # an item in a row of its own goes with its comma
                return Edit(before + 1, end + (self.text[end] == ","), "")
            return Edit(before, end, "")
        return Edit(start, end, "")

    def without_argument(self, call: ast.Call, value: ast.expr) -> Edit:
        items: list[ast.AST] = [*call.args, *call.keywords]
        index = next(i for i, item in enumerate(items) if item is value or getattr(item, "value", None) is value)
        return self.without(items, index)

    # ---- edits of statements

    def replace(self, node: ast.AST, text: str) -> Edit:
        return Edit(self.start(node), self.end(node), text)

    def renamed(self, nodes: Sequence[ast.AST], old: str, new: str) -> list[Edit]:
        """Names and attributes called otherwise; the name ends each node."""
        return [Edit(self.end(node) - len(old), self.end(node), new) for node in nodes]

    def swap(self, left: ast.AST, right: ast.AST) -> tuple[Edit, Edit]:
        return self.replace(left, self.of(right)), self.replace(right, self.of(left))

    def indent(self, statement: ast.AST) -> str:
        return " " * statement.col_offset

    def before(self, statement: ast.stmt, *lines: str) -> Edit:
        """Rows before a statement, indented like it."""
        position = self.starts[statement.lineno - 1]
        return Edit(position, position, "".join(f"{self.indent(statement)}{line}\n" for line in lines))

    def after(self, statement: ast.stmt, *lines: str) -> Edit:
        """Rows after a statement, indented like it."""
        position = self.starts[statement.end_lineno]
        return Edit(position, position, "".join(f"{self.indent(statement)}{line}\n" for line in lines))

    def deleted(self, statement: ast.stmt) -> Edit:
        """The rows of a statement taken away; where it stands alone, `pass` is left."""
        if len(self.block(statement)) == 1:
            return self.replace(statement, "pass")
        return Edit(self.starts[statement.lineno - 1], self.starts[statement.end_lineno], "")

    def fresh(self, name: str) -> str:
        """The name itself, or with a number where the text has it already."""
        found, number = name, 2
        while re.search(rf"\b{found}\b", self.text):
            found, number = f"{name}{number}", number + 1
        return found
