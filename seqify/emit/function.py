"""Edits for the function layout: the class becomes a function that returns an `nn.Sequential`."""

from __future__ import annotations

import ast
import re

from seqify.classes import ClassSource, FunctionNode, Statement, is_super_init
from seqify.emit.constructor import Constructor, Style
from seqify.emit.rows import comments_for, docstring_comments
from seqify.names import fresh
from seqify.plan import Plan
from seqify.source import Comment, Edit, SourceFile

__all__ = ["emit_function"]


def emit_function(plan: Plan, cls: ClassSource, style: Style) -> list[Edit]:
    """One edit that replaces the class, and one for each call of it in the file."""
    assert cls.init is not None and cls.forward is not None
    source = cls.source
    (group,), (placement,) = plan.groups, plan.placements
    later = [item for item in cls.statements if item.index > placement.anchor]
    names = {part.id for part in ast.walk(cls.init) if isinstance(part, ast.Name)}
    model = fresh("model", names | {part.arg for part in ast.walk(cls.init) if isinstance(part, ast.arg)})
    constructor = Constructor(cls, [(group, placement)], plan.keeps, style, lambda _, key: f"{model}[{key}]")

    inside = set(range(cls.init.lineno, (cls.init.end_lineno or 0) + 1))
    flow = _comments(source, cls.forward)
    dealt = {("", key): value for key, value in comments_for(cls, group.rows, flow).items()} if flow else {}
    edits = constructor.edits(
        lambda _: f"{model} = {style.nn}Sequential" if later else f"return {style.nn}Sequential", dealt
    )
    edits += [_delete(source, item) for item in cls.statements if is_super_init(item.node)]
    edits += _rename_self(cls, later, model, edits)
    body_rows = range(_body_row(cls.init, cls.statements), (cls.init.end_lineno or 0) + 1)
    body = _apply(source, edits, body_rows)

    outer = source.indent(cls.node.lineno) + style.unit
    inner = source.indent(cls.statements[0].node.lineno)
    text = "".join(_dedent(row, inner, outer) for row in re.findall(r"[^\n]*\n|[^\n]+", body))
    if later:
        text += f"{outer}return {model}\n"
    other = [
        comment.text
        for row in range(cls.node.lineno, (cls.node.end_lineno or 0) + 1)
        if (comment := source.comments.get(row)) is not None
        and (row not in inside or row < body_rows.start)
        and comment not in flow
    ]
    notes = [*other, *docstring_comments(cls.init), *docstring_comments(cls.forward)]
    head = f"def {plan.function}({_parameters(cls, style)}) -> {style.nn}Sequential:\n"
    if ast.get_docstring(cls.node, clean=False) is not None:
        docstring = cls.node.body[0]
        head += source.text[source.row_start(docstring.lineno) : source.span(docstring)[1]] + "\n"
    head += "".join(f"{outer}{note}\n" for note in notes)
    start, end = source.row_start(cls.node.lineno), source.row_start((cls.node.end_lineno or 0) + 1)
    calls = [
        Edit(*source.span(node), plan.function)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Name) and node.id == cls.node.name
    ]
    return [Edit(start, end, head + text), *(edit for edit in calls if not start <= edit.start < end)]


def _comments(source: SourceFile, function: FunctionNode) -> list[Comment]:
    return [
        source.comments[row] for row in range(function.lineno, (function.end_lineno or 0) + 1) if row in source.comments
    ]


def _body_row(init: FunctionNode, statements: tuple[Statement, ...]) -> int:
    """The row on which the constructor's statements begin, comments above the first included."""
    if ast.get_docstring(init, clean=False) is not None:
        return (init.body[0].end_lineno or 0) + 1
    header = max(
        (part.end_lineno or 0 for part in ast.walk(init.args) if isinstance(part, ast.expr | ast.arg)),
        default=init.lineno,
    )
    if init.returns is not None:
        header = max(header, init.returns.end_lineno or 0)
    return min(max(header + 1, init.lineno + 1), statements[0].node.lineno)


def _delete(source: SourceFile, statement: Statement) -> Edit:
    row, last = statement.node.lineno, (statement.node.end_lineno or 0) + 1
    while last <= source.last_row and not source.row_text(last).strip():
        last += 1
    comment = source.comments.get(statement.node.end_lineno or 0)
    kept = f"{source.indent(row)}{comment.text}\n" if comment is not None else ""
    return Edit(source.row_start(row), source.row_start(last), kept)


def _rename_self(cls: ClassSource, later: list[Statement], model: str, edits: list[Edit]) -> list[Edit]:
    """`self` is the model in the statements behind it."""
    assert cls.init is not None
    me = cls.self_name(cls.init)
    found = []
    for statement in later:
        for node in ast.walk(statement.node):
            if isinstance(node, ast.Name) and node.id == me:
                start, end = cls.source.span(node)
                if not any(edit.start <= start and end <= edit.end for edit in edits):
                    found.append(Edit(start, end, model))
    return found


def _apply(source: SourceFile, edits: list[Edit], rows: range) -> str:
    start, stop = source.row_start(rows.start), source.row_start(rows.stop)
    pieces, done = [], start
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if start <= edit.start and edit.end <= stop:
            gap = "\n" if edit.start == len(source.text) and not source.text.endswith("\n") else ""
            pieces += [source.text[done : edit.start], gap, edit.text]
            done = edit.end
    return "".join([*pieces, source.text[done:stop]])


def _dedent(row: str, inner: str, outer: str) -> str:
    return outer + row[len(inner) :] if row.startswith(inner) else row


def _parameters(cls: ClassSource, style: Style) -> str:
    """The constructor's parameters without self, as they were written."""
    assert cls.init is not None
    source, arguments = cls.source, cls.init.args
    first = [*arguments.posonlyargs, *arguments.args][0]
    parts = [part for part in ast.walk(arguments) if isinstance(part, ast.expr | ast.arg)]
    end = max(source.offset(part.end_lineno or 0, part.end_col_offset or 0) for part in parts)
    after_self = source.offset(first.end_lineno or 0, first.end_col_offset or 0)
    text = source.text[after_self:end].lstrip().removeprefix(",").lstrip(" ")
    if "\n" not in text.strip():
        return text.strip()
    unit = style.unit
    rows = [row.removeprefix(unit) for row in text.strip("\n").splitlines()]
    return "\n" + "\n".join(rows) + ",\n" + source.indent(cls.node.lineno)
