"""The straight lines of a forward: runs of calls, each of which alone takes what the one before it gave."""

# Glossary
#
#   layer    a step that a row of an `nn.Sequential` can do
#   break    a step that none can, with the reason
#   link     from one layer to the next: the value has no other user, neither in the dataflow nor in the source
#   gap      a statement between two linked layers that only reads sizes (`b = x.size(0)`); it goes when unneeded
#
#   x ─► conv ─► relu ─┬─► conv ─► relu ─► add ─► relu          steps
#                      └──────────────────► ┘
#   └── chain ───────┘     └── chain ──┘   break  └ too short
#
# A rewrite never reorders: a chain's steps are neighbours in the recording and its statements neighbours in the file.
# So an in-place call changes the same memory at the same moment as before, whoever else holds it.

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from seqify.classes import ClassSource
from seqify.flow import Flow, Ref
from seqify.forwardtext import ForwardText
from seqify.ops import Break, Layer, Words
from seqify.sorter import Sorter

__all__ = ["Chain", "Chains", "find_chains", "find_gaps", "make_chain", "unbroken"]


@dataclass(frozen=True)
class Chain:
    """Layers in a row. `statements` are the indexes in forward's body that they span; all but the last will go."""

    layers: tuple[Layer, ...]
    statements: tuple[int, ...]

    @property
    def has_module(self) -> bool:
        return any(layer.attribute is not None for layer in self.layers)


@dataclass(frozen=True)
class Chains:
    """All chains of a forward, and what broke them."""

    chains: tuple[Chain, ...]
    breaks: tuple[Break, ...]


def find_chains(flow: Flow, cls: ClassSource, words: Words, module: nn.Module) -> Chains:
    """
    The chains of a forward, each as long as it can be.

    Args:
        flow: what forward did.
        cls: its source; a chain also ends where the source could not say the same.
        words: what arguments may refer to.
        module: the live module, for its children.
    """
    sorter = Sorter(flow, cls, words, module)
    sorted_ = [sorter.sort(step) for step in flow.steps]
    users = flow.users()
    reader = ForwardText(cls)
    lines: list[list[Layer]] = []
    breaks = [item for item in sorted_ if isinstance(item, Break)]
    for step, item in zip(flow.steps, sorted_, strict=True):
        if isinstance(item, Break):
            continue
        before = lines[-1][-1] if lines else None
        if before is not None and before.step == step.index - 1:
            cut = _cut(flow, users, before, item, reader)
            if cut is None:
                lines[-1].append(item)
                continue
            if isinstance(cut, Break):
                breaks.append(cut)
        lines.append([item])
    lines = [_keep_regrouping(line, sorter.children) for line in lines]
    chains = [chain for line in lines for chain in _close(line, reader)]
    return Chains(tuple(chains), tuple(sorted(breaks, key=lambda item: item.step)))


def find_gaps(cls: ClassSource, chains: Sequence[Chain]) -> tuple[int, ...]:
    """The size statements of forward that nothing needs once these chains, and no others, are converted."""
    reader = ForwardText(cls)
    lines = [chain.layers for chain in chains]
    return tuple(index for index in reader.size_statements if reader.needed_only_in(index, lines))


def unbroken(cls: ClassSource, chains: Sequence[Chain]) -> list[Chain]:
    """The chains that can be converted together: a size statement between two layers has to go with them."""
    left = list(chains)
    while True:
        gaps = set(find_gaps(cls, left))
        whole = [
            chain
            for chain in left
            if gaps.issuperset(set(range(chain.statements[0], chain.statements[-1])) - set(chain.statements))
        ]
        if len(whole) == len(left):
            return left
        left = whole


def make_chain(cls: ClassSource, layers: Sequence[Layer]) -> Chain | None:
    """
    A chain of linked layers; None when none is left.

    A bare in-place call (`F.relu_(x)`) cannot be the last: no variable receives its value.
    """
    line = list(layers)
    while line:
        index = cls.statement_of(line[-1].node)
        node = cls.forward_body[index] if index is not None else None
        if not (isinstance(node, ast.Expr) and node.value is line[-1].node):
            break
        line.pop()
    statements = sorted({index for layer in line if (index := cls.statement_of(layer.node)) is not None})
    return Chain(tuple(line), tuple(statements)) if line else None


def _keep_regrouping(line: list[Layer], children: dict[str, nn.Module]) -> list[Layer]:
    """
    Leave `x.view(-1, n)` what it is unless a Linear of n features follows.

    Flatten gives other numbers where the view would regroup the batch. In front of such a Linear it raises instead;
    with nothing there to raise, the result would differ in silence.
    """
    found = []
    for index, layer in enumerate(line):
        if layer.literal is not None:
            following = next((item for item in line[index + 1 :] if not _is_elementwise(item, children)), None)
            child = children.get(following.attribute or "") if following is not None else None
            if not (isinstance(child, nn.Linear) and child.in_features == layer.regroups):
                layer = layer.literal
        found.append(layer)
    return found


def _is_elementwise(layer: Layer, children: dict[str, nn.Module]) -> bool:
    """Whether a layer leaves the shape alone, whatever it is: an activation or a dropout."""
    kind = type(children[layer.attribute]).__module__ if layer.attribute is not None else ""
    if kind:
        return kind in ("torch.nn.modules.activation", "torch.nn.modules.dropout")
    name = layer.callee.removeprefix("nn.")
    return getattr(nn, name, nn.Module).__module__ in ("torch.nn.modules.activation", "torch.nn.modules.dropout")


def _cut(
    flow: Flow, users: dict[int, list[int]], left: Layer, right: Layer, reader: ForwardText
) -> Break | bool | None:
    """None where two neighbouring layers are linked, else the reason; True where there is nothing to tell."""
    a, b = flow.steps[left.step], flow.steps[right.step]
    if list(b.values()) != [Ref(a.index)]:
        return True
    if users[a.index] != [b.index]:
        return Break(a.index, "SQ201", f"the value of `{reader.text(left)}` is used {len(users[a.index])} times")
    if a.ambient != b.ambient:
        return Break(b.index, "SQ409", "autocast or gradient mode changes here")
    if not reader.linked(left, right):
        return Break(b.index, "SQ409", "a statement between two layers stays in forward")
    return None


def _close(line: list[Layer], reader: ForwardText) -> list[Chain]:
    """
    Make chains of a line of linked layers.

    The line is cut where a size statement lies between two layers and somebody else needs it.
    """
    cls = reader.cls
    for position in range(1, len(line)):
        first, last = cls.statement_of(line[position - 1].node), cls.statement_of(line[position].node)
        assert first is not None and last is not None
        if any(not reader.needed_only_in(index, [line]) for index in range(first + 1, last)):
            return _close(line[:position], reader) + _close(line[position:], reader)
    chain = make_chain(cls, line)
    return [chain] if chain is not None else []
