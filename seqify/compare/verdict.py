"""The verdict: what was compared, whether it agreed, and where it parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seqify.diagnostics import Location

__all__ = ["CODES", "Check", "Divergence", "Pair", "Spot", "Verdict"]

# The diagnostic that a check leads to where it is not ok, by its name.
CODES = {
    "forward": "SQ601",
    "inputs": "SQ601",
    "gradients": "SQ602",
    "input gradients": "SQ602",
    "buffers": "SQ603",
    "random": "SQ609",
    "steps": "SQ614",
    "tensors": "SQ608",
    "weights": "SQ608",
    "seed": "SQ407",
    "keys": "SQ501",
    "order": "SQ505",
    "signature": "SQ607",
    "errors": "SQ607",
    "copies": "SQ607",
    "sizes": "SQ612",
    "hooks": "SQ613",
}


@dataclass(frozen=True)
class Check:
    """
    One comparison.

    Attributes:
        name: what was compared.
        device: where; "-" where that does not matter, as for the next two.
        dtype: in which floating-point type.
        mode: "eval" or "train".
        ok: whether it agreed, in every bit or within the old model's own noise.
        bitwise: whether it agreed in every bit.
        max_abs: the greatest difference.
        max_ulp: the greatest number of representable values between the two; None where it was not needed.
        note: what differs, in words.
        variant: what was special about the inputs, such as "batch of 1".
        level: "error", "warning" for what does not make the two compute other things, or "void" for a comparison that
            proves nothing: both raise, the output is constant, no gradient reaches a parameter.
        runs: how many runs of each side it was.
        location: where to look, on the new side if it is there.
    """

    name: str
    device: str
    dtype: str
    mode: str
    ok: bool
    bitwise: bool
    max_abs: float = 0.0
    max_ulp: int | None = None
    note: str = ""
    variant: str = ""
    level: str = "error"
    runs: int = 1
    location: Location | None = None


@dataclass(frozen=True)
class Verdict:
    """All comparisons of two modules; `ok` says that they do the same with the same weights."""

    checks: tuple[Check, ...] = ()

    @property
    def ok(self) -> bool:
        return bool(self.checks) and all(item.ok for item in self.checks if item.level != "warning")

    @property
    def differs(self) -> bool:
        """Whether a comparison failed; one that proves nothing has not."""
        return not all(item.ok for item in self.checks if item.level == "error")


@dataclass(frozen=True)
class Spot:
    """
    One side's call.

    Attributes:
        op: the ATen operator.
        function: the torch function or module that was called, as the source has it.
        module: the path of the submodule it ran in; "" is the module itself.
        filename: of the line in forward.
        row: of the line in forward.
        constructed: where the submodule was constructed, as (filename, row).
        phase: "forward" or "backward".
        shape: of what it gave.
        place: what to show of the source: the call in forward, or the constructor that its arguments are in.
        text: the line that `place` is in.
    """

    op: str
    function: str
    module: str
    filename: str
    row: int
    constructed: tuple[str, int] | None
    phase: str
    shape: tuple[int, ...]
    place: Location | None = None
    text: str = ""

    @property
    def operator(self) -> str:
        """The operator without its namespace and overload."""
        return self.op.split(".")[1] if "." in self.op else self.op


@dataclass(frozen=True)
class Pair:
    """
    One call of both sides.

    Attributes:
        number: its place among the calls of its phase that the result follows from, from 1 on.
        old: the old side's; None where it has no counterpart.
        new: the new side's.
        max_abs: the greatest difference, 0 where every bit is the same; None where the two cannot be laid side by side.
    """

    number: int
    old: Spot | None
    new: Spot | None
    max_abs: float | None


@dataclass(frozen=True)
class Divergence:
    """
    The first call that differs.

    Attributes:
        old: the old side's call; None where it has no counterpart.
        new: the new side's.
        equal: how many calls there are before it in its phase; all before it give the same numbers.
        argument: the one plain argument that differs, as (name, old value, new value).
        share: of its elements that differ; None where the two cannot be laid side by side.
        max_abs: the greatest difference between the two.
        mode: in which mode it was seen.
        calls: those around it, itself among them, in order and with gaps.
        total: how many calls there are in that phase.
    """

    old: Spot | None
    new: Spot | None
    equal: int
    argument: tuple[str, Any, Any] | None
    share: float | None
    max_abs: float | None
    mode: str
    calls: tuple[Pair, ...] = ()
    total: int = 0
