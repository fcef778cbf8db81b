"""Builders: from a call, taken apart, to the constructor of the module that does the same."""

# The user's own text is carried over, argument by argument; the values that were seen at run time decide on the
# conditions.

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from torch import nn

from seqify.diagnostics import Diagnostic
from seqify.flow import Ref, SizeOf, SizeOp, Step, leaves
from seqify.ops.helpers import HELPERS
from seqify.ops.layer import NoMatch, Words
from seqify.ops.table import Op, Signature
from seqify.sizes import equal_at_random, size_product

__all__ = ["BUILDERS", "Argument", "Call"]


@dataclass(frozen=True)
class Argument:
    """An argument as written; `parameter` is the function's name for it, `position` its place if it has one."""

    parameter: str
    position: int | None
    node: ast.expr


@dataclass(frozen=True)
class Call:
    """A call taken apart: what the user wrote and what was seen at run time."""

    op: Op
    signature: Signature
    step: Step
    words: Words
    input: ast.expr
    given: tuple[Argument, ...]
    values: Mapping[str, Any]  # by the function's parameter names; a sequence under the name of a `*` parameter

    def text(self, node: ast.expr) -> str:
        return self.words.cls.source.segment(node)


_Built = tuple[str, str, frozenset[str], tuple[Diagnostic, ...]]  # callee, arguments, reads, diagnostics


@cache
def _module_parameters(module: str) -> tuple[str, ...]:
    if module in HELPERS:
        return HELPERS[module].parameters
    return tuple(inspect.signature(getattr(nn, module.removeprefix("nn."))).parameters)


def _write(call: Call, module: str, skip: tuple[str, ...] = (), extra: tuple[str, ...] = ()) -> _Built:
    """Carry the user's arguments over: positional ones stay positional for as long as both sides agree on the place."""
    parameters = _module_parameters(module)
    pieces: list[str] = []
    reads: set[str] = set()
    keyword_only = False
    for argument in call.given:
        if argument.parameter in skip:
            keyword_only = True
            continue
        if argument.parameter not in parameters:
            if isinstance(argument.node, ast.Constant) and argument.node.value in (None, False):
                keyword_only = True
                continue  # what the function does by default
            raise NoMatch("SQ301", f"`{module}` has no argument `{argument.parameter}`")
        if any(isinstance(leaf, SizeOf | SizeOp) for leaf in _parts(call.values.get(argument.parameter))):
            raise NoMatch("SQ308", f"`{call.text(argument.node)}` is computed from a tensor's size")
        reads |= call.words.reads(argument.node)
        text = call.text(argument.node)
        in_place = argument.position is not None and not keyword_only and len(pieces) < len(parameters)
        if in_place and parameters[len(pieces)] == argument.parameter:
            pieces.append(text)
        else:
            keyword_only = True
            pieces.append(f"{argument.parameter}={text}")
    return module, ", ".join([*pieces, *extra]), frozenset(reads), ()


def _parts(value: Any) -> list[Any]:
    return [part for item in value for part in _parts(item)] if isinstance(value, tuple | list) else [value]


def _plain(call: Call) -> _Built:
    for flag in ("return_indices", "antialias", "dtype", "out", "memory_format"):
        if call.values.get(flag):
            raise NoMatch("SQ301", f"`{call.op.module}` does not do `{flag}`")
    if any(list(leaves(value)) for value in call.values.values()):
        raise NoMatch("SQ202", f"`{call.signature.function}` takes several tensors")
    return _write(call, call.op.module, extra=("inplace=True",) if call.signature.inplace else ())


def _softmax(call: Call) -> _Built:
    if not isinstance(call.values.get("dim"), int) or isinstance(call.values["dim"], bool):
        raise NoMatch("SQ305", f"`{call.signature.function}` without `dim` chooses a dimension by rank")
    return _plain(call)


