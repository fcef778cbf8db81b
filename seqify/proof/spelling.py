"""One spelling for arguments that an ATen operator takes in several."""

# F.max_pool2d(x, 2) and nn.MaxPool2d(2) are one call, and reach ATen as `stride=()` and as `stride=(2, 2)`; softmax
# over dimension -1 and over dimension 1 are one, too. Only what is one by the operator's own definition is listed here.

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqify.proof.record import Operand, operands

__all__ = ["spell"]

# Operators whose dimensions are a set: order and repetition say nothing.
_SETS = frozenset(
    [
        *("mean", "sum", "nansum", "amax", "amin", "var", "std", "var_mean", "std_mean", "logsumexp", "all", "any"),
        *("flip", "norm", "linalg_vector_norm"),
    ]
)
# Operators whose dimension counts in the result, which has one more than the operand.
_ONE_MORE = frozenset(["stack", "unsqueeze", "unsqueeze_copy"])
_DIMENSIONS = ("dim", "dims", "dim0", "dim1", "start_dim", "end_dim", "axis")


def spell(op: str, arguments: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
    """The arguments of a call, in one spelling."""
    named = dict(arguments)
    name = op.split(".")[1] if "." in op else op
    return tuple((key, _value(name, key, value, named)) for key, value in arguments)


def _value(name: str, key: str, value: Any, named: Mapping[str, Any]) -> Any:
    if key == "stride" and value == () and "kernel_size" in named:
        return named["kernel_size"]
    if key in _DIMENSIONS and name not in _ONE_MORE:
        first = next(operands(tuple(named.values())), None)
        if first is not None:
            wrapped = _wrapped(value, first)
            return tuple(sorted(set(wrapped))) if name in _SETS and isinstance(wrapped, tuple) else wrapped
    return value


def _wrapped(value: Any, operand: Operand) -> Any:
    if isinstance(value, tuple):
        return tuple(_wrapped(item, operand) for item in value)
    if isinstance(value, int) and not isinstance(value, bool) and value < 0:
        return value + len(operand.size)
    return value
