"""Which calls are one, and which only look like it."""

from __future__ import annotations

import pytest

from seqify.proof.record import Operand
from seqify.proof.spelling import spell


def operand(*size):
    return Operand(0, "torch.float32", size, tuple(range(len(size))), 0)


def spelled(op, **arguments):
    return spell(f"aten.{op}.default", tuple(arguments.items()))


X, ROW = operand(2, 3, 4), operand(0)

ONE = {
    "softmax": ({"self": X, "dim": -1}, {"self": X, "dim": 2}),
    "sum": ({"self": X, "dim": (-1, 0)}, {"self": X, "dim": (0, 2)}),
    "flip": ({"self": X, "dims": (0, -1)}, {"self": X, "dims": (2, 0)}),
    "roll": ({"self": X, "shifts": (1, 2), "dims": (-1, 0)}, {"self": X, "shifts": (1, 2), "dims": (2, 0)}),
    "cat": ({"tensors": (X, X), "dim": -1}, {"tensors": (X, X), "dim": 2}),
    "_softmax_backward_data": ({"grad_output": X, "output": X, "dim": -1}, {"grad_output": X, "output": X, "dim": 2}),
    "slice_backward": (
        {"grad_output": X, "input_sizes": (2, 3, 4), "dim": -1},
        {"grad_output": X, "input_sizes": (2, 3, 4), "dim": 2},
    ),
    "select_backward": (
        {"grad_output": operand(2, 3), "input_sizes": (2, 3, 4), "dim": -1},
        {"grad_output": operand(2, 3), "input_sizes": (2, 3, 4), "dim": 2},
    ),
    "max_pool2d": (
        {"self": X, "kernel_size": (2, 3), "stride": ()},
        {"self": X, "kernel_size": (2, 3), "stride": (2, 3)},
    ),
}
TWO = {
    "softmax": ({"self": X, "dim": -1}, {"self": X, "dim": 1}),
    "sum": ({"self": X, "dim": (0,)}, {"self": X, "dim": (0, 1)}),
    "roll": ({"self": X, "shifts": (1, 2), "dims": (1, 0)}, {"self": X, "shifts": (1, 2), "dims": (0, 1)}),
    "_fft_r2c": ({"self": X, "dim": (0, 1)}, {"self": X, "dim": (1, 0)}),
    "rot90": ({"self": X, "k": 1, "dims": (0, 1)}, {"self": X, "k": 1, "dims": (1, 0)}),
    "stack": ({"tensors": (X, X), "dim": -1}, {"tensors": (X, X), "dim": 2}),
    "diag_embed": ({"self": X, "dim1": -2, "dim2": -1}, {"self": X, "dim1": 1, "dim2": -1}),
    "cat": ({"tensors": (ROW, X), "dim": -1}, {"tensors": (ROW, X), "dim": 0}),
    "unknown_backward": ({"grad_output": operand(2, 3), "dim": -1}, {"grad_output": operand(2, 3), "dim": 1}),
    "max_pool2d": ({"self": X, "kernel_size": (2,), "stride": ()}, {"self": X, "kernel_size": (2,), "stride": (1,)}),
    "slice": ({"self": X, "start": -1}, {"self": X, "start": 3}),
    "all": ({"self": X, "dim": True}, {"self": X, "dim": 1}),
}


@pytest.mark.parametrize("op", ONE)
def test_calls_that_are_one(op):
    left, right = ONE[op]
    assert spelled(op, **left) == spelled(op, **right)


@pytest.mark.parametrize("op", TWO)
def test_calls_that_are_two(op):
    left, right = TWO[op]
    assert repr(spelled(op, **left)) != repr(spelled(op, **right))


def test_sizes_that_are_symbols_are_left_alone():
    x = Operand(0, "torch.float32", ("n", 3), (3, 1), 0)

    assert spelled("softmax", self=x, dim=-1) == (("self", x), ("dim", 1))
    assert spelled("slice", self=x, end="n//2") == (("self", x), ("end", "n//2"))
