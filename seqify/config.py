"""The project's settings: `[tool.seqify]` in the nearest `pyproject.toml`."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from seqify.diagnostics import Diagnostic, Location
from seqify.errors import CannotAsk
from seqify.target import Target, parse_target

__all__ = ["Config", "TargetConfig", "read_config"]


@dataclass(frozen=True)
class TargetConfig:
    """One `[[tool.seqify.target]]`: a target and the inputs that go with it."""

    target: Target
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Config:
    """What a project says about its conversions."""

    root: Path | None = None
    min_length: int | None = None
    targets: tuple[TargetConfig, ...] = ()

    def inputs_for(self, target: Target) -> tuple[str, ...]:
        """The inputs configured for this target, whatever arguments the target carries; () when there are none."""
        for entry in self.targets:
            if entry.target.name == target.name and self._same_place(entry.target, target):
                return entry.inputs
        return ()

    def _same_place(self, configured: Target, asked: Target) -> bool:
        if configured.path is None or asked.path is None or self.root is None:
            return configured.module == asked.module and configured.path == asked.path
        return os.path.realpath(self.root / configured.path) == os.path.realpath(asked.path)


def read_config(start: str | os.PathLike[str]) -> Config:
    """
    Read the settings that hold for a file or folder, from the nearest `pyproject.toml` at or above it.

    Raises:
        CannotAsk: SQ001, when the file is not TOML or a setting has the wrong form.
    """
    place = Path(start).resolve()
    for folder in (place, *place.parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            return _parse(path)
    return Config()


def _parse(path: Path) -> Config:
    def wrong(message: str) -> CannotAsk:
        return CannotAsk(Diagnostic("SQ001", message, Location(str(path), 1)))

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise wrong(f"not valid TOML ({error})") from None
    table = table.get("seqify", {}) if isinstance(table, dict) else table
    if not isinstance(table, dict):
        raise wrong("`[tool.seqify]` is not a table")
    unknown = sorted(set(table) - {"min-length", "target"})
    if unknown:
        raise wrong(f"unknown setting in `[tool.seqify]` ({', '.join(unknown)})")
    min_length = table.get("min-length")
    if min_length is not None and (type(min_length) is not int or min_length < 1):
        raise wrong(f"`min-length` in `[tool.seqify]` is not a whole number above 0 ({min_length})")
    targets = []
    entries = table.get("target", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise wrong("a target is written as `[[tool.seqify.target]]`")
    for entry in entries:
        inputs = entry.get("inputs", [])
        texts = isinstance(inputs, list) and all(isinstance(item, str) for item in inputs)
        if not isinstance(entry.get("target"), str) or not texts:
            raise wrong('each `[[tool.seqify.target]]` has `target = "..."` and `inputs = ["..."]`')
        targets.append(TargetConfig(parse_target(entry["target"]), tuple(inputs)))
    return Config(path.parent, min_length, tuple(targets))
