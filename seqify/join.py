"""Two recordings of one forward, and what they agree on."""

# A base and another recording, step by step:
#
#     conv1(x)                        conv1(x)                        the same
#     dropout(_, training=False)      dropout(_, training=True)       follows_training
#     view(_, 8, -1)                  view(_, x.size(0), -1)          the size, since it gives 8 at the base's sizes
#     view(_, 8, -1)                  view(_, 3, -1)                  varies: what rests on it is not converted
#     zeros(4, dtype=float32)         zeros(4, dtype=float64)         x.dtype, when the other one ran in float64
#     relu(_)                         gelu(_)                         the difference is the diagnosis
#
# Inside an opened submodule the last two keep it whole.

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import torch

from seqify.diagnostics import Diagnostic
from seqify.errors import Refusal
from seqify.flow import DtypeOf, Flow, Kept, Made, Ref, SizeOf, SizeOp, Step, leaves
from seqify.recorder import KeepWhole
from seqify.sizes import evaluate

__all__ = ["bent_scopes", "join"]

_WHAT = {
    "mode": "train and eval run different calls",
    "shape": "another batch size runs different calls",
    "extent": "another size runs different calls",
    "dtype": "another dtype runs different calls",
    "values": "other values run different calls",
}


def join(base: Flow, other: Flow, axis: str) -> Flow:
    """
    The base recording, its steps marked where the other one's plain arguments differ.

    Args:
        base: the recording to keep.
        other: one of the same module in the other mode, or at another size.
        axis: in what they differ: "mode", "shape" (the batch size), "extent" (any other size), "dtype" or
            "values".

    Raises:
        Refusal: SQ103 or SQ102, when the target's own calls differ.
        KeepWhole: when an opened submodule's do.
    """
    steps = []
    for left, right in zip(base.steps, other.steps, strict=False):
        if _call(left) != _call(right):
            raise _differs(left, right, base, other, axis)
        if list(left.values()) != list(right.values()):
            raise _differs(left, right, base, other, axis)
        step = _mark(left, right, base, other, axis)
        if step.scope and step.varies not in (None, left.varies) and axis != "extent":
            raise KeepWhole(Kept(step.scope, f"an argument changes with the {axis}", step.site))
        steps.append(step)
    if len(base.steps) != len(other.steps):
        longer = max(base.steps, other.steps, key=len)
        raise _differs(longer[len(steps)], None, base, other, axis)
    if list(leaves(base.output)) != list(leaves(other.output)):
        raise _differs(base.steps[-1] if base.steps else None, None, base, other, axis)
    outputs = _Merger(base, other, axis)
    output = outputs.merge(base.output, other.output)
    return dataclasses.replace(
        base,
        steps=tuple(steps),
        output=output,
        # what train alone decides holds for this size as well
        guards=(*base.guards, *(guard for guard in other.guards if axis == "mode" and guard not in base.guards)),
        odd=(*base.odd, axis) if outputs.differing else base.odd,
        written=tuple(sorted({*base.written, *other.written})),
        rebound=tuple(sorted({*base.rebound, *other.rebound})),
        ragged=base.ragged or other.ragged,
        moving=base.moving | {size for size, value in base.sizes.items() if other.sizes.get(size, value) != value},
    )


def _call(step: Step) -> tuple[Any, ...]:
    return step.kind, step.target, step.scope, step.ambient


def _mark(left: Step, right: Step, base: Flow, other: Flow, axis: str) -> Step:
    merger = _Merger(base, other, axis)
    args, kwargs = merger.merge(left.args, right.args), merger.merge(left.kwargs, right.kwargs)
    if merger.adopted:
        left = dataclasses.replace(left, args=args, kwargs=kwargs)
    if right.mutates and not left.mutates:  # dropout in place mutates in train alone
        left = dataclasses.replace(left, mutates=True)
    if not merger.differing:
        return left
    left_, right_ = merger.differing[0]
    if axis == "mode" and len(merger.differing) == 1 and left_ is False and right_ is True:
        return dataclasses.replace(left, follows_training=True)
    return dataclasses.replace(left, varies=axis)


