"""Sizes that remember where they were read."""

# While forward is recorded, `x.size(0)` and `x.shape[0]` give a TracedInt: a plain number to `range`, indexing and
# torch, and to the recorder the expression that made it. Arithmetic keeps the expression, through fractions too; what
# leaves it is reported as a guard, since whatever rests on it holds for this size alone:
#
#   x.shape[2] // 2 + 1      TracedInt    SizeOp("add", (SizeOp("floordiv", (SizeOf(x, 2), 2)), 1))
#   math.ceil(h / 16)        TracedInt    SizeOp("ceil", (SizeOp("truediv", (h, 16)),))
#   h == 7, if h:, int(h)    plain        guard
#   range(h), 0.5 * h        plain        no guard: Python asks a subclass of int nothing here; another size shows it

from __future__ import annotations

import math
import operator
import random
from collections.abc import Callable
from typing import Any

from seqify.flow import AttrRef, InputRef, Loose, Ref, SizeOf, SizeOp

__all__ = [
    "OPERATIONS",
    "GuardHook",
    "TracedFloat",
    "TracedInt",
    "equal_at_random",
    "evaluate",
    "plain_value",
    "size_product",
]

GuardHook = Callable[[str, Any, SizeOp], None]

# What a SizeOp may do, by its name.
OPERATIONS: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(operator, name)
        for name in ("add", "sub", "mul", "floordiv", "mod", "truediv", "pow", "neg", "abs")
    },
    **{name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    "ceil": math.ceil,
    "floor": math.floor,
    "trunc": math.trunc,
    "round": round,
    "pos": operator.pos,
}


class _Traced:
    """What traced ints and floats share: the expression, and whom to tell when it is left."""

    expression: SizeOf | SizeOp
    hook: GuardHook | None

    def _tell(self, condition: str, value: Any, op: str, other: Any) -> None:
        """Report that `self op other` holds."""
        if self.hook is not None:
            self.hook(condition, value, SizeOp(op, (self.expression, getattr(other, "expression", other))))


class TracedInt(_Traced, int):
    """
    An int with the size expression behind it.

    `hook` is called when the number is compared or made plain: with the condition's text, its outcome, and a test on
    sizes that is true wherever the outcome is the same.
    """

    def __new__(cls, value: int, expression: SizeOf | SizeOp, hook: GuardHook | None = None) -> TracedInt:
        made = super().__new__(cls, value)
        made.expression, made.hook = expression, hook
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return (int, (int.__int__(self),))

    def __bool__(self) -> bool:
        value = int.__bool__(self)
        self._tell(f"{int.__repr__(self)} != 0", value, "ne" if value else "eq", 0)
        return value

    def __hash__(self) -> int:
        return int.__hash__(self)

    def __int__(self) -> int:
        value = int.__int__(self)
        self._tell(f"int({value})", value, "eq", value)
        return value

    def __float__(self) -> float:
        value = int.__float__(self)
        self._tell(f"float({int.__repr__(self)})", value, "eq", int.__int__(self))
        return value


class TracedFloat(_Traced, float):
    """A float with the size expression behind it, as `h / 2`; `hook` as for TracedInt."""

    def __new__(cls, value: float, expression: SizeOf | SizeOp, hook: GuardHook | None = None) -> TracedFloat:
        made = super().__new__(cls, value)
        made.expression, made.hook = expression, hook
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return (float, (float.__float__(self),))

    def __bool__(self) -> bool:
        value = float.__bool__(self)
        self._tell(f"{float.__repr__(self)} != 0", value, "ne" if value else "eq", 0)
        return value

    def __hash__(self) -> int:
        return float.__hash__(self)

    def __int__(self) -> int:
        value = float.__int__(self)
        self._tell(f"int({float.__repr__(self)})", value, "eq", float.__float__(self))
        return value

    def __float__(self) -> float:
        value = float.__float__(self)
        self._tell(f"float({value})", value, "eq", value)
        return value


def _wrap(value: Any, expression: SizeOp, hook: GuardHook | None) -> Any:
    if type(value) is int:
        return TracedInt(value, expression, hook)
    return TracedFloat(value, expression, hook) if type(value) is float else value


