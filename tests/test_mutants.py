"""Planted bugs: what `benchmarks/mutants.py` plants, where it says that they are, and that they are what they are meant to be."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

import pytest
import torch

importlib.import_module("planted.kinds")
edit = importlib.import_module("planted.edit")
measurement = importlib.import_module("planted.measurement")
mutant = importlib.import_module("planted.mutant")
selection = importlib.import_module("planted.selection")
source = importlib.import_module("planted.source")
table = importlib.import_module("planted.table")

NETWORKS = {network.name: network for network in mutant.networks()}

TEXT = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, p=0.5):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.drop = nn.Dropout(p)

    def forward(self, x):
        y = self.fc(x)
        y = torch.relu(y)
        return self.drop(y) + x
"""


def planted(tmp_path: Path, kind: str, number: int = 0, text: str = TEXT) -> Any:
    path = tmp_path / "net.py"
    path.write_text(text)
    plants = mutant.KINDS[kind].plants(mutant.Network("net", path))
    return next(plant for plant in plants if plant.number == number).mutant()


def test_there_are_enough_of_them() -> None:
    bugs = [name for name, kind in mutant.KINDS.items() if kind.expected == "different"]
    assert len(NETWORKS) >= 30
    assert len(bugs) >= 40
    assert sum(sum(selection.allotment(name).values()) for name in bugs) >= 2000


def test_all_of_them_are_python() -> None:
    for name in mutant.KINDS:
        for network in mutant.networks():
            for plant in selection.candidates(name, network)[: selection.SHARE]:
                ast.parse(plant.text)


def test_what_is_left_out_is_there() -> None:
    """A row that no kind makes any more would be left out in vain."""
    made = {
        (name, plant.text.splitlines()[row - 1].strip())
        for name, network in NETWORKS.items()
        for kind in mutant.KINDS.values()
        if kind.expected == "different" and any(item[0] == name for item in selection.LEFT_OUT)
        for plant in kind.plants(network)
        for row in plant.new_rows
    }
    assert [(network, row) for network, row, _ in selection.LEFT_OUT if (network, row) not in made] == []


@pytest.mark.parametrize("name", ["vae", "maxout"])
def test_the_oracle_sees_what_is_meant(name: str) -> None:
    with torch.random.fork_rng():
        rows = list(measurement.measure(NETWORKS[name], seqify=False))
    assert [table.title(row) for row in table.undecided(rows)] == []
    assert [table.title(row) for row in table.unequal(rows)] == []
    assert {"different", "equivalent", "renamed", "equal"} == {row["expected"] for row in rows}


def test_rows_of_edits() -> None:
    text = "one\ntwo\nthree\nfour\n"
    insertion = edit.Edit(4, 4, "new\n")
    deletion = edit.Edit(8, 14, "")
    change = edit.Edit(15, 18, "IVE")
    assert edit.applied(text, [change, deletion, insertion]) == ("one\nnew\ntwo\nfIVE\n", (3, 4), (2, 4))


def test_edits_that_overlap() -> None:
    with pytest.raises(ValueError, match="edits overlap at 2"):
        edit.applied("abcd", [edit.Edit(1, 3, ""), edit.Edit(2, 4, "")])


def test_a_fault_in_a_constructor_shows_where_the_layer_is_called(tmp_path: Path) -> None:
    found = planted(tmp_path, "bias lost")
    assert (
        found.old_rows,
        found.new_rows,
        found.names,
        found.old_calls,
        found.new_calls,
    ) == ((8,), (8,), ("fc",), (12,), (12,))


def test_a_fault_in_a_default_shows_where_what_is_made_of_it_is_called(tmp_path: Path) -> None:
    found = planted(tmp_path, "default of a constructor")
    assert (found.new_rows, found.names, found.new_calls) == ((6,), ("drop",), (14,))


def test_calls_move_behind_inserted_rows(tmp_path: Path) -> None:
    found = planted(tmp_path, "layer frozen")
    assert (found.old_rows, found.new_rows, found.old_calls, found.new_calls) == ((), (9,), (12,), (13,))


def test_the_network_is_the_last_class(tmp_path: Path) -> None:
    assert source.Source("class Block:\n    pass\n\n\n" + TEXT).name == "Net"


def row(**given: Any) -> dict[str, Any]:
    asked = {"status": "different", "check": "forward", "named": True, "place": "new relu in row 1", "found": True}
    plain = {"network": "net", "kind": "bias lost", "number": 0, "expected": "different", "raises": ""}
    rows = {"old_rows": [1], "new_rows": [1], "differences": ["outputs, eval"]}
    found = dict.fromkeys(("allclose", "assert_close", "bits"), False)
    return plain | rows | found | {"seqify": asked | given.pop("seqify", {})} | given


def test_goals() -> None:
    rows = [
        row(),
        row(seqify={"status": "tested", "check": "", "found": False}),
        row(seqify={"status": "equivalent", "check": "order", "named": False}),
        row(differences=["order of parameters"], seqify={"status": "equivalent", "check": "order"}),
        row(kind="annotations", expected="equivalent", differences=[]),
    ]
    expected = [
        ("bugs that no comparison sees: none", "0", True),
        ("refactors that differ: none", "0", True),
        ("found: 99 % or more", "75.0 %", False),
        ("refactors called different: none", "1", False),
        ("bugs called equivalent: none", "1", False),
        ("culprit named exactly: 95 % or more", "66.7 %", False),
    ]
    assert expected == table.goals(rows, whole=False)
    text = table.table(rows, whole=False)
    assert "| bias lost | 4 | 0 | 0 | 0 | 3 | 2 |" in text
    assert "- `net`, bias lost (0, row 1): tested new relu in row 1" in text
