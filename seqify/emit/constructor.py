"""Edits of a constructor whose layers move into one `nn.Sequential` or several."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from seqify.classes import ClassSource, FunctionNode, Statement
from seqify.emit.rows import RowText, attached_row, constructor, reindent, removals, value_text
from seqify.names import fresh
from seqify.order import Placement
from seqify.plan import Group
from seqify.source import Edit

__all__ = ["Constructor", "Style"]


@dataclass(frozen=True)
class Style:
    """The file's own ways: its word for `torch.nn` with the dot, the names of helper classes, one level of indent."""

    nn: str
    helpers: Mapping[str, str]
    unit: str


class Constructor:
    """
    The `__init__` of a class and the groups its layers move into.

    Args:
        cls: the class.
        groups: the groups with their placements.
        keeps: attributes whose statements stay where they are; rows get copies of them.
        style: the file's ways.
        path: how a row is reached from outside its group, as `self.features[0]`, from group and key.
    """

    def __init__(
        self,
        cls: ClassSource,
        groups: list[tuple[Group, Placement]],
        keeps: frozenset[str],
        style: Style,
        path: Callable[[Group, str], str],
    ) -> None:
        assert cls.init is not None
        self.cls, self.source, self.style, self.path = cls, cls.source, style, path
        self.init: FunctionNode = cls.init
        self.groups = groups
        self.keeps = keeps
        self.home: dict[str, tuple[Group, Placement, str]] = {}
        for group, placement in groups:
            for row in group.rows:
                if row.origin == "moved" and row.layer.attribute is not None and row.layer.attribute not in keeps:
                    self.home[row.layer.attribute] = (group, placement, row.key)
        names = {argument.arg for argument in ast.walk(cls.init) if isinstance(argument, ast.arg)}
        names |= {name for item in cls.statements for name in item.names_loaded | item.names_stored}
        self.locals: dict[str, str] = {}
        for attribute, (_, placement, _) in self.home.items():
            if attribute in placement.locals:
                self.locals[attribute] = fresh(attribute, names | set(self.locals.values()))

    def references(self, function: FunctionNode, within: ast.AST, anchor: int) -> list[tuple[int, int, str]]:
        """
        Replacements for each `self.name` whose layer has moved, in text that runs at statement `anchor` of `__init__`
        (`len(statements)` for any later time).
        """
        found = []
        for node in self.cls.attributes(function, within):
            if node.attr in self.home and isinstance(node.ctx, ast.Load):
                group, placement, key = self.home[node.attr]
                later = placement.anchor < anchor
                text = self.path(group, key) if later else self.locals.get(node.attr)
                if text is not None:
                    found.append((*self.source.span(node), text))
        return found

    def row_text(self, group: Group, placement: Placement, index: int) -> RowText:
        """The text of one row of a group, with the comments of its old statement."""
        row = group.rows[index]
        attribute = row.layer.attribute
        if attribute is None:
            return RowText(constructor(row.layer, self.style.nn, self.style.helpers))
        if attribute in self.locals and row.origin == "moved":
            return RowText(self.locals[attribute])
        statement = self.cls.storing(attribute)[0]
        replacements = self.references(self.init, statement.node, placement.anchor)
        value = value_text(self.cls, statement.node, replacements)
        indent = self.source.indent(statement.node.lineno)
        text = RowText(reindent(value, indent, indent + self.style.unit, statement.node))
        if row.origin == "moved" and attribute not in self.keeps:
            first = attached_row(self.source, statement.node)
            text.above = [self.source.comments[number].text for number in range(first, statement.node.lineno)]
            behind = self.source.comments.get(statement.node.end_lineno or 0)
            text.behind = behind.text if behind is not None else None
        return text

    def edits(
        self,
        opening: Callable[[Group], str],
        comments: Mapping[tuple[str, str], tuple[list[str], str | None]],
    ) -> list[Edit]:
        """
        The edits.

        Args:
            opening: what stands before `(` where a group is built, as `self.features = nn.Sequential`.
            comments: by group name and row key, comments from forward.
        """
        blocks: dict[int, list[str]] = {}
        for group, placement in self.groups:
            indent = self.source.indent(self.cls.statements[placement.anchor].node.lineno)
            inner = indent + self.style.unit
            rows = []
            for index, row in enumerate(group.rows):
                text = self.row_text(group, placement, index)
                above, behind = comments.get((group.name, row.key), ([], None))
                text.add(above, behind)
                rows.append(text.lines(inner, ","))
            block = f"{indent}{opening(group)}(\n{''.join(rows)}{indent})\n"
            blocks.setdefault(placement.anchor, []).append(block)
        edits: list[Edit] = []
        gone: set[int] = set()
        for statement in self.cls.statements:
            attribute = statement.attribute or ""
            inline = attribute in self.home and attribute not in self.locals
            block = "".join(blocks.get(statement.index, []))
            first, last = attached_row(self.source, statement.node), statement.node.end_lineno or 0
            if inline and block:
                edits.append(Edit(self.source.row_start(first), self.source.row_start(last + 1), block))
            elif inline:
                gone.update(range(first, last + 1))
            else:
                edits += self._keep(statement, block)
        return [*edits, *removals(self.source, gone)]

    def _keep(self, statement: Statement, block: str) -> list[Edit]:
        source, node = self.source, statement.node
        replacements = self.references(self.init, node, statement.index)
        edits = [Edit(*replacement) for replacement in replacements]
        if statement.attribute in self.locals:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target  # type: ignore[attr-defined]
            edits.append(Edit(*source.span(target), self.locals[statement.attribute]))
        if block:
            end = source.row_start((node.end_lineno or 0) + 1)
            edits.append(Edit(end, end, block))
        return edits
