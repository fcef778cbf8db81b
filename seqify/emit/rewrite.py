"""The rewritten file, and the rules it has to keep before anybody sees it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from seqify.classes import ClassSource
from seqify.diagnostics import Diagnostic
from seqify.emit.constructor import Style
from seqify.emit.flat import emit_flat
from seqify.emit.function import emit_function
from seqify.emit.grouped import emit_grouped
from seqify.emit.imports import add_import, nn_prefix, remove_unused
from seqify.errors import Refusal
from seqify.names import fresh
from seqify.ops import HELPERS
from seqify.plan import Plan
from seqify.source import Edit, SourceFile, apply_edits

__all__ = ["Rewrite", "emit"]


@dataclass(frozen=True)
class Rewrite:
    """A new text for a file. `helpers` are the small classes that were added to it."""

    source: SourceFile
    text: str
    edits: tuple[Edit, ...]
    helpers: tuple[str, ...]


def emit(plan: Plan, cls: ClassSource) -> Rewrite:
    """
    Rewrite the file of a class as planned.

    Raises:
        Refusal: SQ901, when the result breaks one of the rules: it parses, no comment is lost.
    """
    source = cls.source
    needed = sorted({row.layer.helper for group in plan.groups for row in group.rows if row.layer.helper})
    names = {name: fresh(name, (set(cls.names) - _same_helpers(cls, name)) | cls.init_locals) for name in needed}
    prefix = nn_prefix(cls.names)
    imports = [] if prefix else ["from torch import nn"]
    style = Style(prefix or "nn.", names, _unit(cls))
    emitter = {"flat": emit_flat, "grouped": emit_grouped, "function": emit_function}[plan.layout]
    edits = emitter(plan, cls, style)
    missing = [name for name in needed if not _same_helpers(cls, name)]
    if missing:
        if "torch" not in cls.names:
            imports.append("import torch")
        edits.append(_helpers(cls, missing, names, style))
    if plan.layout == "flat" and "OrderedDict" not in cls.names:
        imports.append("from collections import OrderedDict")
    edits += [add_import(source, statement) for statement in sorted(imports)]
    text = apply_edits(source, edits)
    _check(source, text)
    text = remove_unused(source, text)
    _check(source, text)
    return Rewrite(source, text, tuple(edits), tuple(names[name] for name in missing))


def _unit(cls: ClassSource) -> str:
    """One level of indent, as the class body shows it."""
    outer = cls.source.indent(cls.node.lineno)
    inner = cls.source.indent(cls.node.body[0].lineno)
    return inner.removeprefix(outer) or "    "


def _same_helpers(cls: ClassSource, name: str) -> set[str]:
    """The helper's name, when the file has that very class already: from an earlier conversion in it."""
    wanted = ast.dump(ast.parse(HELPERS[name].text).body[0])
    for node in cls.source.tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name and ast.dump(node) == wanted:
            return {name}
    return set()


def _helpers(cls: ClassSource, needed: Sequence[str], names: dict[str, str], style: Style) -> Edit:
    """The helper classes, above the definition that holds the class."""
    source = cls.source
    top = next(node for node in source.tree.body if node.lineno <= cls.node.lineno <= (node.end_lineno or 0))
    decorators = getattr(top, "decorator_list", [])
    row = min([top.lineno, *(decorator.lineno for decorator in decorators)])
    while row > 1 and (comment := source.comments.get(row - 1)) is not None and comment.alone:
        row -= 1
    texts = []
    for name in needed:
        text = HELPERS[name].text.replace(f"class {name}(", f"class {names[name]}(")
        text = text.replace("nn.", style.nn) if style.nn != "nn." else text
        texts.append(text.replace("    ", style.unit) + "\n\n")
    start = source.row_start(row)
    return Edit(start, start, "".join(texts))


def _check(old: SourceFile, text: str) -> None:
    """What every result has to keep, whatever the plan was."""
    new = SourceFile(old.path, text, old.encoding)
    try:
        ast.parse(text)
        after = Counter(comment.text for comment in new.comments.values())
    except SyntaxError as error:
        raise Refusal(Diagnostic("SQ901", f"the produced text does not parse ({error})")) from None
    before = Counter(comment.text for comment in old.comments.values())
    lost = [text for text in before if text not in after]
    if lost:
        raise Refusal(Diagnostic("SQ901", f"the produced text loses a comment (`{lost[0]}`)"))
