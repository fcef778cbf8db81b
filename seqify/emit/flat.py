"""Edits for the flat layout: the class becomes an `nn.Sequential` whose children keep their names."""

# Assigning a module to an attribute registers it, and `nn.Sequential` runs its children in order of registration. So
# the assignments stay where they stand, the new layers go between them, and forward goes:
#
#     class Net(nn.Module):                    class Net(nn.Sequential):
#         def __init__(self):                      def __init__(self):
#             super().__init__()                       super().__init__()
#             self.fc1 = nn.Linear(4, 8)               self.fc1 = nn.Linear(4, 8)
#                                                      self.relu = nn.ReLU()
#             self.fc2 = nn.Linear(8, 2)               self.fc2 = nn.Linear(8, 2)
#
#         def forward(self, x):                    def __getitem__(self, idx): ...
#             return self.fc2(F.relu(self.fc1(x)))
#
# `nn.Sequential` builds a slice with `type(self)(layers)`, which would call this class's own constructor; hence
# __getitem__.

from __future__ import annotations

import ast

from seqify.classes import ClassSource, Statement
from seqify.emit.constructor import Style
from seqify.emit.rows import RowText, attached_row, comments_for, constructor, docstring_comments, value_text
from seqify.names import fresh
from seqify.plan import Plan, Row
from seqify.source import Edit

__all__ = ["emit_flat"]


def emit_flat(plan: Plan, cls: ClassSource, style: Style) -> list[Edit]:
    """The edits of class and constructor for a flat plan."""
    assert cls.forward is not None and cls.init is not None and plan.order is not None
    source = cls.source
    (group,) = plan.groups
    base = cls.node.bases[0]
    edits = [Edit(*source.span(base), f"{style.nn}Sequential")]

    first = attached_row(source, cls.forward)
    last = cls.forward.end_lineno or 0
    edits.append(Edit(source.row_start(first), source.row_start(last + 1), _slicing(cls, style)))
    comments = [source.comments[row] for row in range(first, last + 1) if row in source.comments]
    dealt = comments_for(cls, group.rows, comments) if comments else {}
    told = docstring_comments(cls.forward)
    if told:
        above, behind = dealt.get(group.rows[0].key, ([], None))
        dealt[group.rows[0].key] = ([*told, *above], behind)

    writer = _Writer(cls, style, dealt)
    if plan.order.anchor is not None:
        return edits + writer.as_locals(group.rows, plan.order.anchor)
    return edits + writer.in_place(group.rows, plan.order.moving)


def _slicing(cls: ClassSource, style: Style) -> str:
    assert cls.forward is not None
    outer = cls.source.indent(cls.forward.lineno)
    one, two = outer + style.unit, outer + 2 * style.unit
    return (
        f"{outer}def __getitem__(self, idx):\n"
        f"{one}if isinstance(idx, slice):  # nn.Sequential would pass the layers to the constructor of this class\n"
        f"{two}return {style.nn}Sequential(OrderedDict(list(self._modules.items())[idx]))\n"
        f"{one}return super().__getitem__(idx)\n"
    )


