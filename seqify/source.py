"""Source text: a file of the user's, its syntax tree, its comments, and edits to ranges of it."""

from __future__ import annotations

import ast
import bisect
import codecs
import io
import linecache
import re
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from seqify.diagnostics import Diagnostic, Location
from seqify.errors import CannotAsk

__all__ = ["Comment", "Edit", "SourceFile", "apply_edits", "read_source"]


@dataclass(frozen=True)
class Comment:
    """A `# comment`; `alone` when nothing else stands on its row."""

    row: int
    start: int
    text: str
    alone: bool


@dataclass(frozen=True)
class Edit:
    """New text for the characters `start` up to `end` of a file; an insertion when the two are equal."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class SourceFile:
    """
    The text of one file, decoded, with its newlines as they are.

    Offsets count characters from the start of the text. Rows count from 1, as in `ast`.
    """

    path: str
    text: str
    encoding: str = "utf-8"

    @property
    def newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def _row_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    @cached_property
    def comments(self) -> dict[int, Comment]:
        """The comments by row; a row holds at most one."""
        found = {}
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                row, column = token.start
                alone = not token.line[:column].strip()
                found[row] = Comment(row, self.row_start(row) + column, token.string.rstrip(), alone)
        return found

    @property
    def last_row(self) -> int:
        return len(self._row_starts)

    def row_start(self, row: int) -> int:
        """The offset of a row's first character; of the end of the text for a row past the last."""
        return self._row_starts[row - 1] if row <= len(self._row_starts) else len(self.text)

    def row_text(self, row: int) -> str:
        """A row without its newline."""
        return self.text[self.row_start(row) : self.row_start(row + 1)].rstrip("\r\n")

    def offset(self, row: int, byte_column: int) -> int:
        """The offset of a position as `ast` and tracebacks give it: columns count UTF-8 bytes from 0."""
        start = self.row_start(row)
        prefix = self.text[start : start + byte_column]
        if prefix.isascii():
            return start + byte_column
        row_bytes = self.row_text(row).encode("utf-8")
        return start + len(row_bytes[:byte_column].decode("utf-8", "ignore"))

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """The offsets of a node's first character and of the one after its last."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset)

    def segment(self, node: ast.expr | ast.stmt) -> str:
        """The text of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def location(self, node: ast.expr | ast.stmt | ast.ExceptHandler) -> Location:
        """The place of a node, for a diagnostic."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.place(node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)

    def place(self, row: int, column: int, end_row: int, end_column: int) -> Location:
        """The same for a position whose columns count bytes from 0."""
        return Location(
            self.path,
            row,
            self.offset(row, column) - self.row_start(row) + 1,
            end_row,
            self.offset(end_row, end_column) - self.row_start(end_row) + 1,
        )

    def indent(self, row: int) -> str:
        """The white space that a row begins with."""
        text = self.row_text(row)
        return text[: len(text) - len(text.lstrip())]

    def alone_on_rows(self, node: ast.stmt) -> bool:
        """Whether nothing but white space and a comment shares the rows of a statement."""
        start, end = self.span(node)
        before = self.text[self.row_start(node.lineno) : start]
        after = self.text[end : self.row_start((node.end_lineno or 0) + 1)].strip()
        return not before.strip() and (not after or after.startswith("#"))

    def comments_between(self, start: int, end: int) -> list[Comment]:
        """The comments that begin between two offsets, in order."""
        first, last = self.row_of(start), self.row_of(end)
        rows = range(first, last + 1)
        return [self.comments[row] for row in rows if row in self.comments and start <= self.comments[row].start < end]

    def row_of(self, offset: int) -> int:
        """The row that holds an offset."""
        return bisect.bisect_right(self._row_starts, offset)

    def encode(self, text: str) -> bytes:
        """Text in this file's encoding, as `write_atomically` wants it."""
        return text.encode(self.encoding)


def read_source(path: str) -> SourceFile:
    """
    Read a Python file, keeping its encoding and newlines. A notebook cell is found through `linecache`.

    Raises:
        CannotAsk: SQ003 when the file cannot be read as Python source.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        lines = linecache.getlines(path)
        if lines:
            return SourceFile(path, "".join(lines))
        reason = error.strerror or str(error)
        raise CannotAsk(Diagnostic("SQ003", f"cannot read `{path}` ({reason})")) from None
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        if data.startswith(codecs.BOM_UTF8):
            encoding = "utf-8-sig"
        source = SourceFile(path, data.decode(encoding), encoding)
        source.tree  # noqa: B018  parsed here, so that a syntax error is this function's
    except (SyntaxError, UnicodeDecodeError) as error:
        row = getattr(error, "lineno", None)
        raise CannotAsk(
            Diagnostic("SQ003", f"not valid Python ({error})", Location(path, row) if row else None)
        ) from None
    return source


def apply_edits(source: SourceFile, edits: Iterable[Edit]) -> str:
    """
    The text after the edits, which may not overlap; insertions at one offset keep their order.

    New lines take the file's own newline.
    """
    pieces = []
    done = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        assert edit.start >= done, "edits overlap"
        pieces.append(source.text[done : edit.start])
        behind_the_end = edit.start == len(source.text) and not source.text.endswith("\n")
        text = f"\n{edit.text}" if behind_the_end and source.text and edit.text else edit.text
        pieces.append(re.sub(r"\r?\n", source.newline, text))
        done = edit.end
    pieces.append(source.text[done:])
    return "".join(pieces)
