"""What is asked of a model: devices, example inputs, a key map, weights."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from seqify.compare.comparison import fitting
from seqify.compare.side import Side
from seqify.config import read_config
from seqify.diagnostics import Diagnostic
from seqify.errors import CannotAsk
from seqify.inputs import Inputs, find_inputs, from_values, parse_inputs
from seqify.load import Model
from seqify.observe import runs, stand_in
from seqify.target import parse_target

__all__ = ["check_names", "check_weights", "example_inputs", "find_devices", "read_names", "read_weights"]


def find_devices(asked: Sequence[str]) -> list[str]:
    """
    The devices by name; "auto" is the CPU, and CUDA where there is one.

    Raises:
        CannotAsk: SQ604, when one is not a device or not there.
    """
    found: list[str] = []
    for name in asked:
        if name == "auto":
            found += ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
            continue
        try:
            kind = torch.device(name).type
        except RuntimeError:
            raise CannotAsk(Diagnostic("SQ604", f"`{name}` is not a device")) from None
        if kind == "cuda" and not torch.cuda.is_available():
            raise CannotAsk(
                Diagnostic(
                    "SQ604",
                    f"`{name}` is not available on this machine",
                    help="leave `--device` out to check what is there",
                )
            )
        found.append(name)
    return list(dict.fromkeys(found))


def example_inputs(model: Model, given: Any, progress: Callable[[str], None]) -> Inputs:
    """
    Inputs as given, else the project's, else the file's own `seqify_inputs()`, else found by probing.

    Raises:
        CannotAsk: SQ005, when none were given and none were found.
    """
    module = model.instance
    if isinstance(given, str):
        given = [given]
    if isinstance(given, list | tuple) and given and all(isinstance(item, str) for item in given):
        return parse_inputs(module, list(given))
    if given is not None and not (isinstance(given, list | tuple) and not given):
        return from_values(module, given)
    if model.expression is not None:
        target = parse_target(model.name)
        texts = read_config(os.path.dirname(target.path or "") or ".").inputs_for(target)
        if texts:
            return parse_inputs(module, texts, "configured")
    function = getattr(model.module, "seqify_inputs", None)
    if callable(function):
        return from_values(module, function(), "file")
    progress("looking for an input")
    probe = stand_in(module)
    return find_inputs(module, lambda candidate: runs(probe, candidate))


def read_names(keymap: Mapping[str, str] | str | os.PathLike[str]) -> dict[str, str]:
    """
    For each key of the new module its key in the old one, from a file that `convert --map` wrote.

    Raises:
        CannotAsk: SQ608, when the file is no key map.
    """
    if isinstance(keymap, Mapping):
        return dict(keymap)
    try:
        content = json.loads(Path(keymap).read_text(encoding="utf-8"))
        found = content.get("keymap", content)
        return {str(new): str(old) for new, old in found.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise CannotAsk(Diagnostic("SQ608", f"`{os.fspath(keymap)}` is no key map: {error}")) from None


_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "module", "ema")


def read_weights(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """
    The tensors of a checkpoint, without what is wrapped around them.

    Raises:
        CannotAsk: SQ506, when it holds more than tensors and plain data, or no state_dict.
    """
    try:
        if os.fspath(path).endswith(".safetensors"):
            from safetensors.torch import load_file  # type: ignore[import-not-found, unused-ignore]

            found: Any = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CannotAsk(Diagnostic("SQ506", f"`{os.fspath(path)}` cannot be read: {text}")) from None
    for _ in range(2):
        content = found if isinstance(found, dict) else {}
        found = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), dict)), content)
    tensors = {key: item for key, item in found.items() if isinstance(item, torch.Tensor)}
    if not tensors:
        raise CannotAsk(Diagnostic("SQ506", f"`{os.fspath(path)}` holds no state_dict"))
    return tensors


def check_names(names: Mapping[str, str], old: Side, new: Side) -> None:
    """
    Whether a key map is one of these two modules.

    Raises:
        CannotAsk: SQ608, when it leaves a key of the new module without one that the old module has.
    """
    known, help_ = set(old.keys()), "is it a key map of these two modules, from new to old?"
    wanted = new.keys()
    for key in wanted:
        name = names.get(key, key)
        if name not in known:
            said = f"`{key}` is `{name}`" if key in names else f"nothing of `{key}`"
            message = f"the key map says {said}, and the old module has no such key"
            raise CannotAsk(Diagnostic("SQ608", message, help=help_))


def check_weights(weights: Mapping[str, torch.Tensor], path: str | os.PathLike[str], old: Side) -> None:
    """
    Whether a checkpoint is one of the old module.

    Raises:
        CannotAsk: SQ608, when it does not load.
    """
    try:
        old.prepare("cpu", None, state=fitting(weights, old.keys()))
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        message = f"`{os.fspath(path)}` does not load into the old module: {' '.join(lines[1:2] or lines)}"
        raise CannotAsk(Diagnostic("SQ608", message, help="is it a checkpoint of this class?")) from None