class _Writer:
    """Writes the rows of one constructor."""

    def __init__(self, cls: ClassSource, style: Style, dealt: dict[str, tuple[list[str], str | None]]) -> None:
        assert cls.init is not None
        self.cls, self.source, self.style, self.dealt = cls, cls.source, style, dealt
        self.me = cls.self_name(cls.init)

    def _statement(self, row: Row) -> Statement:
        return self.cls.storing(row.layer.attribute or "")[0]

    def _line(self, row: Row, indent: str, value: str | None = None) -> str:
        """`self.relu1 = nn.ReLU()`, with its comments from forward."""
        if value is None:
            copied = row.layer.attribute is not None
            value = (
                value_text(self.cls, self._statement(row).node)
                if copied
                else constructor(row.layer, self.style.nn, self.style.helpers)
            )
        text = RowText(value)
        above, behind = self.dealt.get(row.key, ([], None))
        text.add(above, behind)
        return text.lines(indent, opening=f"{self.me}.{row.key} = ")

    def in_place(self, rows: tuple[Row, ...], moving: frozenset[str]) -> list[Edit]:
        """Statements stay, new layers and layers out of order go between them."""
        edits: list[Edit] = []
        before: list[str] = []  # of the first statement that stays
        place: int | None = None  # the offset behind the last statement that stays
        first = next(self._statement(row) for row in rows if row.origin == "moved" and row.key not in moving)
        indent = self.source.indent(first.node.lineno)
        for index, row in enumerate(rows):
            if row.origin == "moved" and row.key not in moving:
                node = self._statement(row).node
                edits += self._comment(row, node)
                place = self.source.row_start((node.end_lineno or 0) + 1)
                continue
            if place is not None and row.layer.stem in ("flatten", "dropout"):
                # these open the next layer's paragraph rather than close the last one's
                following = next(
                    (other for other in rows[index:] if other.origin == "moved" and other.key not in moving), None
                )
                if following is not None:
                    node = self._statement(following).node
                    place = self.source.row_start(attached_row(self.source, node))
            text = self._move(row, edits) if row.origin == "moved" else self._line(row, indent)
            if place is None:
                before.append(text)
            else:
                edits.append(Edit(place, place, text))
        if before:
            start = self.source.row_start(attached_row(self.source, first.node))
            edits.insert(0, Edit(start, start, "".join(before)))
        return edits

    def _comment(self, row: Row, node: ast.stmt) -> list[Edit]:
        """Comments of forward, put to the statement of their layer."""
        above, behind = self.dealt.get(row.key, ([], None))
        own = self.source.comments.get(node.end_lineno or 0)
        known = {self.source.comments[number].text for number in range(attached_row(self.source, node), node.lineno)}
        if own is not None:
            known.add(own.text)
            above, behind = [*above, *([behind] if behind else [])], None
        above = [comment for comment in above if comment not in known]
        edits = []
        if above:
            start = self.source.row_start(node.lineno)
            edits.append(
                Edit(start, start, "".join(f"{self.source.indent(node.lineno)}{comment}\n" for comment in above))
            )
        if behind and behind not in known:
            end = self.source.span(node)[1]
            edits.append(Edit(end, end, f"  {behind}"))
        return edits

    def _move(self, row: Row, edits: list[Edit]) -> str:
        """Cut a statement with its comments out; its text is returned, with the comments of forward."""
        node = self._statement(row).node
        first, last = attached_row(self.source, node), node.end_lineno or 0
        start, end = self.source.row_start(first), self.source.row_start(last + 1)
        edits.append(Edit(start, end, ""))
        above, behind = self.dealt.get(row.key, ([], None))
        extra = "".join(
            f"{self.source.indent(node.lineno)}{item}\n" for item in [*above, *([behind] if behind else [])]
        )
        return extra + self.source.text[start:end]

    def as_locals(self, rows: tuple[Row, ...], anchor: int) -> list[Edit]:
        """Layers are built where they were, as locals, and registered in call order behind the last."""
        cls, source = self.cls, self.source
        assert cls.init is not None
        names = {argument.arg for argument in ast.walk(cls.init) if isinstance(argument, ast.arg)}
        names |= {name for item in cls.statements for name in item.names_loaded | item.names_stored}
        local: dict[str, str] = {}
        for row in rows:
            if row.origin == "moved":
                local[row.key] = fresh(row.key, names | set(local.values()))
        edits = []
        for statement in cls.statements[: anchor + 1]:
            for read in cls.attributes(cls.init, statement.node):
                if read.attr in local:
                    edits.append(Edit(*source.span(read), local[read.attr]))
        node = cls.statements[anchor].node
        indent = source.indent(node.lineno)
        place = source.row_start((node.end_lineno or 0) + 1)
        block = f"\n{indent}# nn.Sequential runs its layers in the order of these lines\n"
        block += "".join(self._line(row, indent, local.get(row.key)) for row in rows)
        return [*edits, Edit(place, place, block)]
