"""What is converted and what was decided: the data that plans are made of."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from seqify.chains import Chain, Chains
from seqify.classes import ClassSource
from seqify.diagnostics import Diagnostic, Location, Severity
from seqify.flow import Flow
from seqify.ops import Layer
from seqify.order import FlatOrder, Placement

__all__ = [
    "Group",
    "Plan",
    "Row",
    "Subject",
    "breaks",
    "constructor_reads",
    "is_constant",
    "is_container",
    "is_plain",
    "moved",
    "notes",
    "number_rows",
    "subclasses",
    "watched",
]


@dataclass(frozen=True)
class Subject:
    """What is converted: the live module, its source, what it did, and its straight lines."""

    module: nn.Module
    cls: ClassSource
    flow: Flow
    chains: Chains

    @property
    def children(self) -> dict[str, nn.Module]:
        return {name: child for name, child in self.module._modules.items() if child is not None}


@dataclass(frozen=True)
class Row:
    """
    One layer of the result, under `key`.

    `origin` is "moved" for an existing layer, "copied" for a further use of one without state, "new" for a function.
    """

    key: str
    layer: Layer
    origin: str


@dataclass(frozen=True)
class Group:
    """An `nn.Sequential` of the result; `name` is its attribute, empty when it is the module itself."""

    name: str
    rows: tuple[Row, ...]
    chain: Chain


@dataclass(frozen=True)
class Plan:
    """
    A conversion, decided.

    `renames` gives for each existing submodule its new path; `order` goes with flat, `placements` with grouped.
    """

    layout: str
    groups: tuple[Group, ...]
    renames: Mapping[str, str]
    diagnostics: tuple[Diagnostic, ...] = ()
    gaps: tuple[int, ...] = ()
    order: FlatOrder | None = None
    placements: tuple[Placement, ...] = ()
    function: str = ""
    keeps: frozenset[str] = field(default_factory=frozenset)  # attributes whose statement stays, besides its copies


def is_container(subject: Subject, layer: Layer) -> bool:
    return layer.attribute is not None and isinstance(subject.children[layer.attribute], nn.Sequential)


_PLAIN = (bool, int, float, complex, str, bytes, type(Ellipsis))


def is_constant(value: Any) -> bool:
    """Whether a value cannot change once it is assigned."""
    if isinstance(value, tuple):
        return all(is_constant(item) for item in value)
    return isinstance(value, _PLAIN) or value is None or _is_torch_name(value)


def is_plain(value: Any) -> bool:
    """Whether a value is data that no arguments would turn into a module."""
    if isinstance(value, list | tuple | set | frozenset):
        return all(is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(is_plain(item) for item in value.values())
    return isinstance(value, _PLAIN) or _is_torch_name(value)


def _is_torch_name(value: Any) -> bool:
    """`torch.float32`, `torch.device("cpu")` and the like; a tensor can be written to."""
    return type(value).__module__ == "torch" and not isinstance(value, torch.Tensor)


def subclasses(subject: Subject) -> list[tuple[str, Location]]:
    """Classes that inherit from this one, wherever they are defined, as far as they are imported."""
    here = subject.cls.source.location(subject.cls.node)
    places = {
        node.name: subject.cls.source.location(node)
        for node in ast.walk(subject.cls.source.tree)
        if isinstance(node, ast.ClassDef)
    }
    mine = type(subject.module)
    known = [kind for kind in mine.__subclasses__() if "_converted_" not in kind.__module__]
    return [
        (kind.__name__, places.get(kind.__name__, here))
        if kind.__module__ == mine.__module__
        else (f"{kind.__module__}.{kind.__name__}", here)
        for kind in known
    ]


def watched(subject: Subject) -> Diagnostic | None:
    """Code that looks at which layers there are, or at what kind of module holds them, and so would see the change."""
    cls = subject.cls
    for name, method in cls.methods.items():
        for node in cls.attributes(method) if name != "__init__" else ():
            if node.attr in ("children", "named_children", "_modules"):
                return Diagnostic(
                    "SQ403",
                    f"`self.{node.attr}` in `{name}` sees which layers there are",
                    cls.source.location(node),
                    level=Severity.ERROR,
                )
    for part in ast.walk(cls.source.tree):
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == "isinstance":
            if any(getattr(item, "attr", getattr(item, "id", "")) == "Sequential" for item in ast.walk(part)):
                return Diagnostic(
                    "SQ403",
                    "`isinstance(..., nn.Sequential)` sees the new container",
                    cls.source.location(part),
                    level=Severity.ERROR,
                )
    return None


def moved(group: Group) -> list[str]:
    return [row.layer.attribute or "" for row in group.rows if row.origin == "moved"]


def number_rows(chain: Chain, name: str, used: set[str]) -> tuple[Group, dict[str, str]]:
    """Rows with numbers as keys. `used` collects the layers that an earlier row has taken; further uses are copies."""
    rows, renames = [], {}
    for index, layer in enumerate(chain.layers):
        origin = "new" if layer.attribute is None else "copied" if layer.attribute in used else "moved"
        if layer.attribute is not None and origin == "moved":
            used.add(layer.attribute)
            renames[layer.attribute] = f"{name}.{index}" if name else str(index)
        rows.append(Row(str(index), layer, origin))
    return Group(name, tuple(rows), chain), renames


def constructor_reads(cls: ClassSource, row: Row) -> frozenset[str]:
    if row.origin != "copied":
        return frozenset()
    return cls.storing(row.layer.attribute or "")[0].reads


def breaks(subject: Subject) -> list[Diagnostic]:
    found = []
    for item in subject.chains.breaks:
        site = subject.flow.steps[item.step].site
        found.append(Diagnostic(item.code, item.message, site.location() if site else None))
    return found


def notes(subject: Subject, chain: Chain) -> tuple[Diagnostic, ...]:
    """What the layers of a chain have to say: conditions of the table, and second uses."""
    found: list[Diagnostic] = []
    seen: set[str] = set()
    for layer in chain.layers:
        place = subject.cls.source.location(layer.node)
        found += [replace(item, location=place) for item in layer.diagnostics]
        if layer.attribute is not None and layer.attribute in seen:
            found.append(
                Diagnostic("SQ205", f"`self.{layer.attribute}` has no state: this call gets a layer of its own", place)
            )
        seen.add(layer.attribute or "")
    return tuple(found)
