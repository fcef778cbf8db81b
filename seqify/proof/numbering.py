"""Value numbers: what each call of a record computes, as a digest that does not depend on names or order."""

#   leaf   H(kind, canonical names)                 call   H(op, arguments, what they hold, the generator)
#   storage after a call   H(call, which output), or H(call, which argument, what it held) where it was written
#
# Two calls with the same number compute the same bits from the same leaves: the number covers the operator, every plain
# argument, the geometry of every operand and, through what the operands hold, all that went before. Calls that draw
# random numbers are chained through the generator's number, so their order counts; others may come in any order.

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seqify.proof.record import Operand, Record, operands
from seqify.proof.spelling import spell

__all__ = ["Numbered", "number"]


@dataclass(frozen=True)
class Numbered:
    """
    A record with its value numbers.

    Attributes:
        record: what was numbered.
        calls: the number of each call.
        results: of each result, by part and name; "" for an absent gradient.
        aliases: which results share a storage, and with which leaf.
        generator: of the random generator at the end.
        live: the calls that a result follows from, or that draw.
    """

    record: Record
    calls: tuple[str, ...]
    results: dict[str, dict[str, str]]
    aliases: dict[str, str]
    generator: str
    live: frozenset[int]


def number(record: Record, canonical: Callable[[str], str] = lambda name: name) -> Numbered:
    """
    Number the values of a record.

    Args:
        record: the run of a module.
        canonical: the name in the old module of a parameter or buffer.
    """
    content: dict[int, str] = {}
    origin: dict[int, str] = {}
    for storage, leaf in record.leaves.items():
        names = sorted(map(canonical, leaf.names)) if leaf.kind == "state" else list(leaf.names)
        content[storage] = _digest((leaf.kind, names))
        origin[storage] = f"{leaf.kind} {' '.join(names)}"
    generator = _digest("generator")
    writers: dict[int, list[int]] = {}
    needs: list[set[int]] = []
    calls = []

    def value(item: Any) -> Any:
        if isinstance(item, Operand):
            return (
                content.get(item.storage, "unknown"), item.dtype, item.size, item.stride, item.offset, item.flags
            )  # fmt: skip
        return tuple(map(value, item)) if isinstance(item, tuple) else item

    last_draw: list[int] = []
    for index, call in enumerate(record.calls):
        found = _digest((call.op, value(spell(call.op, call.arguments)), generator if call.draws else ""))
        calls.append(found)
        needs.append({before for item in operands(call.arguments) for before in writers.get(item.storage, ())})
        touched = dict.fromkeys(item.storage for item in operands(call.outputs))
        for place, storage in enumerate(storage for storage in touched if storage not in content):
            content[storage] = _digest((found, "output", place))
            writers[storage] = [index]
        for place, storage in enumerate(call.writes):
            content[storage] = _digest((found, "write", place, content.get(storage, "unknown")))
            writers.setdefault(storage, []).append(index)
        if call.draws:
            generator = _digest((found, "generator"))
            needs[-1] |= set(last_draw)
            last_draw = [index]
    results = {
        part: {
            (canonical(name) if part in ("gradients", "buffers", "parameters") else name): ""
            if item is None
            else _digest(value(item))
            for name, item in found.items()
        }
        for part, found in record.results.items()
    }
    live: set[int] = set()
    ends = [item for found in record.results.values() for item in found.values() if item is not None]
    todo = [*last_draw, *(index for item in ends for index in writers.get(item.storage, ()))]
    while todo:
        index = todo.pop()
        if index not in live:
            live.add(index)
            todo += needs[index]
    return Numbered(record, tuple(calls), results, _aliases(record, origin), generator, frozenset(live))


def _aliases(record: Record, origin: dict[int, str]) -> dict[str, str]:
    """For each output, the leaf or the first output whose storage it shares."""
    first = dict(origin)
    found = {}
    for name, item in record.results.get("forward", {}).items():
        if item is not None:
            found[name] = first.setdefault(item.storage, name)
    return found


def _digest(value: Any) -> str:
    return hashlib.blake2b(repr(value).encode(), digest_size=12).hexdigest()
