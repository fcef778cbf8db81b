"""The order of construction: where layers can be built so that one seed still builds the same weights."""

# Glossary
#
#   anchor    the statement of `__init__` behind which a group's `nn.Sequential` is built: the last of its layers'
#   inline    a layer whose constructor moves into the row; its statement goes
#   local     a layer that is built where it always was, into a local variable that the row names
#   draw      a statement that may take random numbers
#
#   self.fc2 = nn.Linear(8, 2)        fc2 = nn.Linear(8, 2)              fc2 is called after fc1 but built before it:
#   self.fc1 = nn.Linear(4, 8)   ──►  fc1 = nn.Linear(4, 8)              both become locals, so that the draws
#                                     self.layers = nn.Sequential(       stay fc2, fc1
#                                         fc1, nn.ReLU(), fc2)
#
# All layers inline is what a person would write. It is kept when the sequence of draws comes out unchanged and
# nothing in between reads what has moved; else the group's layers become locals, which never changes the sequence.

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from seqify.classes import ClassSource, Statement, is_super_init

__all__ = ["FlatOrder", "Placement", "order_flat", "place"]


@dataclass(frozen=True)
class Placement:
    """Where a group is built, and which of its layers are built before it as locals."""

    anchor: int
    locals: frozenset[str]


# Layers whose parameters start as constants. Those without parameters draw nothing either.
_CONSTANT = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
    nn.PReLU,
)


def _may_draw(statement: Statement, children: Mapping[str, nn.Module]) -> bool:
    """Whether a statement may take random numbers; only what surely takes none counts as such."""
    if is_super_init(statement.node):
        return False
    if not any(isinstance(part, ast.Call) for part in ast.walk(statement.node)):
        return False
    child = children.get(statement.attribute or "")
    if child is None or not type(child).__module__.startswith("torch.nn."):
        return True
    if not isinstance(getattr(statement.node, "value", None), ast.Call):
        return True
    return next(child.parameters(), None) is not None and not isinstance(child, _CONSTANT)


def place(
    cls: ClassSource,
    groups: Sequence[Sequence[str]],
    needs: Sequence[frozenset[str]],
    children: Mapping[str, nn.Module],
) -> list[Placement | str]:
    """
    Place each group of layers in the constructor.

    Args:
        cls: the class.
        groups: for each group, the attributes of its layers that move, in call order.
        needs: for each group, plain attributes that its new layers read.
        children: the live submodules, which tell what draws.

    Returns:
        For each group its placement, or in words why there is none.
    """
    placed: list[Placement | str] = [_place_one(cls, group, need) for group, need in zip(groups, needs, strict=True)]
    drawing = {statement.index for statement in cls.statements if _may_draw(statement, children)}
    before = sorted(drawing)
    for index, (group, placement) in enumerate(zip(groups, placed, strict=True)):
        if isinstance(placement, Placement) and _draws_after(cls, groups, placed, drawing) != before:
            trial: list[Placement | str] = list(placed)
            trial[index] = Placement(placement.anchor, frozenset(group))
            placed = trial
    return placed


def _statement(cls: ClassSource, attribute: str) -> Statement:
    return cls.storing(attribute)[0]


def _place_one(cls: ClassSource, group: Sequence[str], needs: frozenset[str]) -> Placement | str:
    statements = sorted((_statement(cls, name) for name in group), key=lambda item: item.index)
    anchor = statements[-1].index
    for need in needs:
        anchor = max([anchor, *(item.index for item in cls.storing(need))])
    first = statements[0].index
    if cls.happens("self", "", first, anchor):
        return "the constructor uses the module as a whole before all of these layers are built"
    if any(isinstance(part, ast.Return) for item in cls.statements[first:anchor] for part in ast.walk(item.node)):
        return "the constructor may return before all of these layers are built"
    members = set(group)
    for statement in cls.statements[first : anchor + 1]:
        if members & statement.reads and not _simple(statement):
            return f"`__init__` reads a layer inside a function (row {statement.node.lineno})"
    local = {item.attribute or "" for item in statements if _must_stay(cls, item, anchor)}
    return Placement(anchor, frozenset(local))


