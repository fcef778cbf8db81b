"""The ways of the gradient, and what is written in place."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..edit import Edit
from ..mutant import kind
from ..source import Source, callee, dotted, names_in
from .sites import Edits, operators

__all__: list[str] = []

# Names that stand for integers or flags in the networks: no gradient reaches them, and no rounding shows in them.
INTEGERS = (
    *(
        "tokens",
        "idx",
        "pos",
        "positions",
        "lengths",
        "mask",
        "padding",
        "input_ids",
        "attention_mask",
        "token_type_ids",
    ),
    *("user", "item", "history"),
)


@kind("detach added")
def detached(source: Source) -> Iterator[Edits]:
    for node in operators(source, ast.Add, ast.Mult, ast.Sub):
        if isinstance(node.left, ast.Name) and node.left.id not in INTEGERS:
            yield [source.replace(node.left, f"{node.left.id}.detach()")]
        if isinstance(node.right, ast.Name | ast.Call) and dotted(node.right) not in INTEGERS:
            yield [source.replace(node.right, f"{source.of(node.right)}.detach()")]
    for node in source.nodes:
        if isinstance(node, ast.Call) and callee(node).startswith("self.") and source.computing(node) and node.args:
            if (
                isinstance(node.args[0], ast.Name)
                and source.layer(node) is not None
                and node.args[0].id not in INTEGERS
            ):
                yield [source.replace(node.args[0], f"{node.args[0].id}.detach()")]


@kind("detach lost")
def attached(source: Source) -> Iterator[Edits]:
    for call in source.methods("detach"):
        yield [source.replace(call, source.receiver(call))]


@kind("no_grad added")
def no_grad(source: Source) -> Iterator[Edits]:
    for node in source.nodes:
        if isinstance(node, ast.Assign) and source.computing(node) and "self." in source.of(node.value):
            if any(isinstance(item, ast.With) for item in source.climb(node)):
                continue
            indent = source.indent(node)
            body = source.of(node).replace("\n", "\n    ")
            yield [source.replace(node, f"with torch.no_grad():\n{indent}    {body}")]


@kind("no_grad lost", raises=True)
def with_grad(source: Source) -> Iterator[Edits]:
    for node in source.nodes:
        if isinstance(node, ast.With) and "no_grad" in source.of(node.items[0].context_expr) and source.computing(node):
            body = source.text[source.start(node.body[0]) : source.end(node.body[-1])]
            yield [source.replace(node, body.replace("\n    ", "\n"))]


@kind("in-place on a saved value")
def aliased(source: Source) -> Iterator[Edits]:
    """Into a variable that is read again, that another name stands for, or that a layer has saved."""
    for call in source.calls("F.relu", "torch.tanh", "torch.sigmoid", "F.elu", "F.leaky_relu", "F.silu", "torch.exp"):
        if isinstance(call.args[0], ast.Name) and source.computing(call) and _read_again(source, call):
            how = source.of(call.func).split(".")[1]
            if how in ("tanh", "sigmoid", "exp"):
                yield [source.replace(call, f"{call.args[0].id}.{how}_()")]
            else:
                yield [source.appended(call, "inplace=True")]
    for node in operators(source, ast.Add, ast.Sub, ast.Mult, ast.Div):
        statement, (_, right) = source.statement(node), source.operands(node)
        if not isinstance(node.left, ast.Name) or isinstance(statement, ast.AugAssign):
            continue
        name, how = node.left.id, {ast.Add: "add_", ast.Sub: "sub_", ast.Mult: "mul_", ast.Div: "div_"}[type(node.op)]
        if _read_again(source, node.left, statement) or _given_before(source, node.left):
            yield [source.replace(node, f"{name}.{how}({right})")]
    for call in source.nodes:
        layer = source.layer(call) if isinstance(call, ast.Call) and source.computing(call) else None
        if layer is not None and callee(layer) == "nn.ReLU" and not layer.args and not layer.keywords:
            if isinstance(call.args[0], ast.Name) and _read_again(source, call):
                yield [Edit(source.end(layer) - 1, source.end(layer) - 1, "inplace=True")]
    for call in source.methods("clone"):
        yield [source.replace(call, source.receiver(call))]


def _read_again(source: Source, node: ast.AST, statement: ast.stmt | None = None) -> bool:
    """Whether a variable is read after a statement, before it gets another value."""
    statement = statement or source.statement(node)
    name = node.id if isinstance(node, ast.Name) else node.args[0].id
    if isinstance(statement, ast.Assign) and dotted(statement.targets[0]) == name:
        return False
    for later in source.inside(source.function(statement)):
        if isinstance(later, ast.Name) and later.id == name and source.start(later) > source.end(statement):
            if isinstance(later.ctx, ast.Load):
                return True
            assigned = source.statement(later)
            return name in names_in(getattr(assigned, "value", assigned))
    return False


def _given_before(source: Source, node: ast.Name) -> bool:
    """Whether a layer has had the value that a variable has here: it may have saved it for the backward."""
    found, own = False, source.statement(node)
    for earlier in source.inside(source.function(node)):
        if source.start(earlier) > source.end(own):
            break
        statement = source.statement(earlier)
        if callee(earlier).startswith("self.") and earlier.args and dotted(earlier.args[0]) == node.id:
            target = dotted(statement.targets[0]) if isinstance(statement, ast.Assign) else ""
            found = found or target != node.id or statement is own
        elif isinstance(earlier, ast.Name) and earlier.id == node.id and isinstance(earlier.ctx, ast.Store):
            found = found and statement is own
    return found


@kind("input changed in place")
def changed_input(source: Source) -> Iterator[Edits]:
    """The first thing that forward makes of an argument is written into the argument."""
    function = source.method(source.classes[-1], "forward")
    arguments = function.args.args[1 : len(function.args.args) - len(function.args.defaults)]
    names = [item.arg for item in arguments if item.arg not in INTEGERS]
    first = function.body[0]
    value = first.value if isinstance(first, ast.Assign) else None
    if isinstance(value, ast.BinOp) and dotted(value.left) == dotted(first.targets[0]) in names:
        sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}[type(value.op)]
        yield [source.replace(first, f"{dotted(value.left)} {sign}= {source.operands(value)[1]}")]
    for name in names:
        yield [source.before(first, f"{name} = {name}.clamp_(-1, 1)")]
