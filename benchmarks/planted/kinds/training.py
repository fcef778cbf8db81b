"""What shows in training alone: dropout, statistics, random draws, modes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..mutant import kind
from ..source import Source, callee, dotted, names_in
from .sites import BATCH_NORMS, DROPOUTS, Edits, layer_calls

__all__: list[str] = []

DRAWS = ("torch.rand", "torch.randn", "torch.randn_like", "torch.rand_like", "F.dropout")


def draws(source: Source, node: ast.AST) -> bool:
    """Whether random numbers are drawn for a statement, as far as its own text says."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and (callee(call) in DRAWS or source.kind(call) in DROPOUTS):
            return True
    return False


@kind("dropout always on")
def always_on(source: Source) -> Iterator[Edits]:
    for call in source.calls("F.dropout"):
        value = source.argument(call, "training", 2)
        if value is not None:
            yield [source.without_argument(call, value)]
    for call in layer_calls(source, *DROPOUTS):
        layer = source.layer(call)
        given = source.argument(layer, "p", 0)
        if callee(layer) == "nn.Dropout" and given is not None:
            value = source.of(given) if isinstance(given, ast.Constant) else "0.2"
            yield [source.replace(call, f"nn.functional.dropout({source.of(call.args[0])}, {value})")]


@kind("dropout never on")
def never_on(source: Source) -> Iterator[Edits]:
    for call in source.calls("F.dropout"):
        value = source.argument(call, "training", 2)
        yield [source.replace(value, "False") if value is not None else source.appended(call, "training=False")]
    for call in source.calls("nn.Dropout", "nn.Dropout2d", "nn.Dropout1d", "nn.Dropout3d", "nn.AlphaDropout"):
        yield [source.replace(call, "nn.Identity()")]


@kind("dropout of another kind")
def other_dropout(source: Source) -> Iterator[Edits]:
    """Of channels instead of elements, and the reverse."""
    others = {
        "nn.Dropout2d": "nn.Dropout",
        "nn.Dropout1d": "nn.Dropout",
        "nn.Dropout3d": "nn.Dropout",
        "nn.Dropout": "nn.AlphaDropout",
        "nn.AlphaDropout": "nn.Dropout",
        "F.dropout": "F.alpha_dropout",
    }
    for call in source.calls(*others):
        yield [source.replace(call.func, others[source.of(call.func)])]


@kind("dropout moved")
def moved_dropout(source: Source) -> Iterator[Edits]:
    """Before the layer that it stood behind, or behind the one that it stood before; never across a relu."""
    for first in source.running(ast.Assign):
        second = source.following(first)
        if isinstance(second, ast.Assign) and dotted(first.targets[0]) == dotted(second.targets[0]) != "":
            if draws(source, first) != draws(source, second) and _straight(first) and _straight(second):
                if "relu" not in source.of(first).lower() + source.of(second).lower():
                    yield source.swap(first, second)
    for call in [*layer_calls(source, *DROPOUTS), *source.calls("F.dropout")]:
        inner, outer, drop = call.args[0], source.parent[call], callee(call)
        rest = source.text[source.end(inner) : source.end(call)]
        if _unary(inner):
            yield [source.replace(call, f"{callee(inner)}({drop}({source.of(inner.args[0])}{rest})")]
        if _unary(outer) and outer.args[0] is call:
            yield [source.replace(outer, f"{drop}({callee(outer)}({source.of(inner)}){rest}")]


def _unary(node: ast.AST) -> bool:
    """Whether a node is `f(x)`, and f no relu."""
    return isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords and "relu" not in callee(node)


def _straight(statement: ast.Assign) -> bool:
    """Whether a statement is `x = f(x)`, with nothing else of the data."""
    name = dotted(statement.targets[0])
    call = statement.value
    return isinstance(call, ast.Call) and bool(call.args) and dotted(call.args[0]) == name


