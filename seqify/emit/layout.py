"""The lines of an expression."""

# A value becomes a small tree of text, which is laid out when its place is known:
#
#     Node("nn.Sequential(", items, ")")     a head, what stands between the brackets, and a tail
#     ├─ Node("nn.Linear(", ..., ")")
#     └─ Node("nn.ReLU()")                   an atom is a head alone
#
# It stays on one line while that has room. Else each item gets a line of its own and a comma, which is what a formatter
# leaves as it is.

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

__all__ = ["WIDTH", "Node", "call", "join", "quoted"]

WIDTH = 110


@dataclass(frozen=True)
class Node:
    """
    The text of an expression, before its lines are known.

    `rows` asks for one item a line however short they are; `separator` is a comma, or nothing inside a comprehension;
    `lone` is what follows the only item of a tuple.
    """

    head: str
    items: tuple[Node, ...] = ()
    tail: str = ""
    rows: bool = False
    separator: str = ","
    lone: str = ""

    @property
    def flat(self) -> str:
        """The expression in one line."""
        return self.head + f"{self.separator} ".join(item.flat for item in self.items) + self.lone + self.tail

    @property
    def opened(self) -> bool:
        return self.rows or any(item.opened for item in self.items)

    def after(self, prefix: str) -> Node:
        return replace(self, head=prefix + self.head)

    def before(self, suffix: str) -> Node:
        return replace(self, tail=self.tail + suffix)

    def lay_out(self, indent: int, lead: int = 0, trail: int = 0) -> str:
        """The expression over as many lines as it needs, on a line with `lead` and `trail` columns around it."""
        if not self.items or (not self.opened and indent + lead + len(self.flat) + trail <= WIDTH):
            return self.flat
        inner = indent + 4
        comma = "" if len(self.items) == 1 and not self.lone else self.separator
        lines = [f"{' ' * inner}{item.lay_out(inner, trail=len(comma))}{comma}\n" for item in self.items]
        return f"{self.head}\n{''.join(lines)}{' ' * indent}{self.tail}"


def call(function: str, args: Iterable[Node] = (), kwargs: Mapping[str, Node] | None = None) -> Node:
    """`function(args, name=kwargs)`; what cannot be written as a keyword goes into a `**{...}`."""
    named = dict(kwargs or {})
    odd = {name: named.pop(name) for name in list(named) if not name.isidentifier() or keyword.iskeyword(name)}
    items = [*args, *(node.after(f"{name}=") for name, node in named.items())]
    if odd:
        items.append(Node("**{", tuple(node.after(f"{quoted(name)}: ") for name, node in odd.items()), "}"))
    return Node(f"{function}(", tuple(items), ")")


def quoted(text: str) -> str:
    """A string in double quotes, where that takes no more backslashes."""
    plain = repr(text)
    return f'"{plain[1:-1]}"' if plain[0] == "'" and '"' not in text else plain


def join(path: str, name: str) -> str:
    """The dotted path of a part."""
    return f"{path}.{name}" if path else name
