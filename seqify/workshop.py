"""A folder for texts that are being made, and their way into Python."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from types import ModuleType

from seqify.diagnostics import Diagnostic
from seqify.emit import Rewrite
from seqify.errors import CannotAsk, Refusal
from seqify.load import Model, load_file, load_over

__all__ = ["load_text", "package_of", "save_text"]


@functools.cache
def workshop() -> Path:
    """A folder for converted texts; TorchScript and tracebacks read them for as long as Python runs."""
    folder = tempfile.mkdtemp(prefix="seqify-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def load_text(rewrite: Rewrite, model: Model) -> ModuleType:
    """The new text, written to a file of its own and imported as the user's file would be."""
    old = model.module
    folder = Path(tempfile.mkdtemp(dir=workshop()))
    file = folder / f"{Path(rewrite.source.path).stem or 'module'}.py"
    file.write_bytes(rewrite.text.encode(rewrite.source.encoding))
    package = package_of(model)
    stem = f"{file.stem}_converted_{folder.name[-4:]}"
    name = f"{package}.{stem}" if package else stem
    try:
        if model.expression is None and old is not None:
            # a live instance may come from a script or a notebook, which must not run again
            return load_over(old, rewrite.source.text, file, name)
        try:
            return load_file(file, name, getattr(old, "__file__", None))
        except CannotAsk:
            if old is None:
                raise
            return load_over(old, rewrite.source.text, file, name)
    except CannotAsk as error:
        raise Refusal(
            Diagnostic("SQ901", f"the converted file cannot be imported: {error.diagnostic.message}")
        ) from None


def package_of(model: Model) -> str:
    """The package that a file's relative imports start from; empty for a file outside of any."""
    return getattr(model.module, "__package__", None) or ""


def save_text(text: str, stem: str) -> Path:
    """Write a text of seqify's own to a file of its own."""
    file = Path(tempfile.mkdtemp(dir=workshop())) / f"{stem}.py"
    file.write_text(text, encoding="utf-8")
    return file