@kind("random draws in another order")
def reordered_draws(source: Source) -> Iterator[Edits]:
    for first in source.running(ast.Assign):
        second = source.following(first)
        if isinstance(second, ast.Assign) and _random(source, first) and _random(source, second):
            made = [{name for target in item.targets for name in names_in(target)} for item in (first, second)]
            if not made[0] & names_in(second) and not made[1] & names_in(first):
                yield source.swap(first, second)
    for node in source.running(ast.BinOp):
        if isinstance(node.op, ast.Add | ast.Mult):
            if _random(source, node.left) and _random(source, node.right):
                yield source.swap(node.left, node.right)


def _random(source: Source, node: ast.AST) -> bool:
    """As `draws`, and through blocks that hold a dropout of their own."""
    makers = {owner.name for owner in source.classes if any(draws(source, item) for item in owner.body)}
    makers |= {owner.name for owner in source.classes if any(name in source.of(owner) for name in DROPOUTS)}
    calls = [call for call in ast.walk(node) if isinstance(call, ast.Call)]
    blocks = any(source.kind(call) in makers or callee(call) in ("self.encoder", "self.encode") for call in calls)
    return blocks or draws(source, node)


@kind("random draw thrown away")
def extra_draw(source: Source) -> Iterator[Edits]:
    forward = source.method(source.classes[-1], "forward")
    last = forward.body[-1]
    yield [source.before(forward.body[0], "torch.rand(1)")]
    yield [source.before(last, "if self.training:", "    torch.randn(2)")]
    for call in [*source.calls("F.dropout"), *layer_calls(source, "nn.Dropout")]:
        statement = source.statement(call)
        if isinstance(statement, ast.Assign):
            yield [source.before(statement, source.of(call))]


@kind("noise of another distribution")
def other_noise(source: Source) -> Iterator[Edits]:
    others = {"torch.randn_like": "torch.rand_like", "torch.rand": "torch.randn"}
    for call in source.calls(*others):
        if source.computing(call):
            yield [source.replace(call.func, others[source.of(call.func)])]
            yield [source.replace(call, f"{source.of(call)} * 0.5")]
    for node in source.nodes:
        if isinstance(node, ast.Compare) and any(True for _ in source.calls("torch.rand", within=node)):
            sign = ">=" if isinstance(node.ops[0], ast.Lt) else "<"
            yield [source.replace(node, f"{source.of(node.left)} {sign} {source.of(node.comparators[0])}")]


@kind("mode turned")
def turned_mode(source: Source) -> Iterator[Edits]:
    """What is meant for training happens in eval, or in both."""
    for node in source.nodes:
        if dotted(node) == "self.training" and source.computing(node):
            parent = source.parent[node]
            if isinstance(parent, ast.UnaryOp):
                yield [source.replace(parent, "self.training")]
            else:
                yield [source.replace(node, "not self.training")]
                yield [source.replace(node, "True")]
    for owner in source.classes:
        override = source.method(owner, "train")
        for statement in override.body if override is not None else ():
            if source.of(statement).endswith(".eval()"):
                yield [source.deleted(statement)]


@kind("norm kept in eval")
def frozen_norm(source: Source) -> Iterator[Edits]:
    for call in layer_calls(source, *BATCH_NORMS):
        if source.pinned(call) or "track_running_stats=False" in source.of(source.layer(call)):
            continue
        function = source.function(call)
        yield [source.before(function.body[0], f"{source.of(call.func)}.eval()")]


@kind("statistics updated twice")
def twice(source: Source) -> Iterator[Edits]:
    for call in layer_calls(source, *BATCH_NORMS):
        statement = source.statement(call)
        if isinstance(statement, ast.Assign | ast.Return):
            yield [source.before(statement, source.of(call))]
            yield [source.before(statement, "with torch.no_grad():", f"    {source.of(call)}")]


@kind("update of a buffer")
def lost_update(source: Source) -> Iterator[Edits]:
    for node in source.running(ast.Expr, ast.AugAssign):
        text = source.of(node)
        if text.startswith("self.") and (isinstance(node, ast.AugAssign) or "_(" in text):
            yield [source.deleted(node)]
        if text.startswith("self.") and isinstance(node, ast.AugAssign):
            yield [source.replace(node.value, "2")]
    for call in source.methods("mul_"):
        yield [source.replace(call.args[0], "0.5")]
