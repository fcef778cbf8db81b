"""One spelling for arguments that an ATen operator takes in several."""

# F.max_pool2d(x, 2) and nn.MaxPool2d(2) are one call, and reach ATen as `stride=()` and as `stride=(2, 2)`; softmax
# over dimension -1 and over dimension 1 are one, too. Only what is one by the operator's own definition is listed here.

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqify.proof.record import Operand

__all__ = ["spell"]

# Operators whose dimensions are a set: order and repetition say nothing.
_SETS = frozenset(
    [
        *("mean", "sum", "nansum", "amax", "amin", "var", "std", "var_mean", "std_mean", "logsumexp", "all", "any"),
        *("flip", "norm", "linalg_vector_norm"),
    ]
)
# Operators whose dimension counts in the result, which has more dimensions than the operand.
_MORE = frozenset(["stack", "unsqueeze", "unsqueeze_", "unsqueeze_copy", "diag_embed", "unfold_backward"])
# Gradients that have as many dimensions as the operand whose dimension is meant; of the others it is not known.
_GRADIENTS = frozenset(["_softmax_backward_data", "_log_softmax_backward_data", "glu_backward"])
_DIMENSIONS = ("dim", "dims", "dim0", "dim1", "dim2", "start_dim", "end_dim", "axis")


def spell(op: str, arguments: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
    """The arguments of a call, in one spelling."""
    named = dict(arguments)
    name = op.split(".")[1] if "." in op else op
    return tuple((key, _value(name, key, value, named)) for key, value in arguments)


def _value(name: str, key: str, value: Any, named: Mapping[str, Any]) -> Any:
    if key == "stride" and value == () and "kernel_size" in named:
        return named["kernel_size"]
    if key in _DIMENSIONS:
        rank = _rank(name, named)
        if rank is not None:
            wrapped = _wrapped(value, rank)
            return tuple(sorted(set(wrapped))) if name in _SETS and isinstance(wrapped, tuple) else wrapped
    return value


def _rank(name: str, named: Mapping[str, Any]) -> int | None:
    """How many dimensions the operand has whose dimension is meant; None where that is not known."""
    if name in _MORE:
        return None
    sizes = named.get("input_sizes")
    if isinstance(sizes, tuple):
        return len(sizes)
    if name.endswith(("_backward", "_backward_data")) and name not in _GRADIENTS:
        return None
    first = next(iter(named.values()), None)
    if isinstance(first, tuple):
        # cat leaves out empty operands of one dimension, and goes by the others
        ranks = {len(item.size) if isinstance(item, Operand) else 0 for item in first}
        return ranks.pop() if len(ranks) == 1 else None
    return len(first.size) if isinstance(first, Operand) else None


def _wrapped(value: Any, rank: int) -> Any:
    if isinstance(value, tuple):
        return tuple(_wrapped(item, rank) for item in value)
    if isinstance(value, int) and not isinstance(value, bool) and value < 0:
        return value + rank
    return value
