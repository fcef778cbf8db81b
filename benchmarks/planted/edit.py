"""An edit of an exact range of a text, and the rows that edits change."""

# Rows of the old and the new text stay comparable, because an edit replaces a range of characters and leaves all others
# as they are.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Edit", "applied"]


@dataclass(frozen=True, order=True)
class Edit:
    """`text` in place of the characters from `start` to `end`."""

    start: int
    end: int
    text: str


def applied(text: str, edits: Sequence[Edit]) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    """The edited text, the rows of the old one that it changes, and the rows of the new one that are changed.

    Raises:
        ValueError: two edits overlap.
    """
    pieces: list[str] = []
    old_rows: set[int] = set()
    new_rows: set[int] = set()
    position, row, length = 0, 1, 0
    for edit in sorted(edits):
        if edit.start < position:
            raise ValueError(f"edits overlap at {edit.start}")
        kept = text[position : edit.start]
        pieces += [kept, edit.text]
        row += kept.count("\n")
        length += len(kept)
        first = text.count("\n", 0, edit.start) + 1
        whole = edit.start == 0 or text[edit.start - 1] == "\n"
        gone = text[edit.start : edit.end]
        if gone or not (whole and edit.text.endswith("\n")):
            begin = first + (gone[:1] == "\n")
            old_rows.update(range(begin, begin + gone.strip().count("\n") + 1))
        if edit.text or "\n" not in gone:
            new_rows.update(range(row, row + edit.text.rstrip("\n").count("\n") + 1))
        row += edit.text.count("\n")
        length += len(edit.text)
        position = edit.end
    return "".join([*pieces, text[position:]]), tuple(sorted(old_rows)), tuple(sorted(new_rows))
