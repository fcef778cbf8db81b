"""What a report has to tell of a conversion: its rows, what was taken as fixed, and the diagnostics."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from seqify.classes import ClassSource
from seqify.compare.comparison import Comparison
from seqify.diagnostics import Diagnostic, Location, Severity
from seqify.differences import comparison_diagnostics
from seqify.emit.rows import constructor
from seqify.flow import Flow, Site
from seqify.keymap import KeyMap
from seqify.looks import has_hooks
from seqify.plan import Plan, Row, Subject
from seqify.report import ChainReport, LayerReport, Report

__all__ = ["chain_report", "find_diagnostics", "specialised", "without_places"]


def chain_report(name: str, rows: Sequence[Row], cls: ClassSource) -> ChainReport:
    layers = []
    for row in rows:
        if row.layer.attribute is None:
            text, origin = constructor(row.layer, "nn.", {}), " ".join(cls.source.segment(row.layer.node).split())
            place = cls.source.location(row.layer.node)
        else:
            node = cls.storing(row.layer.attribute)[0].node
            assert isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
            text, origin = " ".join(cls.source.segment(node.value).split()), row.layer.attribute
            place = cls.source.location(node)
        layers.append(LayerReport(row.key, text, origin, place))
    return ChainReport(name, tuple(layers))


def specialised(flow: Flow) -> tuple[tuple[str, Any, Location | None], ...]:
    """What the recording took as fixed, each place once, in the words of the source where that can be read."""
    found: dict[tuple[str, Any, Location | None], None] = {}
    for guard in (*flow.guards, *flow.fixed):
        site = guard.site
        text = _words(site) if site is not None and guard in flow.guards else ""
        value = guard.value if isinstance(guard.value, bool | int | float | str | None) else str(guard.value)
        found[text or guard.condition, value, site.location() if site is not None else None] = None
    return tuple(found)


def _words(site: Site) -> str:
    """The source text at a place, on one line; empty where it cannot be read."""
    lines = [line.encode() for line in linecache.getlines(site.filename)[site.row - 1 : site.end_row]]
    if not lines:
        return ""
    lines[-1] = lines[-1][: site.end_column]
    lines[0] = lines[0][site.column :]
    return " ".join(b"".join(lines).decode(errors="replace").split())


def without_places(report: Report, filename: str) -> Report:
    """A report without the places in a file that is gone when Python ends."""
    chains = tuple(
        replace(chain, layers=tuple(replace(layer, location=None) for layer in chain.layers)) for chain in report.chains
    )
    diagnostics = tuple(
        replace(item, location=None) if item.location is not None and item.location.filename == filename else item
        for item in report.diagnostics
    )
    return replace(report, chains=chains, diagnostics=diagnostics)


def find_diagnostics(
    module: nn.Module,
    subject: Subject,
    plan: Plan,
    keymap: KeyMap,
    found_out: Comparison | None,
    places: Sequence[str],
    asked: Sequence[str],
    unproved: bool,
) -> tuple[Diagnostic, ...]:
    found = list(plan.diagnostics)
    flow, cls = subject.flow, subject.cls
    converted = {row.layer.step for group in plan.groups for row in group.rows}
    for item in subject.chains.breaks if plan.layout == "grouped" else ():
        site = flow.steps[item.step].site
        # what stopped one line is no error when the others were converted
        level = (
            Severity.NOTE
            if item.step in converted or item.code not in ("SQ204", "SQ210", "SQ303", "SQ304", "SQ305")
            else None
        )
        place = site.location() if site else None
        if not any((known.code, known.location) == (item.code, place) for known in found):
            found.append(Diagnostic(item.code, item.message, place, level=level))
    called = {step.target.split(".")[0] for step in flow.steps if step.kind == "module"}
    here = cls.source.location(cls.init or cls.node)
    for name in subject.children:
        if name not in called:
            found.append(
                Diagnostic("SQ207", f"`self.{name}` is never called by forward itself; it and its keys stay", here)
            )
    for step in flow.steps:
        if step.draws and step.index not in converted:
            place = step.site.location() if step.site else None
            text = f"`{step.target}` draws random numbers outside a module; it stays in forward"
            found.append(Diagnostic("SQ106", text, place, level=Severity.NOTE))
    for stray in flow.strays:
        found.append(Diagnostic("SQ210", f"{stray} is in no state_dict, so in no checkpoint, and in no optimizer"))
    for name in flow.written:
        found.append(
            Diagnostic("SQ105", f"forward changes `self.{name}`", cls.source.location(cls.forward or cls.node))
        )
    if has_hooks(module):
        found.append(Diagnostic("SQ107", "hooks are attached to the module itself", here))
    if keymap.renamed:
        first, old = next(iter(keymap.renamed.items()))
        found.append(
            Diagnostic(
                "SQ501", f"{len(keymap.renamed)} renamed: {old} → {first}{', …' if len(keymap.renamed) > 1 else ''}"
            )
        )
    if keymap.parameter_order != tuple(range(len(keymap.parameter_order))):
        found.append(Diagnostic("SQ505", "`parameters()` has another order, and optimizer state goes by position"))
    if found_out is not None:
        found += comparison_diagnostics(found_out, places, asked, unproved)
    return tuple(dict.fromkeys(found))