def _arithmetic(kind: type, base: type, name: str) -> None:
    plain = getattr(base, name)
    reflected = name.startswith("__r") and name not in ("__rshift__", "__round__")
    op = name.strip("_").removeprefix("r") if reflected else name.strip("_")

    def method(self: Any, *others: Any) -> Any:
        if len(others) > 1 and op == "pow":
            return pow(base(self), *others)
        value = plain(self, *others)
        # an int leaves a float to the float's own reflected method, which knows the expression as well
        if value is NotImplemented and others and isinstance(others[0], float) and base is int:
            value = getattr(float, name)(int.__float__(self), others[0])
        mine = self.expression
        theirs = tuple(getattr(other, "expression", other) for other in others)
        return _wrap(value, SizeOp(op, (*theirs, mine) if reflected else (mine, *theirs)), self.hook)

    setattr(kind, name, method)


_OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}


def _comparison(kind: type, base: type, name: str, sign: str) -> None:
    plain, op = getattr(base, name), name.strip("_")

    def method(self: Any, other: Any) -> Any:
        value = plain(self, other)
        if isinstance(value, bool):
            self._tell(f"{self!s} {sign} {other!s}", value, op if value else _OPPOSITE[op], other)
        return value

    setattr(kind, name, method)


def plain_value(number: Any) -> Any:
    """A traced number as Python's own, without a report."""
    return int.__pos__(number) if isinstance(number, int) else float.__pos__(number)


def _plain(kind: type, base: type, name: str) -> None:
    plain = getattr(base, name)

    def method(self: Any, *others: Any) -> Any:
        value = plain(self, *others)
        if value is not NotImplemented:
            self._tell(f"{name.strip('_')}({self!s})", value, "eq", plain_value(self))
        return value

    setattr(kind, name, method)


for _name in ("lshift", "rshift", "and", "or", "xor"):
    _plain(TracedInt, int, f"__{_name}__")
    _plain(TracedInt, int, f"__r{_name}__")
for _name in ("__divmod__", "__rdivmod__", "__invert__", "bit_length", "bit_count", "to_bytes"):
    _plain(TracedInt, int, _name)
for _name in ("__divmod__", "__rdivmod__", "is_integer", "hex", "as_integer_ratio"):
    _plain(TracedFloat, float, _name)
for _kind, _base in ((TracedInt, int), (TracedFloat, float)):
    for _name in ("add", "sub", "mul", "floordiv", "mod", "truediv", "pow"):
        _arithmetic(_kind, _base, f"__{_name}__")
        _arithmetic(_kind, _base, f"__r{_name}__")
    for _name in ("neg", "pos", "abs", "ceil", "floor", "trunc", "round"):
        _arithmetic(_kind, _base, f"__{_name}__")
    for _name, _sign in (("eq", "=="), ("ne", "!="), ("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">=")):
        _comparison(_kind, _base, f"__{_name}__", _sign)


def evaluate(expression: Any, size_of: Callable[[SizeOf], int]) -> Any:
    """The number that a size expression comes to, given the sizes in it; anything else is returned as it is."""
    if isinstance(expression, SizeOf):
        return size_of(expression)
    if isinstance(expression, SizeOp):
        return OPERATIONS[expression.op](*(evaluate(operand, size_of) for operand in expression.operands))
    return expression


def size_product(value: Ref | InputRef | AttrRef | Loose, dims: range) -> SizeOp:
    """The product of a value's sizes over some dimensions, as an expression."""
    product = SizeOp("mul", (1, 1))
    for dim in dims:
        product = SizeOp("mul", (product, SizeOf(value, dim)))
    return product


def equal_at_random(left: Any, right: Any, trials: int = 8) -> bool:
    """
    Whether two size expressions are the same function of the sizes in them.

    Both are evaluated where each size is a random number of up to 40 bits: polynomials that differ agree there
    with a probability below 2**-30 a trial (Schwartz, 1980; Zippel, 1979).
    """
    generator = random.Random(0)
    for _ in range(trials):
        sizes: dict[SizeOf, int] = {}

        def size_of(size: SizeOf, sizes: dict[SizeOf, int] = sizes) -> int:
            if size not in sizes:
                sizes[size] = generator.randrange(1 << 20, 1 << 40)
            return sizes[size]

        if evaluate(left, size_of) != evaluate(right, size_of):
            return False
    return True
