"""Matching one recorded call against the table: the module that does the same, in the user's own words."""

# Glossary
#
#   call      the expression in forward, `F.max_pool2d(x, 2, stride=self.s)`
#   input     the part of it that is the tensor, `x`
#   words     what the arguments' text may refer to once it stands in `__init__`
#
#   F.max_pool2d(x, 2, stride=self.s)      step: the function and the values it was called with
#        │       │  └──────┬────────┘
#        │     input   user's text, kept          ──►  nn.MaxPool2d(2, stride=self.s)
#       row of the table

from __future__ import annotations

import ast
import builtins
import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from torch import nn

from seqify.classes import ClassSource
from seqify.diagnostics import Diagnostic
from seqify.flow import Ref, SizeOf, SizeOp, Step, leaves
from seqify.ops.helpers import HELPERS
from seqify.ops.table import Op, Signature, lookup
from seqify.sizes import equal_at_random, size_product

__all__ = ["Break", "Layer", "Words", "match"]


@dataclass(frozen=True)
class Break:
    """Why a step is not a layer of an `nn.Sequential`."""

    step: int
    code: str
    message: str


@dataclass(frozen=True)
class Layer:
    """
    One row of an `nn.Sequential`.

    An existing submodule has `attribute`, and its constructor's text is found in `__init__`. A function has `callee`
    (`nn.MaxPool2d`, or the name of a helper) and `arguments`, the text between the brackets.
    """

    step: int
    node: ast.expr
    input: ast.expr
    stem: str
    attribute: str | None = None
    callee: str = ""
    arguments: str = ""
    reads: frozenset[str] = frozenset()  # attributes of self that the arguments read
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def helper(self) -> str | None:
        """The helper class that the result has to define for this layer."""
        return self.callee if self.callee in HELPERS else None


class _NoMatch(Exception):
    """A condition of the row does not hold."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True)
class Words:
    """What text that moves from forward to `__init__` may refer to: globals, and plain attributes of self."""

    cls: ClassSource
    plain: Mapping[str, Any]  # attributes of the live module that hold plain data, set in `__init__` alone

    def namespace(self, node: ast.expr) -> Any:
        """What a dotted name of the file's globals stands for; None for anything else."""
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id in self.cls.forward_locals:
            return None
        found = self.cls.names.get(node.id)
        for part in reversed(parts):
            if not isinstance(found, types.ModuleType | type):
                return None
            found = getattr(found, part, None)
        return found

    def reads(self, node: ast.expr) -> frozenset[str]:
        """
        The attributes of self that an argument reads.

        Raises:
            _NoMatch: SQ308, when the argument needs more than globals, literals and plain attributes.
        """
        text = self.cls.source.segment(node)
        found = set()
        forward = self.cls.forward
        me = self.cls.self_name(forward) if forward is not None else None
        for part in ast.walk(node):
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == me:
                if part.attr not in self.plain:
                    raise _NoMatch(
                        "SQ308", f"`{text}` reads `self.{part.attr}`, which is not a plain constant of the class"
                    )
                found.add(part.attr)
            elif isinstance(part, ast.Name) and part.id != me:
                known = part.id in self.cls.names or hasattr(builtins, part.id)
                moved = part.id in self.cls.init_locals or part.id in self.cls.changing_globals
                if part.id in self.cls.forward_locals or not known or moved:
                    raise _NoMatch("SQ308", f"`{text}` is computed in forward")
            elif isinstance(part, ast.Call):
                function = self.namespace(part.func)
                plain_builtin = isinstance(part.func, ast.Name) and part.func.id in (
                    "int",
                    "float",
                    "tuple",
                    "list",
                    "max",
                    "min",
                    "round",
                )
                if not plain_builtin and getattr(function, "__module__", None) != "math":
                    raise _NoMatch("SQ308", f"`{text}` is computed in forward")
            elif isinstance(part, ast.Starred | ast.NamedExpr | ast.Lambda | ast.Await | ast.Yield | ast.YieldFrom):
                raise _NoMatch("SQ308", f"`{text}` is computed in forward")
        return frozenset(found)


@dataclass(frozen=True)
class _Argument:
    """An argument as written; `parameter` is the function's name for it, `position` its place if it has one."""

    parameter: str
    position: int | None
    node: ast.expr


