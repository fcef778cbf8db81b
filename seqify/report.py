"""The report: all that a command has to say, before it is said."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqify.compare.verdict import Check, Divergence, Spot
from seqify.diagnostics import Diagnostic, Location, Severity
from seqify.errors import CannotAsk, Refusal, SeqifyError
from seqify.files import write_atomically
from seqify.keymap import KeyMap
from seqify.proof.isomorphism import Proof

__all__ = ["Base", "ChainReport", "LayerReport", "Report", "Reports"]

SCHEMA = "seqify/1"


@dataclass(frozen=True)
class LayerReport:
    """One row of an `nn.Sequential`: its key, the constructor's text, and the attribute or function it came from."""

    name: str
    constructor: str
    origin: str
    location: Location | None


@dataclass(frozen=True)
class ChainReport:
    """One `nn.Sequential` of the result; without a name it is the model itself."""

    name: str
    layers: tuple[LayerReport, ...]


@dataclass(frozen=True)
class Base:
    """
    The git revision that the old side comes from.

    Attributes:
        name: as it was asked for.
        commit: its hash.
        short: its hash, abbreviated.
        top: the folder of the working tree.
    """

    name: str
    commit: str
    short: str
    top: str


@dataclass(frozen=True)
class Report:
    """
    What a conversion or a comparison came to.

    Of a conversion, `source` is the text of the converted file, `elsewhere` the same for another folder, `diff` the
    difference to the old one; `build` gives the converted model when it is evaluated in that file. Of a comparison,
    `target` is the old side and `other` the new one; `matched` says how their tensors were paired, `repro` is a script
    that shows a number that differs, and `base` the revision of the old side.
    """

    command: str
    target: str
    status: str
    exit_code: int
    versions: Mapping[str, str]
    layout: str | None = None
    inputs: tuple[Mapping[str, Any], ...] = ()
    calls: int = 0
    chains: tuple[ChainReport, ...] = ()
    keymap: KeyMap | None = None
    checks: tuple[Check, ...] = ()
    proof: Proof | None = None
    divergence: Divergence | None = None
    other: str | None = None
    base: Base | None = None
    matched: str = ""
    repro: str = field(default="", repr=False)
    specialised: tuple[tuple[str, bool, Location | None], ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    path: str | None = None
    original: str = field(default="", repr=False)
    source: str = field(default="", repr=False)
    elsewhere: str = field(default="", repr=False)
    encoding: str = "utf-8"
    diff: str = field(default="", repr=False)
    build: str | None = None
    written: str | None = None
    make: Callable[[], Any] | None = field(default=None, repr=False, compare=False)

    def module(self) -> Any:
        """
        A new model of the converted class, with the original's weights, device, dtype, mode and requires_grad.

        Raises:
            CannotAsk: SQ209, when nothing was converted.
        """
        if self.make is None:
            raise CannotAsk(Diagnostic("SQ209", f"`{self.target}` was not converted ({self.status})"))
        return self.make()

    def raise_if_different(self) -> None:
        """
        Nothing, where the exit code is 0.

        Raises:
            Refusal: the comparison found a difference, or a proof was asked for and is missing.
            CannotAsk: what was compared proves nothing.
        """
        if self.exit_code:
            first = [item for item in self.diagnostics if item.severity is Severity.ERROR] or list(self.diagnostics)
            raise (CannotAsk if self.status == "failed" else Refusal)(*first)

    def write(self, path: str | None = None) -> Path:
        """
        Write the converted file: to `path`, or over the original.

        Raises:
            CannotAsk: SQ601 when the result was found different, SQ611 when a proof was asked for and is missing,
                SQ209 when there is no result.
            OSError: the file cannot be written; it is then unchanged.
        """
        if self.status == "different":
            raise CannotAsk(Diagnostic("SQ601", "the result differs from the original and is not written"))
        if self.status == "tested" and self.exit_code:
            raise CannotAsk(Diagnostic("SQ611", "the result is not proved, and is not written"))
        if self.source and path is None and self.path is None:
            raise CannotAsk(Diagnostic("SQ401", "a new class has no file to replace", help="give it a path"))
        if not self.source:
            raise CannotAsk(Diagnostic("SQ209", f"`{self.target}` was not converted ({self.status})"))
        text = self.source
        if path is not None and os.path.dirname(os.path.realpath(path)) != os.path.dirname(
            os.path.realpath(self.path or "")
        ):
            text = self.elsewhere
        return write_atomically(path or self.path or "", text.encode(self.encoding))

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data: the JSON object of `--format json`."""
        content = {
            "schema": SCHEMA,
            "command": self.command,
            "target": self.target,
            **({"new": self.other} if self.other is not None else {}),
            **({"base": {"revision": self.base.name, "commit": self.base.commit}} if self.base is not None else {}),
            "status": self.status,
            "exit_code": self.exit_code,
            **self.versions,
            "layout": self.layout,
            "inputs": [dict(item) for item in self.inputs],
            "chains": [
                {
                    "name": chain.name,
                    "layers": [
                        {
                            "name": layer.name,
                            "constructor": layer.constructor,
                            "from": layer.origin,
                            "location": _place(layer.location),
                        }
                        for layer in chain.layers
                    ],
                }
                for chain in self.chains
            ],
            "keymap": dict(self.keymap.keys) if self.keymap else {},
            "parameter_order": list(self.keymap.parameter_order) if self.keymap else [],
            "proof": _proof(self.proof),
            "checks": [{**vars(check), "location": _place(check.location)} for check in self.checks],
            "divergence": _divergence(self.divergence),
            "specialised": [
                {"condition": condition, "value": value, "location": _place(place)}
                for condition, value, place in self.specialised
            ],
            "diagnostics": [_diagnostic(item) for item in self.diagnostics],
            "output": {"path": self.written, "build": self.build},
        }
        plain: dict[str, Any] = _finite(content)
        return plain

    def _repr_markdown_(self) -> str:
        # the renderers stand a floor above and read this class; a notebook asks the object itself
        from seqify.render.markdown import render_markdown

        return render_markdown(self)

    @classmethod
    def of_error(cls, command: str, target: str, error: SeqifyError, versions: Mapping[str, str]) -> Report:
        """The report of a command that stopped."""
        status = "refused" if error.exit_code == 1 else "failed"
        return cls(command, target, status, error.exit_code, versions, diagnostics=error.diagnostics)


# from the lightest to the gravest
_STATUSES = ("new", "unchanged", "equivalent", "tested", "converted", "refused", "different", "failed")


@dataclass(frozen=True)
class Reports:
    """The reports of several targets, of which the gravest counts."""

    command: str
    reports: tuple[Report, ...]
    versions: Mapping[str, str]

    @property
    def status(self) -> str:
        return max((item.status for item in self.reports), key=_STATUSES.index, default="failed")

    @property
    def exit_code(self) -> int:
        return max((item.exit_code for item in self.reports), default=2)

    def to_dict(self) -> dict[str, Any]:
        """All of them as one JSON object."""
        return {
            "schema": SCHEMA,
            "command": self.command,
            "status": self.status,
            "exit_code": self.exit_code,
            **self.versions,
            "reports": [item.to_dict() for item in self.reports],
        }


def _finite(value: Any) -> Any:
    """The same, with null for the numbers that JSON has no word for."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def _proof(proof: Proof | None) -> dict[str, Any]:
    if proof is None:
        return {"status": "unproved", "scope": None, "reason": "nothing was compared", "conditions": []}
    reason, scope = proof.reason or None, proof.scope or None
    return {"status": proof.status, "scope": scope, "reason": reason, "conditions": list(proof.conditions)}


def _divergence(found: Divergence | None) -> dict[str, Any] | None:
    if found is None:
        return None
    argument = None
    if found.argument is not None:
        argument = dict(zip(("name", "old", "new"), found.argument, strict=True))
    calls = [{**vars(pair), "old": _spot(pair.old), "new": _spot(pair.new)} for pair in found.calls]
    return {**vars(found), "old": _spot(found.old), "new": _spot(found.new), "argument": argument, "calls": calls}


def _spot(spot: Spot | None) -> dict[str, Any] | None:
    if spot is None:
        return None
    content = {**vars(spot), "filename": _shown(spot.filename), "location": _place(spot.place)}
    content.pop("place")
    if spot.constructed is not None:
        content["constructed"] = [_shown(spot.constructed[0]), spot.constructed[1]]
    return content


def _shown(filename: str) -> str:
    return Location(filename, 1).shown if filename else ""


def _place(location: Location | None) -> dict[str, Any] | None:
    return None if location is None else {"filename": location.shown, "row": location.row, "column": location.column}


def _diagnostic(item: Diagnostic) -> dict[str, Any]:
    place = item.location
    return {
        "code": item.code,
        "name": item.name,
        "severity": str(item.severity),
        "message": item.message,
        "help": item.help,
        "notes": list(item.notes),
        "filename": place.shown if place else None,
        "location": {"row": place.row, "column": place.column} if place else None,
    }
