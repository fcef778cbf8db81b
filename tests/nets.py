"""Small modules for the tests of the prover: two linear layers, and a forward that is given."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from seqify.proof.isomorphism import Case, Proof, prove
from seqify.proof.lowering import lower
from seqify.proof.record import Record
from seqify.trial import Setting

__all__ = ["RARE", "X", "doubts", "graph", "graphs_agree", "net", "proof"]

X = torch.randn(4, 4, generator=torch.Generator().manual_seed(3))
RARE = 1e6  # no test has a number as large, so nothing that asks for one shows in numbers


def net(forward: Callable[..., Any] = lambda self, x: self.fc(x), **members: Any) -> nn.Module:
    """
    A module with the layers `fc` and `last`, and `forward`.

    Args:
        forward: of the class.
        members: attributes of the instance; tensors and modules that are given as functions are made anew.
    """
    torch.manual_seed(0)
    module = type("Net", (nn.Module,), {"forward": forward})()
    module.fc, module.last = nn.Linear(4, 4), nn.Linear(4, 4)
    for name, value in members.items():
        value = value() if callable(value) and not isinstance(value, nn.Module) else value
        if isinstance(value, Tensor) and name.startswith("buffer"):
            module.register_buffer(name, value)
        else:
            setattr(module, name, value)
    return module


def graph(module: nn.Module, *inputs: Any, mode: str = "eval", **setting: Any) -> Record:
    """The record of a module, on X where no inputs are given."""
    values = dict(zip(("x", "y", "z"), inputs or (X,), strict=False))
    return lower(module, values, Setting(mode, **setting))


def doubts(module: nn.Module, *inputs: Any, mode: str = "eval") -> list[str]:
    """Why a record says nothing of other values."""
    return [reason for reason, _ in graph(module, *inputs, mode=mode).doubts]


def proof(
    old: nn.Module, new: nn.Module, *inputs: Any, names: Mapping[str, str] | None = None, **setting: Any
) -> Proof:
    """What the graphs alone say of two modules."""
    cases = []
    for mode in ("eval", "train"):
        words = {"mode": mode, "dtype": "float32", "inputs": "x"}
        cases.append(Case(words, graph(old, *inputs, mode=mode, **setting), graph(new, *inputs, mode=mode, **setting)))
    return prove(cases, names or {name: name for name in new.state_dict()}, "cpu")


def graphs_agree(old: Callable[..., Any], new: Callable[..., Any], *inputs: Any, **members: Any) -> bool:
    """Whether two forwards over the same members are one by their graphs; each has to be one with itself."""
    sides = net(old, **members), net(new, **members)
    for side in sides:
        same = proof(side, copy.deepcopy(side), *inputs)
        assert same.status == "proved", same.reason
    return proof(*sides, *inputs).status == "proved"