class _Merger:
    """The arguments of a step, seen twice: what is the same, and what one of the two knew better."""

    def __init__(self, base: Flow, other: Flow, axis: str) -> None:
        self.base, self.other, self.axis = base, other, axis
        self.adopted = False
        self.differing: list[tuple[Any, Any]] = []

    def merge(self, left: Any, right: Any) -> Any:
        if isinstance(left, tuple | list) and isinstance(right, tuple | list) and len(left) == len(right):
            items = [self.merge(*pair) for pair in zip(left, right, strict=True)]
            if hasattr(left, "_fields"):
                return type(left)(*items)
            return tuple(items) if isinstance(left, tuple) else items
        if isinstance(left, Mapping) and isinstance(right, Mapping) and left.keys() == right.keys():
            return {key: self.merge(left[key], right[key]) for key in left}
        if isinstance(left, Made) and isinstance(right, Made) and left.kind is right.kind:
            return Made(left.kind, self.merge(left.parts, right.parts))
        if isinstance(left, slice) and isinstance(right, slice):
            return slice(*map(self.merge, (left.start, left.stop, left.step), (right.start, right.stop, right.step)))
        if isinstance(left, SizeOf | SizeOp):
            if _number(left, self.other) == _number(right, self.other):
                return left
        elif isinstance(right, SizeOf | SizeOp):
            if _number(right, self.base) == left:
                self.adopted = True
                return right
        elif isinstance(left, DtypeOf) or (type(left) is type(right) and _same(left, right)):
            return left
        elif self.axis == "dtype" and (found := self._dtype(left, right)) is not None:
            self.adopted = True
            return found
        self.differing.append((left, right))
        return left

    def _dtype(self, left: Any, right: Any) -> DtypeOf | None:
        """What a constant is, that changed together with the model's dtype."""
        owner = self.base.typed
        if owner is None or self.base.dtype is None or self.other.dtype is None:
            return None
        if (left, right) == (self.base.dtype, self.other.dtype):
            return DtypeOf(owner)
        limits = torch.finfo(self.base.dtype), torch.finfo(self.other.dtype)
        for name in ("min", "max", "eps", "tiny"):
            if (left, right) == tuple(getattr(limit, name) for limit in limits):
                return DtypeOf(owner, name)
        return None


def _number(value: Any, flow: Flow) -> Any:
    """What a size comes to in a recording; itself when it is not a size."""
    try:
        return evaluate(value, flow.sizes.__getitem__)
    except (KeyError, ZeroDivisionError):
        return value


_SIMPLE = (bool, int, float, str, type(None), tuple)


def _same(left: Any, right: Any) -> bool:
    if left is right:
        return True
    if isinstance(left, float) and left != left:
        return bool(right != right)
    compare: Any = type(left).__eq__
    if compare is object.__eq__ and type(left).__module__ != "torch":
        # two copies of the model hold two copies of such an object
        mine, theirs = getattr(left, "__dict__", {}), getattr(right, "__dict__", {})
        if callable(left):
            return getattr(left, "__code__", None) == getattr(right, "__code__", None)
        return mine.keys() == theirs.keys() and all(
            type(mine[key]) is type(theirs[key]) and (not isinstance(mine[key], _SIMPLE) or mine[key] == theirs[key])
            for key in mine
        )
    try:
        return bool(left == right)
    except (RuntimeError, ValueError, TypeError):  # an array, which is not one answer
        return False


def _around(step: Step | None, flow: Flow) -> list[str]:
    """The opened submodules around a step, outermost first."""
    scope = step.scope if step is not None else ""
    return sorted((path for path in flow.opened if f"{scope}.".startswith(f"{path}.")), key=len)


def _odd_one(left: Step | None, right: Step | None, base: Flow, other: Flow) -> str:
    """
    The submodule to keep whole where two recordings part: the innermost one that only one of them stands in, else the
    innermost one that both stand in.
    """
    mine, theirs = _around(left, base), _around(right, other)
    alone = [path for path in theirs if path not in mine] or [path for path in mine if path not in theirs]
    return alone[-1] if alone else mine[-1] if mine else ""


def _differs(left: Step | None, right: Step | None, base: Flow, other: Flow, axis: str) -> Refusal | KeepWhole:
    site = next((step.site for step in (left, right) if step is not None and step.site is not None), None)
    scope = _odd_one(left, right, base, other)
    if scope:
        return KeepWhole(Kept(scope, _WHAT[axis], site))
    notes = tuple(
        f"{name} calls `{step.target}` at {step.site.location() if step.site else 'an unknown place'}"
        for name, step in (("the one", left), ("the other", right))
        if step is not None
    )
    place = site.location() if site else None
    code = {"mode": "SQ103", "values": "SQ101"}.get(axis, "SQ102")
    return Refusal(Diagnostic(code, _WHAT[axis], place, notes=notes))


def bent_scopes(flow: Flow) -> list[str]:
    """
    The innermost opened submodules that are no straight line.

    In a straight line each call takes the value of the one before and nothing else, and the last one's value, alone, is
    what the submodule gives. Whether what stands around a bent one is straight shows when that one is kept whole.
    """
    users = flow.users()
    bent: list[str] = []
    for path in flow.opened:
        inside = [step for step in flow.steps if step.scope == path or step.scope.startswith(f"{path}.")]
        line = all(
            list(step.values()) == [Ref(before.index)] and users[before.index] == [step.index]
            for before, step in itertools.pairwise(inside)
        )
        ends = bool(inside) and len(list(inside[0].values())) == 1 and flow.results.get(path) == Ref(inside[-1].index)
        if not (line and ends):
            bent.append(path)
    return [path for path in bent if not any(other.startswith(f"{path}.") for other in bent)]
