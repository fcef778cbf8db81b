"""All that is measured of the mutants of one network."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .baselines import BASELINES, answer
from .built import build, example, load
from .mutant import KINDS, Mutant, Network
from .oracle import Reference, differences, first_unequal
from .selection import chosen
from .subject import ask

__all__ = ["measure", "write_sources"]


def measure(network: Network, only: str = "", seqify: bool = True, form: str = "text") -> Iterator[dict[str, Any]]:
    """
    A row for each mutant: what it is, whether it differs at all, who finds it.

    Args:
        network: where the mutants are planted.
        only: kinds whose name has this in it.
        seqify: whether to ask it.
        form: "text" gives seqify two files, so that it sees the constructors too, "live" two networks.
    """
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="planted-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        subject = Subject(network, Path(folder))
        for mutant in chosen(network, subject.runs, only):
            yield subject.row(mutant, seqify, form)


def write_sources(network: Network, folder: Path, only: str = "") -> None:
    """The mutants of a network as files `FOLDER/NETWORK/KIND-NUMBER.py`."""
    with tempfile.TemporaryDirectory(prefix="planted-") as scratch:
        for mutant in chosen(network, Subject(network, Path(scratch)).runs, only):
            path = folder / network.name / f"{mutant.kind.replace(' ', '-')}-{mutant.number}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(mutant.text, encoding="utf-8")


class Subject:
    """One network with what is known of it once for all of its mutants."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.folder = folder
        self.name = network.source.name
        self.path = self._write("old", network.name, network.source.text)
        module = load(self.path)
        self.values = example(module)
        self.make = functools.partial(build, module, self.name)
        self.old = self.make()
        self.reference = Reference(self.make, self.values)
        self.count = 0

    def _write(self, where: str, name: str, text: str) -> Path:
        path = self.folder / where / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def loaded(self, text: str) -> tuple[Path, Callable[[], nn.Module]]:
        """A mutant in a file of its own, and what constructs its network."""
        self.count += 1
        path = self._write(str(self.count), self.path.stem, text)
        return path, functools.partial(build, load(path), self.name)

    def runs(self, text: str) -> bool:
        try:
            answer(self.loaded(text)[1](), self.values)
        except Exception:
            return False
        return True

    def row(self, mutant: Mutant, seqify: bool, form: str) -> dict[str, Any]:
        began = time.perf_counter()
        row = dataclasses.asdict(mutant)
        del row["text"]
        try:
            path, make = self.loaded(mutant.text)
            new = make()
        except Exception as error:
            return row | {"raises": f"{type(error).__name__}: {error}"[:120], "differences": ["construction raises"]}
        row["raises"] = "" if not KINDS[mutant.kind].raises or self.runs(mutant.text) else "forward"
        row["differences"] = differences(self.reference, make)
        for name, finds in BASELINES.items():
            row[name] = finds(self.old, new, self.values)
        row["seconds"] = round(time.perf_counter() - began, 3)
        if seqify:
            names = (*mutant.names, first_unequal(self.old, new))
            answered = ask((self.path, self.make()), (path, make()), self.values, mutant, names, form == "text")
            row["seqify"] = dataclasses.asdict(answered) | {"found": answered.found}
        return row
