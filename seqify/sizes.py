"""Sizes that remember where they were read."""

# While forward is recorded, `x.size(0)` and `x.shape[0]` give a TracedInt: a plain number to `range`, indexing and
# torch, and to the recorder the expression that made it. Arithmetic keeps the expression; a comparison gives a plain
# bool and is reported as a guard, since whatever is decided on it holds for this size alone.

from __future__ import annotations

import operator
import random
from collections.abc import Callable
from typing import Any

from seqify.flow import AttrRef, InputRef, Loose, Ref, SizeOf, SizeOp

__all__ = ["TracedInt", "equal_at_random", "size_product"]

GuardHook = Callable[[str, bool], None]


class TracedInt(int):
    """
    An int with the size expression behind it.

    `hook` is called with a condition's text and outcome when the number is compared.
    """

    expression: SizeOf | SizeOp
    hook: GuardHook | None

    def __new__(cls, value: int, expression: SizeOf | SizeOp, hook: GuardHook | None = None) -> TracedInt:
        made = super().__new__(cls, value)
        made.expression = expression
        made.hook = hook
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return (int, (int(self),))

    def __bool__(self) -> bool:
        value = int(self) != 0
        if self.hook is not None:
            self.hook(f"{int(self)} != 0", value)
        return value

    def __hash__(self) -> int:
        return int.__hash__(self)


def _arithmetic(name: str) -> None:
    plain = getattr(int, name)
    reflected = name.startswith("__r") and name != "__rshift__"
    op = "__" + name[3:] if reflected else name

    def method(self: TracedInt, other: Any) -> Any:
        value = plain(self, other)
        if type(value) is not int:
            return value
        mine, theirs = self.expression, getattr(other, "expression", other)
        operands = (theirs, mine) if reflected else (mine, theirs)
        return TracedInt(value, SizeOp(op.strip("_"), operands), self.hook)

    setattr(TracedInt, name, method)


def _comparison(name: str, sign: str) -> None:
    plain = getattr(int, name)

    def method(self: TracedInt, other: Any) -> Any:
        value = plain(self, other)
        if self.hook is not None and isinstance(value, bool):
            self.hook(f"{int(self)} {sign} {other}", value)
        return value

    setattr(TracedInt, name, method)


for _name in ("add", "sub", "mul", "floordiv", "mod"):
    _arithmetic(f"__{_name}__")
    _arithmetic(f"__r{_name}__")
for _name, _sign in (("eq", "=="), ("ne", "!="), ("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">=")):
    _comparison(f"__{_name}__", _sign)


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
        if _evaluate(left, sizes, generator) != _evaluate(right, sizes, generator):
            return False
    return True


def _evaluate(expression: Any, sizes: dict[SizeOf, int], generator: random.Random) -> int:
    if isinstance(expression, SizeOf):
        if expression not in sizes:
            sizes[expression] = generator.randrange(1 << 20, 1 << 40)
        return sizes[expression]
    if isinstance(expression, SizeOp):
        values = [_evaluate(operand, sizes, generator) for operand in expression.operands]
        result: int = getattr(operator, expression.op)(*values)
        return result
    return int(expression)