@dataclass(frozen=True)
class _Call:
    """A call taken apart: what the user wrote and what was seen at run time."""

    op: Op
    signature: Signature
    step: Step
    words: Words
    input: ast.expr
    given: tuple[_Argument, ...]
    values: Mapping[str, Any]  # by the function's parameter names; a sequence under the name of a `*` parameter

    def text(self, node: ast.expr) -> str:
        return self.words.cls.source.segment(node)


_Built = tuple[str, str, frozenset[str], tuple[Diagnostic, ...]]  # callee, arguments, reads, diagnostics


def match(step: Step, node: ast.expr, words: Words) -> Layer | Break:
    """
    The layer that a step's call is, or why it is none.

    Args:
        step: a function step that takes one tensor.
        node: its expression in forward.
        words: what the layer's arguments may refer to.
    """
    row = lookup(step.function)
    source = words.cls.source
    text = source.segment(node.func) if isinstance(node, ast.Call) else source.segment(node)
    if row is None:
        return Break(step.index, "SQ301", f"`{' '.join(text.split())}` has no module in torch.nn")
    op, signature = row
    try:
        input_, arguments = _take_apart(node, op, words)
        if step.varies is not None:
            raise _NoMatch("SQ308", f"an argument of `{text}` changes with the {step.varies}")
        call = _bind(op, signature, step, words, input_, arguments)
        callee, written, reads, diagnostics = _BUILDERS[op.builder](call)
    except _NoMatch as reason:
        return Break(step.index, reason.code, str(reason))
    stem = _STEMS.get(callee, op.stem)
    return Layer(step.index, node, input_, stem, None, callee, written, reads, diagnostics)


_STEMS = {"nn.Flatten": "flatten", "nn.Unflatten": "unflatten"}


def _take_apart(node: ast.expr, op: Op, words: Words) -> tuple[ast.expr, list[tuple[str | None, ast.expr]]]:
    """The input and the other arguments, each with its keyword if it has one."""
    if isinstance(node, ast.UnaryOp):
        return node.operand, []
    if isinstance(node, ast.BinOp):
        reflected = op.module == "SubtractFrom"
        if op.module in ("Add", "Multiply"):
            try:
                words.reads(node.left)
                reflected = True
            except _NoMatch:
                pass
        return (node.right, [(None, node.left)]) if reflected else (node.left, [(None, node.right)])
    assert isinstance(node, ast.Call)
    rest = [(None, argument) for argument in node.args] + [(item.arg, item.value) for item in node.keywords]
    if any(isinstance(value, ast.Starred) for _, value in rest) or any(item.arg is None for item in node.keywords):
        raise _NoMatch("SQ308", "arguments are unpacked with `*`")
    function = words.namespace(node.func)
    if function is not None:
        row = lookup(function)
        if row is None or row[0] is not op:
            raise _NoMatch("SQ301", f"`{words.cls.source.segment(node.func)}` has no module in torch.nn")
        for index, (keyword, value) in enumerate(rest):
            if keyword in ("input", "self") or (keyword is None and index == 0):
                return value, rest[:index] + rest[index + 1 :]
        raise _NoMatch("SQ301", "the input is not among the arguments")
    if isinstance(node.func, ast.Attribute):
        forward = words.cls.forward
        me = words.cls.self_name(forward) if forward is not None else None
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id == me):
            return node.func.value, rest
    raise _NoMatch(
        "SQ301", f"`{words.cls.source.segment(node.func)}` is a function that the class holds, which may be another one"
    )


def _bind(
    op: Op,
    signature: Signature,
    step: Step,
    words: Words,
    input_: ast.expr,
    arguments: list[tuple[str | None, ast.expr]],
) -> _Call:
    parameters = signature.parameters
    rest = parameters[0][1:] if parameters and parameters[0].startswith("*") else None
    given = []
    for index, (keyword, value) in enumerate(arguments):
        if rest is not None:
            given.append(_Argument(rest, index, value))
        elif keyword is None and index < len(parameters):
            given.append(_Argument(parameters[index], index, value))
        elif keyword is not None:
            given.append(_Argument(keyword, None, value))
        else:
            raise _NoMatch("SQ301", f"`{signature.function}` is called with more arguments than its module takes")
    taken = [*step.args[1:]] if step.args else []
    values: dict[str, Any] = {}
    if rest is not None:
        flat = [*taken, *step.kwargs.values()]
        values[rest] = tuple(flat[0]) if len(flat) == 1 and isinstance(flat[0], tuple | list) else tuple(flat)
    else:
        values = {**dict(zip(parameters, taken, strict=False)), **step.kwargs}
    return _Call(op, signature, step, words, input_, tuple(given), values)


