"""The text of rows: constructors moved from their statements, new layers, and the comments that travel with them."""

from __future__ import annotations

import ast
import bisect
import re
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from seqify.classes import ClassSource, FunctionNode
from seqify.ops import Layer
from seqify.plan import Row
from seqify.source import Comment, Edit, SourceFile

__all__ = [
    "RowText",
    "attached_row",
    "comments_for",
    "constructor",
    "docstring_comments",
    "reindent",
    "removals",
    "renamed",
    "value_text",
]


@dataclass
class RowText:
    """A layer's text: comment lines above it, its constructor, and the comment behind it."""

    value: str
    above: list[str] = field(default_factory=list)
    behind: str | None = None

    def add(self, comments: Iterable[str], behind: str | None = None) -> None:
        """Take up comments from forward, below those from the constructor and without saying one twice."""
        for comment in [*comments, *([behind] if behind and self.behind else [])]:
            if comment not in (*self.above, self.behind):
                self.above.append(comment)
        if behind and self.behind is None:
            self.behind = behind

    def lines(self, indent: str, ending: str = "", opening: str = "") -> str:
        """The row as lines of text, each with its newline."""
        above = "".join(f"{indent}{comment}\n" for comment in self.above)
        behind = f"  {self.behind}" if self.behind else ""
        return f"{above}{indent}{opening}{self.value}{ending}{behind}\n"


def constructor(layer: Layer, prefix: str, helpers: Mapping[str, str]) -> str:
    """A new layer's constructor, `nn.MaxPool2d(2)`, with the file's word for `torch.nn` and the helper's final name."""
    callee = helpers.get(layer.callee, layer.callee)
    if callee.startswith("nn."):
        callee = prefix + callee.removeprefix("nn.")
    return f"{callee}({layer.arguments})"


def attached_row(source: SourceFile, node: ast.stmt) -> int:
    """The first row that belongs to a statement: that of the comments directly above it, at its own indent."""
    row = node.lineno
    if isinstance(node, FunctionNode | ast.ClassDef) and node.decorator_list:
        row = min(decorator.lineno for decorator in node.decorator_list)
    while row > 1:
        comment = source.comments.get(row - 1)
        if comment is None or not comment.alone or source.indent(row - 1) != source.indent(node.lineno):
            break
        row -= 1
    return row


def removals(source: SourceFile, gone: Collection[int]) -> list[Edit]:
    """Edits that take rows out, and blank rows with them where two stretches of blank rows would meet."""
    edits: list[Edit] = []
    rows = sorted(gone)
    while rows:
        first = last = rows[0]
        end = first
        while end in gone or (end <= source.last_row and not source.row_text(end).strip()):
            last = end if end in gone else last
            end += 1
        rows = rows[bisect.bisect_right(rows, last) :]
        above = first
        while above > 1 and not source.row_text(above - 1).strip():
            above -= 1
        if first - above <= end - last - 1:
            first = above
        else:
            last = end - 1
        edits.append(Edit(source.row_start(first), source.row_start(last + 1), ""))
    return edits


def renamed(source: SourceFile, start: int, end: int, replacements: Sequence[tuple[int, int, str]]) -> str:
    """The text between two offsets, with pieces of it replaced."""
    pieces, done = [], start
    for first, last, text in sorted(replacements):
        if start <= first and last <= end:
            pieces += [source.text[done:first], text]
            done = last
    return "".join([*pieces, source.text[done:end]])


def value_text(cls: ClassSource, node: ast.stmt, replacements: Sequence[tuple[int, int, str]] = ()) -> str:
    """The right-hand side of an assignment, brackets around it included."""
    assert isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
    source = cls.source
    left: ast.expr = node.targets[0] if isinstance(node, ast.Assign) else node.annotation
    after = source.span(left)[1]
    start = source.text.index("=", after) + 1
    end = source.span(node)[1]
    text = source.text[start:end]
    start += len(text) - len(re.sub(r"^(\s|\\\r?\n)+", "", text))  # a continuation needs no backslash inside brackets
    return renamed(source, start, end, replacements)


def reindent(text: str, old: str, new: str, node: ast.AST) -> str:
    """Text whose later rows move from one indent to another; left alone where a string spans rows."""
    if old == new or "\n" not in text:
        return text
    for part in ast.walk(node):
        if isinstance(part, ast.Constant | ast.JoinedStr) and part.lineno != part.end_lineno:
            if isinstance(part, ast.JoinedStr) or isinstance(part.value, str | bytes):
                return text
    first, *rest = text.split("\n")
    return "\n".join([first, *(new + row.removeprefix(old) if row.startswith(old) else row for row in rest)])


def comments_for(
    cls: ClassSource, rows: Sequence[Row], comments: Iterable[Comment]
) -> dict[str, tuple[list[str], str | None]]:
    """
    Deal comments of forward out to layers, by row key: those above, and the one behind.

    A comment at the end of a row belongs to the one call that ends there; with several calls on the row, or by
    itself, it stands above the next one.
    """
    dealt: dict[str, tuple[list[str], str | None]] = {}
    by_end: dict[int, list[Row]] = {}
    for row in rows:
        by_end.setdefault(row.layer.node.end_lineno or 0, []).append(row)
    ends = sorted(by_end)
    for comment in comments:
        here = by_end.get(comment.row, []) if not comment.alone else []
        later = next((end for end in ends if end >= comment.row), ends[-1])
        owner = here[0] if here else by_end[later][0]
        above, behind = dealt.get(owner.key, ([], None))
        if len(here) == 1 and behind is None:
            dealt[owner.key] = (above, comment.text)
        else:
            dealt[owner.key] = ([*above, comment.text], behind)
    return dealt


def docstring_comments(function: FunctionNode) -> list[str]:
    """The docstring of a function that goes, as comment lines."""
    docstring = ast.get_docstring(function)
    if docstring is None:
        return []
    return [re.sub(r"\s+$", "", f"# {row}") for row in textwrap.dedent(docstring).strip().splitlines()]
