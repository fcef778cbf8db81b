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
from dataclasses import replace
from typing import Any

from seqify.flow import Step
from seqify.ops.build import BUILDERS, Argument, Call
from seqify.ops.layer import Break, Layer, NoMatch, Words
from seqify.ops.table import Op, Signature, lookup

__all__ = ["match"]


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
            raise NoMatch("SQ308", f"an argument of `{text}` changes with the {step.varies}")
        call = _bind(op, signature, step, words, input_, arguments)
        callee, written, reads, diagnostics = BUILDERS[op.builder](call)
    except NoMatch as reason:
        return Break(step.index, reason.code, str(reason))
    layer = Layer(step.index, node, input_, _STEMS.get(callee, op.stem), None, callee, written, reads, diagnostics)
    if any(item.code == "SQ302" for item in diagnostics):
        callee, written, reads, _ = BUILDERS["spread"](call)
        literal = Layer(step.index, node, input_, op.stem, None, callee, written, reads)
        layer = replace(layer, regroups=call.values["shape"][1], literal=literal)
    return layer


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
            except NoMatch:
                pass
        return (node.right, [(None, node.left)]) if reflected else (node.left, [(None, node.right)])
    assert isinstance(node, ast.Call)
    rest = [(None, argument) for argument in node.args] + [(item.arg, item.value) for item in node.keywords]
    if any(isinstance(value, ast.Starred) for _, value in rest) or any(item.arg is None for item in node.keywords):
        raise NoMatch("SQ308", "arguments are unpacked with `*`")
    function = words.namespace(node.func)
    if function is not None:
        row = lookup(function)
        if row is None or row[0] is not op:
            raise NoMatch("SQ301", f"`{words.cls.source.segment(node.func)}` has no module in torch.nn")
        for index, (keyword, value) in enumerate(rest):
            if keyword in ("input", "self") or (keyword is None and index == 0):
                return value, rest[:index] + rest[index + 1 :]
        raise NoMatch("SQ301", "the input is not among the arguments")
    if isinstance(node.func, ast.Attribute):
        forward = words.cls.forward
        me = words.cls.self_name(forward) if forward is not None else None
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id == me):
            return node.func.value, rest
    raise NoMatch(
        "SQ301", f"`{words.cls.source.segment(node.func)}` is a function that the class holds, which may be another one"
    )


def _bind(
    op: Op,
    signature: Signature,
    step: Step,
    words: Words,
    input_: ast.expr,
    arguments: list[tuple[str | None, ast.expr]],
) -> Call:
    parameters = signature.parameters
    rest = parameters[0][1:] if parameters and parameters[0].startswith("*") else None
    given = []
    for index, (keyword, value) in enumerate(arguments):
        if rest is not None:
            given.append(Argument(rest, index, value))
        elif keyword is None and index < len(parameters):
            given.append(Argument(parameters[index], index, value))
        elif keyword is not None:
            given.append(Argument(keyword, None, value))
        else:
            raise NoMatch("SQ301", f"`{signature.function}` is called with more arguments than its module takes")
    taken = [*step.args[1:]] if step.args else []
    values: dict[str, Any] = {}
    if rest is not None:
        flat = [*taken, *step.kwargs.values()]
        values[rest] = tuple(flat[0]) if len(flat) == 1 and isinstance(flat[0], tuple | list) else tuple(flat)
    else:
        named = {name: value for name, value in step.kwargs.items() if step.args or name not in ("input", "self")}
        values = {**dict(zip(parameters, taken, strict=False)), **named}
    return Call(op, signature, step, words, input_, tuple(given), values)
