"""What one run of a module did, as calls of ATen below autograd."""

# Glossary
#
#   ATen        the operators that torch's kernels implement; what autograd, autocast and nn.Module come down to
#   storage     a piece of memory; several tensors may look at one, each through a geometry of its own
#   geometry    dtype, size, stride and offset: how a tensor reads its storage
#   operand     a tensor at the moment of a call: a storage and a geometry
#   leaf        a storage that was there before the run: a parameter, a buffer, an input, a constant
#   draw        a call that takes numbers from the random generator
#
#   leaf w ──┐
#   leaf x ──┴─► call 0 convolution ──► storage 7 ─► call 1 relu_ (writes storage 7) ──► ... ──► results
#
# A view is no call: it is another geometry of the same storage. So `x.view(n, -1)` and `torch.flatten(x, 1)` are one
# thing here, and an in-place change is seen by everyone who looks at that storage.
#
# The classes are plain data: a run in another process, or of another revision, is sent over as it is.

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Call", "Close", "Leaf", "Operand", "Place", "Record", "operands"]


@dataclass(frozen=True)
class Operand:
    """A tensor at the moment of a call. Sizes are ints, or texts such as `s0` where they are symbolic."""

    storage: int
    dtype: str
    size: tuple[int | str, ...]
    stride: tuple[int | str, ...]
    offset: int | str
    flags: str = ""


@dataclass(frozen=True)
class Leaf:
    """
    Where a storage came from. `kind` is "state" (`names`: the parameters and buffers that lie in it), "input",
    "cotangent" (what backward starts from) or "constant" (`names`: a digest of its bytes).
    """

    kind: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """
    Who made a call.

    Attributes:
        filename: of the line of user code.
        row: of that line.
        module: the path of the submodule whose forward ran.
        function: the torch function that was called there.
        sites: the modules that were running, from the outermost on, each with the line that called it.
    """

    filename: str
    row: int
    module: str
    function: str = ""
    sites: tuple[tuple[str, str, int], ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Close:
    """
    What a close look at a run adds to its record.

    Attributes:
        digests: for each call, of the tensors that it gave and of those that it wrote to.
        views: for each view, how many calls came before it, the view as a call, and a digest of what it shows.
        grads: for what each torch function gave: how many calls came before, a digest of its numbers, whether it
            requires a gradient, the place.
        raised: the line of user code that an error came through.
    """

    digests: tuple[tuple[str, ...], ...]
    views: tuple[tuple[int, Call, str], ...]
    grads: tuple[tuple[int, str, bool, Place | None], ...]
    raised: Place | None = None


@dataclass(frozen=True)
class Call:
    """
    One ATen call.

    Attributes:
        op: the full name, as `aten.convolution.default`.
        arguments: by the schema's names; tensors are operands, everything else is plain data.
        outputs: operands, or plain data, in order.
        writes: storages that it changes, in the order of the arguments.
        draws: whether it takes random numbers.
        phase: "forward" or "backward".
        place: None where no line of user code was running; a backward call has that of its forward call.
    """

    op: str
    arguments: tuple[tuple[str, Any], ...]
    outputs: tuple[Any, ...]
    writes: tuple[int, ...] = ()
    draws: bool = False
    phase: str = "forward"
    place: Place | None = None


@dataclass(frozen=True)
class Record:
    """
    A run: its leaves, its calls in order, and its results.

    Attributes:
        leaves: by storage.
        calls: views left out.
        results: by part ("forward", "inputs", "gradients", "input gradients", "buffers", "parameters") and name, an
            operand, or None for an absent gradient.
        structure: of the output, with everything but the numbers.
        error: the type of what forward or backward raised.
        doubts: why the run says nothing of other values: each a reason, and the place it was seen at.
        conditions: what symbolic sizes have to satisfy for the run to be the same.
        symbols: where sizes are symbolic, the shape of each input.
        later: what it does from the second run on; None where that is the same.
    """

    leaves: Mapping[int, Leaf]
    calls: tuple[Call, ...]
    results: Mapping[str, Mapping[str, Operand | None]]
    structure: Any = None
    error: str | None = None
    doubts: tuple[tuple[str, Place | None], ...] = ()
    conditions: tuple[str, ...] = ()
    symbols: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    later: Record | None = None


def operands(value: Any) -> Iterator[Operand]:
    """All operands in nested tuples."""
    if isinstance(value, Operand):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from operands(item)