def _dropout(call: Call) -> _Built:
    flag = "train" if "train" in call.signature.parameters else "training"
    written = next((argument.node for argument in call.given if argument.parameter == flag), None)
    forward = call.words.cls.forward
    me = call.words.cls.self_name(forward) if forward is not None else None
    text = call.text(written) if written is not None else ""
    name = call.signature.function
    if call.step.follows_training and text == f"{me}.training":
        return _write(call, call.op.module, skip=(flag,))
    if call.values.get(flag) is True and not call.step.follows_training:
        raise NoMatch("SQ303", f"`{name}` drops in eval too: `training={text or 'True'}`")
    raise NoMatch("SQ304", f"`{name}` follows `{text or 'training=False'}`, not `self.training`")


def _layer_norm(call: Call) -> _Built:
    if call.values.get("weight") is not None or call.values.get("bias") is not None:
        raise NoMatch("SQ307", f"`{call.signature.function}` takes its weight from the class")
    return _write(call, call.op.module, skip=("weight", "bias"), extra=("elementwise_affine=False",))


def _flatten(call: Call) -> _Built:
    for value in call.values.values():
        if not isinstance(value, int):
            raise NoMatch("SQ308", "`flatten` takes a size for a dimension, or a name")
    if call.values.get("start_dim", 0) == 1 and call.values.get("end_dim", -1) == -1:
        if all(isinstance(argument.node, ast.Constant | ast.UnaryOp) for argument in call.given):
            return "nn.Flatten", "", frozenset(), ()
    if "start_dim" not in call.values:  # the function begins at 0, the module at 1
        module, arguments, reads, diagnostics = _write(call, "nn.Flatten")
        return module, f"0, {arguments}" if arguments else "0", reads, diagnostics
    return _write(call, "nn.Flatten")


def _view(call: Call) -> _Built:
    """
    `x.view(x.size(0), -1)` in its spellings is Flatten, `x.view(-1, 8, 7, 7)` of a matrix is Unflatten; any other
    constant shape stays what it is.
    """
    shape = call.values["shape"]
    taken = call.step.shapes[0]
    value = next(iter(leaves(call.step.args)), Ref(0))
    rank = len(taken)
    nodes = [argument.node for argument in call.given]
    if len(nodes) == 1 and isinstance(nodes[0], ast.Tuple | ast.List):
        nodes = list(nodes[0].elts)
    keeps_batch = bool(shape) and rank >= 2 and (shape[0] == SizeOf(value, 0) or shape[0] == -1)
    if keeps_batch and len(shape) == 2 and rank >= 2:
        everything = size_product(value, range(1, rank))
        symbolic = isinstance(shape[1], SizeOf | SizeOp) and equal_at_random(shape[1], everything)
        if (shape[1] == -1 and shape[0] != -1) or symbolic:
            return "nn.Flatten", "", frozenset(), ()
        literal = not any(isinstance(part, ast.Name) for part in ast.walk(nodes[1])) if len(nodes) > 1 else False
        if isinstance(shape[1], int) and shape[1] == _product(taken[1:]) and (literal or shape[0] != -1):
            # the number is the user's own, and says the same thing twice
            note = Diagnostic(
                "SQ302",
                f"`{call.text(nodes[0])}, {call.text(nodes[1])}` is Flatten now: "
                "another input size raises where it regrouped the batch",
            )
            return "nn.Flatten", "", frozenset(), (note,) if shape[0] == -1 else ()
    if any(isinstance(part, SizeOf | SizeOp) for part in shape[1:]):
        raise NoMatch("SQ308", "the shape is computed from a tensor's size")
    if (
        keeps_batch
        and shape[0] != -1
        and rank == 2
        and len(shape) > 2
        and all(isinstance(size, int) and size > 0 for size in shape[1:])
    ):
        if _product(shape[1:]) == taken[1] and len(nodes) == len(shape):
            reads = frozenset().union(*(call.words.reads(node) for node in nodes[1:]))
            return "nn.Unflatten", f"1, ({', '.join(call.text(node) for node in nodes[1:])})", reads, ()
    if shape and isinstance(shape[0], SizeOf | SizeOp):
        raise NoMatch("SQ308", "the shape is computed from a tensor's size")
    return _spread(call)


def _product(sizes: tuple[int, ...]) -> int:
    result = 1
    for size in sizes:
        result *= size
    return result


