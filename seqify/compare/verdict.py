"""The verdict: what was compared, whether it agreed, and where it parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Check", "Divergence", "Spot", "Verdict"]


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
        level: "error", or "warning" for what does not make the two compute other things.
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


@dataclass(frozen=True)
class Verdict:
    """All comparisons of two modules; `ok` says that they do the same with the same weights."""

    checks: tuple[Check, ...] = ()

    @property
    def ok(self) -> bool:
        return bool(self.checks) and all(item.ok for item in self.checks if item.level == "error")


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
    """

    op: str
    function: str
    module: str
    filename: str
    row: int
    constructed: tuple[str, int] | None
    phase: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Divergence:
    """
    The first call that differs.

    Attributes:
        old: the old side's call; None where it has no counterpart.
        new: the new side's.
        equal: how many calls before it give the same numbers.
        argument: the one plain argument that differs, as (name, old value, new value).
        share: of its elements that differ; None where the two cannot be laid side by side.
        max_abs: the greatest difference between the two.
        mode: in which mode it was seen.
    """

    old: Spot | None
    new: Spot | None
    equal: int
    argument: tuple[str, Any, Any] | None
    share: float | None
    max_abs: float | None
    mode: str