def _simple(statement: Statement) -> bool:
    """Whether names may be put into a statement without another scope catching them."""
    return not any(isinstance(part, ast.FunctionDef | ast.Lambda | ast.ClassDef) for part in ast.walk(statement.node))


def _must_stay(cls: ClassSource, statement: Statement, anchor: int) -> bool:
    """Whether something between a layer's statement and the anchor reads the layer or changes what its text means."""
    if cls.happens("read", statement.attribute or "", statement.index, anchor):
        return True
    if cls.meaning_changes(statement, statement.index, anchor):
        return True
    return any(isinstance(part, ast.NamedExpr) for part in ast.walk(statement.node))


def _draws_after(
    cls: ClassSource, groups: Sequence[Sequence[str]], placed: Sequence[Placement | str], drawing: set[int]
) -> list[int]:
    """The drawing statements in the order in which they would run."""
    inline: set[int] = set()
    at_anchor: dict[int, list[int]] = {}
    for group, placement in zip(groups, placed, strict=True):
        if isinstance(placement, Placement):
            moving = [_statement(cls, name).index for name in group if name not in placement.locals]
            inline |= set(moving)
            at_anchor.setdefault(placement.anchor, []).extend(moving)
    order = []
    for statement in cls.statements:
        if statement.index not in inline:
            order.append(statement.index)
        order += at_anchor.get(statement.index, [])
    return [index for index in order if index in drawing]


@dataclass(frozen=True)
class FlatOrder:
    """
    How a flat class gets its layers registered in call order.

    Statements of `moving` layers go to their place in call order; the others stay where they stand. With `anchor` set,
    all layers are locals instead, registered behind that statement.
    """

    moving: frozenset[str] = frozenset()
    anchor: int | None = None


def order_flat(
    cls: ClassSource, layers: Sequence[str | None], needs: Sequence[frozenset[str]], children: Mapping[str, nn.Module]
) -> FlatOrder | str:
    """
    Order the constructor of a flat class.

    Args:
        cls: the class.
        layers: in call order, the attribute of each existing layer and None for each new one.
        needs: for each of them, plain attributes that its arguments read.
        children: the live submodules.

    Returns:
        The order, or in words why there is none.
    """
    existing = [_statement(cls, name) for name in layers if name is not None]
    fixed = [item.index for item in existing if _may_draw(item, children)]
    if fixed == sorted(fixed):
        moving = _misplaced(existing, set(fixed))
        if all(_can_move(cls, item, existing) for item in moving):
            order = FlatOrder(frozenset(item.attribute or "" for item in moving))
            if _needs_met(cls, layers, needs, order):
                return order
    every = [need for group in needs for need in group]
    placement = _place_one(cls, [name for name in layers if name is not None], frozenset(every))
    return placement if isinstance(placement, str) else FlatOrder(anchor=placement.anchor)


def _misplaced(existing: Sequence[Statement], fixed: set[int]) -> list[Statement]:
    """The statements that stand out of order, the drawing ones being in order among themselves."""
    moving = []
    low = -1
    following = sorted(fixed)
    for item in existing:
        while following and following[0] <= low:
            following.pop(0)
        if item.index in fixed or (item.index > low and (not following or item.index < following[0])):
            low = item.index
        else:
            moving.append(item)
    return moving


def _can_move(cls: ClassSource, item: Statement, existing: Sequence[Statement]) -> bool:
    """Whether a layer's statement means the same anywhere among the other layers' statements."""
    low = min(other.index for other in existing) - 1
    high = max(other.index for other in existing)
    return not (
        cls.happens("self", "", low, high)
        or cls.happens("read", item.attribute or "", low, high)
        or cls.meaning_changes(item, low, high)
    )


def _needs_met(
    cls: ClassSource, layers: Sequence[str | None], needs: Sequence[frozenset[str]], order: FlatOrder
) -> bool:
    """Whether each plain attribute is assigned before the first new layer that reads it."""
    staying = [_statement(cls, name).index for name in layers if name is not None and name not in order.moving]
    place = staying[0] - 1 if staying else len(cls.statements)
    for name, need in zip(layers, needs, strict=True):
        if name is not None and name not in order.moving:
            place = _statement(cls, name).index
        if any(item.index > place for attribute in need for item in cls.storing(attribute)):
            return False
    return True
