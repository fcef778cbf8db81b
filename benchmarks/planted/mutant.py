"""What is planted: kinds of change, and the mutants that they make of a network."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .edit import Edit, applied
from .places import moved, places
from .source import Source

__all__ = ["EXPECTED", "KINDS", "Kind", "Mutant", "Network", "Plant", "kind", "networks"]

# different    a bug
# equivalent   a refactor that issues the same operations
# renamed      such a refactor, with other names of parameters: the same up to a map
# equal        other operations with the same bits in every case, forward and backward
EXPECTED = ("different", "equivalent", "renamed", "equal")
HERE = Path(__file__).parent / "networks"

Changes = Callable[[Source], Iterable[Sequence[Edit]]]


@dataclass(frozen=True)
class Network:
    """A file of `networks/`."""

    name: str
    path: Path

    @functools.cached_property
    def source(self) -> Source:
        return Source(self.path.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Mutant:
    """
    A network with one change.

    `old_rows` and `new_rows` are the change itself in either text. `old_calls` and `new_calls` are the rows where it
    shows, such as those that call what a changed constructor made, and `names` what it can be called by. `constructs`
    says that the change is in a constructor, so that the names are layers.
    """

    network: str
    kind: str
    number: int
    expected: str
    text: str
    old_rows: tuple[int, ...]
    new_rows: tuple[int, ...]
    names: tuple[str, ...]
    constructs: bool
    old_calls: tuple[int, ...]
    new_calls: tuple[int, ...]

    @property
    def title(self) -> str:
        return f"{self.network}, {self.kind} {self.number}"


@dataclass(frozen=True)
class Plant:
    """A mutant before anything is known of it but its text."""

    kind: Kind
    network: Network
    number: int
    text: str
    edits: tuple[Edit, ...]

    @functools.cached_property
    def new_rows(self) -> tuple[int, ...]:
        return applied(self.network.source.text, self.edits)[2]

    def mutant(self) -> Mutant:
        source = self.network.source
        _, old_rows, new_rows = applied(source.text, self.edits)
        names, calls = places(source, self.edits)
        return Mutant(
            network=self.network.name,
            kind=self.kind.name,
            number=self.number,
            expected=self.kind.expected,
            text=self.text,
            old_rows=old_rows,
            new_rows=new_rows,
            names=names,
            constructs=any(source.constructing(edit.start) for edit in self.edits),
            old_calls=calls,
            new_calls=moved(calls, source.text, self.edits),
        )


@dataclass(frozen=True)
class Kind:
    """
    A kind of change: from a network's source to the edits of each place where it applies.

    Attributes:
        raises: mutants that do not run are kept too, because raising is what the bug does.
    """

    name: str
    expected: str
    changes: Changes
    raises: bool

    def plants(self, network: Network) -> list[Plant]:
        """All that the kind does to a network, in an order that has nothing to do with that of the text."""
        source = network.source
        found: dict[str, tuple[Edit, ...]] = {}
        for change in self.changes(source):
            edits = tuple(change)
            text, _, _ = applied(source.text, edits)
            if text != source.text:
                found.setdefault(text, edits)
        numbered = [Plant(self, network, number, text, edits) for number, (text, edits) in enumerate(found.items())]
        return sorted(numbered, key=lambda plant: self._draw(network.name, plant.number))

    def _draw(self, network: str, number: int) -> bytes:
        return hashlib.sha256(f"{self.name}/{network}/{number}".encode()).digest()


KINDS: dict[str, Kind] = {}


def kind(name: str, expected: str = "different", *, raises: bool = False) -> Callable[[Changes], Changes]:
    """Enter a function from source to edits under the name of its kind.

    Raises:
        ValueError: the name is taken, or nothing can be expected like that.
    """
    if name in KINDS or expected not in EXPECTED:
        raise ValueError(f"kind {name!r}, expected {expected!r}")

    def enter(changes: Changes) -> Changes:
        KINDS[name] = Kind(name, expected, changes, raises)
        return changes

    return enter


@functools.cache
def networks() -> tuple[Network, ...]:
    return tuple(Network(path.stem, path) for path in sorted(HERE.glob("*.py")) if path.stem != "__init__")
