"""Edits for the grouped layout: straight lines of forward become attributes that are an `nn.Sequential`."""

# In forward the chain's first statements go, and the call that ended it becomes a call of the group, around whatever
# the first layer took:
#
#     x = F.relu(self.conv1(x))           (gone)
#     return self.fc(x.flatten(1)) + y    return self.features(x) + y

from __future__ import annotations

import ast

from seqify.classes import ClassSource
from seqify.emit.constructor import Constructor, Style
from seqify.emit.rows import attached_row, comments_for, removals, renamed
from seqify.plan import Group, Plan
from seqify.source import Comment, Edit

__all__ = ["emit_grouped"]

_Comments = dict[tuple[str, str], tuple[list[str], str | None]]


def emit_grouped(plan: Plan, cls: ClassSource, style: Style) -> list[Edit]:
    """The edits of class and constructor for a grouped plan."""
    assert cls.forward is not None
    me = cls.self_name(cls.init) if cls.init is not None else "self"
    groups = list(zip(plan.groups, plan.placements, strict=True))
    constructor = Constructor(cls, groups, plan.keeps, style, lambda group, key: f"{me}.{group.name}[{key}]")
    forward, comments = _edit_forward(plan, cls)
    edits = constructor.edits(lambda group: f"{me}.{group.name} = {style.nn}Sequential", comments)
    for name, method in cls.methods.items():
        if name == "__init__":
            continue
        here = cls.self_name(method)
        for node in cls.attributes(method):
            if node.attr in constructor.home and isinstance(node.ctx, ast.Load):
                group, _, key = constructor.home[node.attr]
                start, end = cls.source.span(node)
                if not any(edit.start <= start and end <= edit.end for edit in forward):
                    edits.append(Edit(start, end, f"{here}.{group.name}[{key}]"))
    return [*edits, *forward]


def _edit_forward(plan: Plan, cls: ClassSource) -> tuple[list[Edit], _Comments]:
    source, body = cls.source, cls.forward_body
    edits: list[Edit] = []
    dealt: _Comments = {}
    for group in plan.groups:
        loose: list[Comment] = []
        for index in group.chain.statements[:-1]:
            first, last = attached_row(source, body[index]), body[index].end_lineno or 0
            loose += [source.comments[row] for row in range(first, last + 1) if row in source.comments]
        loose += _call_group(group, cls, edits)
        if loose:
            for key, pair in comments_for(cls, group.rows, loose).items():
                dealt[group.name, key] = pair
    going = {index for group in plan.groups for index in group.chain.statements[:-1]} | set(plan.gaps)
    gone: set[int] = set()
    spanned = {index for group in plan.groups for index in group.chain.statements}
    for index in going:
        first, last = attached_row(source, body[index]), body[index].end_lineno or 0
        comments = [source.comments[row] for row in range(first, last + 1) if row in source.comments]
        if index in spanned or not comments:
            gone.update(range(first, last + 1))
        else:  # a size that nothing needs any more; what was said about it stays
            indent = source.indent(body[index].lineno)
            kept = "".join(f"{indent}{comment.text}\n" for comment in comments)
            edits.append(Edit(source.row_start(first), source.row_start(last + 1), kept))
    edits += removals(source, gone)
    return edits, dealt


def _call_group(group: Group, cls: ClassSource, edits: list[Edit]) -> list[Comment]:
    """Replace the last layer's call by a call of the group; the comments inside what goes are returned."""
    assert cls.forward is not None
    source = cls.source
    first, last = group.chain.layers[0], group.chain.layers[-1]
    start, end = source.span(last.node)
    opening = f"{cls.self_name(cls.forward)}.{group.name}("
    inner_start, inner_end = source.span(first.input)
    if start <= inner_start and inner_end <= end:
        edits += [Edit(start, inner_start, opening), Edit(inner_end, end, ")")]
        return source.comments_between(start, inner_start) + source.comments_between(inner_end, end)
    # the input stands in an earlier statement, with the calls of earlier groups that were put into it
    moved = [edit for edit in edits if inner_start <= edit.start and edit.end <= inner_end]
    for edit in moved:
        edits.remove(edit)
    text = renamed(source, inner_start, inner_end, [(edit.start, edit.end, edit.text) for edit in moved])
    edits.append(Edit(start, end, f"{opening}{text})"))
    return source.comments_between(start, end)