def _spread(call: Call) -> _Built:
    """`x.permute(0, 2, 1)` and `x.permute((0, 2, 1))`, and the same for shapes: every number is an argument."""
    nodes = [argument.node for argument in call.given]
    if len(nodes) == 1 and isinstance(nodes[0], ast.Tuple | ast.List):
        nodes = list(nodes[0].elts)
    (values,) = call.values.values()
    if len(nodes) != len(values) or any(not isinstance(value, int) for value in values):
        raise NoMatch("SQ308", f"the arguments of `{call.signature.function}` are not written as numbers")
    reads = frozenset().union(*(call.words.reads(node) for node in nodes)) if nodes else frozenset()
    return call.op.module, ", ".join(call.text(node) for node in nodes), reads, ()


def _unflatten(call: Call) -> _Built:
    sizes = call.values.get("sizes")
    if not isinstance(sizes, tuple | list) or any(not isinstance(size, int) for size in sizes):
        raise NoMatch("SQ308", "the sizes of `unflatten` are not written as numbers")
    by_name = {argument.parameter: argument.node for argument in call.given}
    if set(by_name) != {"dim", "sizes"}:
        raise NoMatch("SQ301", "`unflatten` is not called with a dimension and sizes")
    reads = call.words.reads(by_name["dim"]) | call.words.reads(by_name["sizes"])
    return "nn.Unflatten", f"{call.text(by_name['dim'])}, {_tuple_text(call, by_name['sizes'])}", reads, ()


def _squeeze(call: Call) -> _Built:
    if not call.given:
        return "SqueezeAll", "", frozenset(), ()
    if not isinstance(call.values.get("dim"), int):
        raise NoMatch("SQ301", "`squeeze` of several dimensions has no module")
    return _write(call, "Squeeze")


def _reduce(call: Call) -> _Built:
    if call.values.get("dtype") is not None:
        raise NoMatch("SQ301", f"`{call.op.module}` does not do `dtype`")
    dim = call.values.get("dim")
    if not isinstance(dim, int | tuple | list) or isinstance(dim, bool):
        raise NoMatch("SQ301", f"`{call.signature.function}` over all dimensions, the batch too")
    module, arguments, reads, diagnostics = _write(call, call.op.module)
    node = next(argument.node for argument in call.given if argument.parameter == "dim")
    return module, arguments.replace(call.text(node), _tuple_text(call, node), 1), reads, diagnostics


def _pad(call: Call) -> _Built:
    pad, mode, value = call.values.get("pad"), call.values.get("mode", "constant"), call.values.get("value")
    if not isinstance(pad, tuple | list) or any(not isinstance(size, int) for size in pad) or len(pad) not in (2, 4, 6):
        raise NoMatch("SQ301", "this padding has no module in torch.nn")
    node = next(argument.node for argument in call.given if argument.parameter == "pad")
    rank = len(pad) // 2
    kind = {"constant": "Constant", "reflect": "Reflection", "replicate": "Replication", "circular": "Circular"}.get(
        mode
    )
    if kind is None:
        raise NoMatch("SQ301", f"padding with mode `{mode}` has no module in torch.nn")
    if kind == "Constant" and not value:
        kind = "Zero"
    reads = call.words.reads(node)
    arguments = _tuple_text(call, node)
    if kind == "Constant":
        fill = next(argument.node for argument in call.given if argument.parameter == "value")
        reads |= call.words.reads(fill)
        arguments += f", {call.text(fill)}"
    return f"nn.{kind}Pad{rank}d", arguments, reads, ()


def _tuple_text(call: Call, node: ast.expr) -> str:
    """The text of a list written as a tuple, which is what modules and TorchScript want; any other text as it is."""
    text = call.text(node)
    if not isinstance(node, ast.List):
        return text
    inner = text[1:-1].strip().rstrip(",")
    return f"({inner}{',' if len(node.elts) == 1 else ''})"


BUILDERS: dict[str, Callable[[Call], _Built]] = {
    "plain": _plain,
    "softmax": _softmax,
    "dropout": _dropout,
    "layer_norm": _layer_norm,
    "flatten": _flatten,
    "view": _view,
    "unflatten": _unflatten,
    "spread": _spread,
    "squeeze": _squeeze,
    "reduce": _reduce,
    "pad": _pad,
}
