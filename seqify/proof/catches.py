"""Where user code catches what a call raises."""

#   try:
#       root = torch.linalg.cholesky(gram)            raises for some values, and is recorded for the others
#   except RuntimeError:
#       root = torch.linalg.cholesky(gram + jitter)   is never seen
#
# So a record of the first says nothing of values for which it raises.

from __future__ import annotations

import dis
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FrameType

__all__ = ["RAISING", "is_caught"]

# Operators that raise for some values.
RAISING = frozenset(
    [
        *("_linalg_check_errors", "embedding", "_embedding_bag", "embedding_bag", "index", "index_put", "index_put_"),
        *("_index_put_impl_", "gather", "scatter", "scatter_", "scatter_add", "scatter_add_", "index_select"),
        *("index_add", "index_add_", "index_copy", "index_copy_", "index_fill", "take", "put", "masked_scatter"),
        *("nll_loss_forward", "nll_loss2d_forward", "binary_cross_entropy", "_ctc_loss", "multinomial", "bernoulli"),
        *("normal", "poisson", "bincount", "histc", "repeat_interleave", "bernoulli_"),
    ]
)


def is_caught(frame: FrameType | None, hidden: tuple[str, ...], until: str) -> bool:
    """
    Whether an error would be caught in a frame, or in one that called it.

    Args:
        frame: where it would be raised.
        hidden: frames of files that start so do not count.
        until: the file that calls forward.
    """
    while frame is not None and frame.f_code.co_filename != until:
        if not frame.f_code.co_filename.startswith(hidden):
            if any(start <= frame.f_lasti < end for start, end in _guarded(frame.f_code)):
                return True
        frame = frame.f_back
    return False


@lru_cache(maxsize=1000)
def _guarded(code: CodeType) -> tuple[tuple[int, int], ...]:
    """The ranges of bytecode that an `except` stands behind; `with` and `finally` let an error pass."""
    instructions = list(dis.get_instructions(code))
    places = {item.offset: index for index, item in enumerate(instructions)}
    found = []
    for start, end, target in _entries(code.co_exceptiontable):
        if target in places:
            handler = [item.opname for item in instructions[places[target] :]]
            first = handler[: handler.index("RERAISE")] if "RERAISE" in handler else handler
            passes = "WITH_EXCEPT_START" in first and "suppress" not in code.co_names
            if handler[0] == "PUSH_EXC_INFO" and not passes:
                if "CHECK_EXC_MATCH" in first or handler[1:2] == ["POP_TOP"] or "WITH_EXCEPT_START" in first:
                    found.append((start, end))
    return tuple(found)


def _entries(table: bytes) -> Iterator[tuple[int, int, int]]:
    """Start, end and target of each entry of an exception table, as CPython's notes on it describe the format."""
    numbers = iter(table)

    def number() -> int:
        part = next(numbers)
        value = part & 63
        while part & 64:
            part = next(numbers)
            value = value << 6 | part & 63
        return value

    try:
        while True:
            start, length, target, _ = (number() * 2 for _ in range(4))
            yield start, start + length, target
    except (StopIteration, RuntimeError):
        return