# -- builders: from a call to the module's text


@cache
def _module_parameters(module: str) -> tuple[str, ...]:
    if module in HELPERS:
        return HELPERS[module].parameters
    return tuple(inspect.signature(getattr(nn, module.removeprefix("nn."))).parameters)


def _write(call: _Call, module: str, skip: tuple[str, ...] = (), extra: tuple[str, ...] = ()) -> _Built:
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
            raise _NoMatch("SQ301", f"`{module}` has no argument `{argument.parameter}`")
        if any(isinstance(leaf, SizeOf | SizeOp) for leaf in _parts(call.values.get(argument.parameter))):
            raise _NoMatch("SQ308", f"`{call.text(argument.node)}` is computed from a tensor's size")
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


def _plain(call: _Call) -> _Built:
    for flag in ("return_indices", "antialias", "dtype", "out", "memory_format"):
        if call.values.get(flag):
            raise _NoMatch("SQ301", f"`{call.op.module}` does not do `{flag}`")
    if any(list(leaves(value)) for value in call.values.values()):
        raise _NoMatch("SQ202", f"`{call.signature.function}` takes several tensors")
    return _write(call, call.op.module, extra=("inplace=True",) if call.signature.inplace else ())


def _softmax(call: _Call) -> _Built:
    if not isinstance(call.values.get("dim"), int) or isinstance(call.values["dim"], bool):
        raise _NoMatch("SQ305", f"`{call.signature.function}` without `dim` chooses a dimension by rank")
    return _plain(call)


def _dropout(call: _Call) -> _Built:
    flag = "train" if "train" in call.signature.parameters else "training"
    written = next((argument.node for argument in call.given if argument.parameter == flag), None)
    forward = call.words.cls.forward
    me = call.words.cls.self_name(forward) if forward is not None else None
    text = call.text(written) if written is not None else ""
    name = call.signature.function
    if call.step.follows_training and text == f"{me}.training":
        return _write(call, call.op.module, skip=(flag,))
    if call.values.get(flag) is True and not call.step.follows_training:
        raise _NoMatch("SQ303", f"`{name}` drops in eval too: `training={text or 'True'}`")
    raise _NoMatch("SQ304", f"`{name}` follows `{text or 'training=False'}`, not `self.training`")


def _layer_norm(call: _Call) -> _Built:
    if call.values.get("weight") is not None or call.values.get("bias") is not None:
        raise _NoMatch("SQ307", f"`{call.signature.function}` takes its weight from the class")
    return _write(call, call.op.module, skip=("weight", "bias"), extra=("elementwise_affine=False",))


def _flatten(call: _Call) -> _Built:
    for value in call.values.values():
        if not isinstance(value, int):
            raise _NoMatch("SQ308", "`flatten` takes a size for a dimension, or a name")
    if call.values.get("start_dim", 0) == 1 and call.values.get("end_dim", -1) == -1:
        if all(isinstance(argument.node, ast.Constant | ast.UnaryOp) for argument in call.given):
            return "nn.Flatten", "", frozenset(), ()
    if "start_dim" not in call.values:  # the function begins at 0, the module at 1
        module, arguments, reads, diagnostics = _write(call, "nn.Flatten")
        return module, f"0, {arguments}" if arguments else "0", reads, diagnostics
    return _write(call, "nn.Flatten")


def _view(call: _Call) -> _Built:
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
        if isinstance(shape[1], int) and shape[1] == _product(taken[1:]):
            # the number is the user's own, and says the same thing twice
            note = Diagnostic(
                "SQ302",
                f"`{call.text(nodes[0])}, {call.text(nodes[1])}` is Flatten now: "
                "another input size raises where it regrouped the batch",
            )
            return "nn.Flatten", "", frozenset(), (note,) if shape[0] == -1 else ()
    if any(isinstance(part, SizeOf | SizeOp) for part in shape[1:]):
        raise _NoMatch("SQ308", "the shape is computed from a tensor's size")
    if keeps_batch and rank == 2 and len(shape) > 2 and all(isinstance(size, int) and size > 0 for size in shape[1:]):
        if _product(shape[1:]) == taken[1] and len(nodes) == len(shape):
            reads = frozenset().union(*(call.words.reads(node) for node in nodes[1:]))
            return "nn.Unflatten", f"1, ({', '.join(call.text(node) for node in nodes[1:])})", reads, ()
    if shape and isinstance(shape[0], SizeOf | SizeOp):
        raise _NoMatch("SQ308", "the shape is computed from a tensor's size")
    return _spread(call)


