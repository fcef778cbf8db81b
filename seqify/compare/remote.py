"""A side that lives in a child process."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from seqify.child import Child
from seqify.compare.description import Description
from seqify.compare.side import Outcome, Side
from seqify.proof.record import Close, Record
from seqify.trial import Setting

__all__ = ["RemoteSide"]

_ASK = "seqify.opened:ask"


class RemoteSide(Side):
    """
    A side whose module was opened in a child; every question goes there.

    Args:
        child: in which `seqify.opened:open_target` was called.
    """

    elsewhere = True

    def __init__(self, child: Child) -> None:
        self.child = child

    def describe(self) -> Description:
        found: Description = self.child.call(_ASK, "describe")
        return found

    def accepts(self, values: Mapping[str, Any]) -> bool:
        return bool(self.child.call(_ASK, "accepts", values))

    def keys(self) -> tuple[str, ...]:
        found: tuple[str, ...] = self.child.call(_ASK, "keys")
        return found

    def construction(self) -> Mapping[str, tuple[str, int]]:
        found: Mapping[str, tuple[str, int]] = self.child.call(_ASK, "construction")
        return found

    def seeded(self, seed: int) -> Mapping[str, str] | None:
        found: Mapping[str, str] | None = self.child.call(_ASK, "seeded", seed)
        return found

    def building(self, seed: int) -> tuple[Record, tuple[tuple[str, ...], ...]]:
        found: tuple[Record, tuple[tuple[str, ...], ...]] = self.child.call(_ASK, "building", seed)
        return found

    def prepare(
        self,
        device: str,
        dtype: torch.dtype | None,
        *,
        seed: int | None = None,
        scale: float = 1.0,
        state: Mapping[str, Any] | None = None,
        strict: bool = True,
    ) -> Mapping[str, Any]:
        found: Mapping[str, Any] | str = self.child.call(
            "seqify.opened:prepare", device, dtype, seed=seed, scale=scale, state=state, strict=strict
        )
        if isinstance(found, str):
            raise RuntimeError(found)
        return found

    def run(self, values: Mapping[str, Any], setting: Setting, seed: int) -> Outcome:
        found: Outcome = self.child.call(_ASK, "run", values, setting, seed)
        return found

    def train(self, values: Mapping[str, Any], setting: Setting, seed: int, count: int) -> Outcome:
        found: Outcome = self.child.call(_ASK, "train", values, setting, seed, count)
        return found

    def part(self, name: str) -> Mapping[str, Tensor | None]:
        found: Mapping[str, Tensor | None] = self.child.call(_ASK, "part", name)
        return found

    def calls(
        self, values: Mapping[str, Any], setting: Setting, seed: int, wanted: Collection[int] = ()
    ) -> tuple[Record, Close, Mapping[int, tuple[Tensor, ...]]]:
        found: tuple[Record, Close, Mapping[int, tuple[Tensor, ...]]] = self.child.call(
            _ASK, "calls", values, setting, seed, wanted
        )
        return found

    def lower(self, values: Mapping[str, Any], setting: Setting, symbolic: str = "") -> Record:
        found: Record = self.child.call(_ASK, "lower", values, setting, symbolic)
        return found
