"""A unified diff between two texts, in time that grows with their length alone."""

# Patience diff (Bram Cohen): lines that occur once on each side and in the same order on both are matched first,
# which keeps a method with its own name; between two such lines the standard library's matcher does the rest. Long
# stretches without any are replaced whole, because that matcher takes quadratic time.

from __future__ import annotations

import bisect
import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["unified_diff"]

_LONG = 400


def unified_diff(old: str, new: str, filename: str) -> str:
    """The diff that turns `old` into `new`, as `git diff` prints it; empty when they are equal."""
    if old == new:
        return ""
    a, b = _rows(old), _rows(new)
    # the standard matcher, given its matches, does the grouping
    matcher: Any = difflib.SequenceMatcher(None, [], [])
    matcher.a, matcher.b = a, b
    blocks = list(_join(_match(a, b, 0, len(a), 0, len(b))))
    matcher.matching_blocks = [difflib.Match(*block) for block in [*blocks, (len(a), len(b), 0)]]
    pieces = [f"--- a/{filename}\n+++ b/{filename}\n"]
    for group in matcher.get_grouped_opcodes(3):
        first, last = group[0], group[-1]
        pieces.append(f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n")
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                pieces += [_line(" ", text) for text in a[i1:i2]]
            else:
                pieces += [_line("-", text) for text in a[i1:i2]]
                pieces += [_line("+", text) for text in b[j1:j2]]
    return "".join(pieces)


def _rows(text: str) -> list[str]:
    """The rows of a text, each with its newline; a form feed or a Unicode separator ends none."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _line(sign: str, text: str) -> str:
    return sign + text if text.endswith("\n") else f"{sign}{text}\n\\ No newline at end of file\n"


def _range(start: int, stop: int) -> str:
    length = stop - start
    return str(start + 1) if length == 1 else f"{start + 1 if length else start},{length}"


def _join(blocks: Iterator[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Adjacent matches as one."""
    i = j = size = 0
    for next_i, next_j, next_size in blocks:
        if (i + size, j + size) == (next_i, next_j):
            size += next_size
        else:
            if size:
                yield i, j, size
            i, j, size = next_i, next_j, next_size
    if size:
        yield i, j, size


def _match(a: Sequence[str], b: Sequence[str], a1: int, a2: int, b1: int, b2: int) -> Iterator[tuple[int, int, int]]:
    """Matching runs of lines between `a[a1:a2]` and `b[b1:b2]`, as (start in a, start in b, length)."""
    while a1 < a2 and b1 < b2 and a[a1] == b[b1]:
        yield a1, b1, 1
        a1, b1 = a1 + 1, b1 + 1
    tail = 0
    while a1 < a2 - tail and b1 < b2 - tail and a[a2 - tail - 1] == b[b2 - tail - 1]:
        tail += 1
    a2, b2 = a2 - tail, b2 - tail
    anchors = _unique_in_order(a, b, a1, a2, b1, b2) if a1 < a2 and b1 < b2 else []
    if anchors:
        for i, j in [*anchors, (a2, b2)]:
            yield from _match(a, b, a1, i, b1, j)
            if i < a2:
                yield i, j, 1
            a1, b1 = i + 1, j + 1
    elif a2 - a1 <= _LONG and b2 - b1 <= _LONG:
        for block in difflib.SequenceMatcher(None, a[a1:a2], b[b1:b2], autojunk=False).get_matching_blocks():
            if block.size:
                yield a1 + block.a, b1 + block.b, block.size
    if tail:
        yield a2, b2, tail


def _unique_in_order(a: Sequence[str], b: Sequence[str], a1: int, a2: int, b1: int, b2: int) -> list[tuple[int, int]]:
    """Pairs of lines that occur once on each side: the longest sequence of them that rises on both."""
    counts_a, counts_b = Counter(a[a1:a2]), Counter(b[b1:b2])
    place = {line: j for j, line in enumerate(b[b1:b2], b1) if counts_b[line] == 1}
    pairs = [(i, place[line]) for i, line in enumerate(a[a1:a2], a1) if counts_a[line] == 1 and line in place]
    tops: list[int] = []  # the least last j of a rising sequence, by length
    ends: list[int] = []
    before = [-1] * len(pairs)
    for index, (_, j) in enumerate(pairs):
        length = bisect.bisect_left(tops, j)
        before[index] = ends[length - 1] if length else -1
        if length == len(tops):
            tops.append(j)
            ends.append(index)
        else:
            tops[length], ends[length] = j, index
    found = []
    index = ends[-1] if ends else -1
    while index >= 0:
        found.append(pairs[index])
        index = before[index]
    return found[::-1]