def _product(sizes: tuple[int, ...]) -> int:
    result = 1
    for size in sizes:
        result *= size
    return result


def _spread(call: _Call) -> _Built:
    """`x.permute(0, 2, 1)` and `x.permute((0, 2, 1))`, and the same for shapes: every number is an argument."""
    nodes = [argument.node for argument in call.given]
    if len(nodes) == 1 and isinstance(nodes[0], ast.Tuple | ast.List):
        nodes = list(nodes[0].elts)
    (values,) = call.values.values()
    if len(nodes) != len(values) or any(not isinstance(value, int) for value in values):
        raise _NoMatch("SQ308", f"the arguments of `{call.signature.function}` are not written as numbers")
    reads = frozenset().union(*(call.words.reads(node) for node in nodes)) if nodes else frozenset()
    return call.op.module, ", ".join(call.text(node) for node in nodes), reads, ()


def _unflatten(call: _Call) -> _Built:
    sizes = call.values.get("sizes")
    if not isinstance(sizes, tuple | list) or any(not isinstance(size, int) for size in sizes):
        raise _NoMatch("SQ308", "the sizes of `unflatten` are not written as numbers")
    by_name = {argument.parameter: argument.node for argument in call.given}
    if set(by_name) != {"dim", "sizes"}:
        raise _NoMatch("SQ301", "`unflatten` is not called with a dimension and sizes")
    reads = call.words.reads(by_name["dim"]) | call.words.reads(by_name["sizes"])
    return "nn.Unflatten", f"{call.text(by_name['dim'])}, {_tuple_text(call, by_name['sizes'])}", reads, ()


def _squeeze(call: _Call) -> _Built:
    if not call.given:
        return "SqueezeAll", "", frozenset(), ()
    if not isinstance(call.values.get("dim"), int):
        raise _NoMatch("SQ301", "`squeeze` of several dimensions has no module")
    return _write(call, "Squeeze")


def _reduce(call: _Call) -> _Built:
    if call.values.get("dtype") is not None:
        raise _NoMatch("SQ301", f"`{call.op.module}` does not do `dtype`")
    dim = call.values.get("dim")
    if not isinstance(dim, int | tuple | list) or isinstance(dim, bool):
        raise _NoMatch("SQ301", f"`{call.signature.function}` over all dimensions, the batch too")
    module, arguments, reads, diagnostics = _write(call, call.op.module)
    node = next(argument.node for argument in call.given if argument.parameter == "dim")
    return module, arguments.replace(call.text(node), _tuple_text(call, node), 1), reads, diagnostics


def _pad(call: _Call) -> _Built:
    pad, mode, value = call.values.get("pad"), call.values.get("mode", "constant"), call.values.get("value")
    if not isinstance(pad, tuple | list) or any(not isinstance(size, int) for size in pad) or len(pad) not in (2, 4, 6):
        raise _NoMatch("SQ301", "this padding has no module in torch.nn")
    node = next(argument.node for argument in call.given if argument.parameter == "pad")
    rank = len(pad) // 2
    kind = {"constant": "Constant", "reflect": "Reflection", "replicate": "Replication", "circular": "Circular"}.get(
        mode
    )
    if kind is None:
        raise _NoMatch("SQ301", f"padding with mode `{mode}` has no module in torch.nn")
    if kind == "Constant" and not value:
        kind = "Zero"
    reads = call.words.reads(node)
    arguments = _tuple_text(call, node)
    if kind == "Constant":
        fill = next(argument.node for argument in call.given if argument.parameter == "value")
        reads |= call.words.reads(fill)
        arguments += f", {call.text(fill)}"
    return f"nn.{kind}Pad{rank}d", arguments, reads, ()


def _tuple_text(call: _Call, node: ast.expr) -> str:
    """The text of a list written as a tuple, which is what modules and TorchScript want; any other text as it is."""
    text = call.text(node)
    if not isinstance(node, ast.List):
        return text
    inner = text[1:-1].strip().rstrip(",")
    return f"({inner}{',' if len(node.elts) == 1 else ''})"


_BUILDERS: dict[str, Callable[[_Call], _Built]] = {
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
