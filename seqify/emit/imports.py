"""Imports: those that a rewrite no longer needs, and those that it needs now."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Mapping
from typing import Any

from seqify.source import Edit, SourceFile, apply_edits

__all__ = ["absolute_imports", "add_import", "nn_prefix", "remove_unused"]


def nn_prefix(names: Mapping[str, Any]) -> str | None:
    """How a file reaches `torch.nn`, with the dot: `nn.`, `torch.nn.`; None when it does not."""
    for name in ("nn", *names):
        if _is_module(names.get(name), "torch.nn"):
            return f"{name}."
    for name, value in names.items():
        if _is_module(value, "torch"):
            return f"{name}.nn."
    return None


def _is_module(value: Any, name: str) -> bool:
    return inspect.ismodule(value) and value.__name__ == name


def _names_used(tree: ast.Module) -> set[str]:
    """Every name that the file reads, in code, in quoted annotations and in `__all__`."""
    used = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            used.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200:
            try:
                quoted = ast.parse(node.value, mode="eval")
            except (SyntaxError, ValueError):
                continue
            used |= {part.id for part in ast.walk(quoted) if isinstance(part, ast.Name)}
    return used


def remove_unused(old: SourceFile, text: str) -> str:
    """
    The new text without the imports from torch that only the old text needed.

    An import that the old text did not use either is left alone, and so is an import behind which a comment stands.
    """
    new = SourceFile(old.path, text, old.encoding)
    before, after = _names_used(old.tree), _names_used(new.tree)
    edits = []
    for node in new.tree.body:
        if not isinstance(node, ast.Import | ast.ImportFrom) or node.end_lineno in new.comments:
            continue
        if not new.alone_on_rows(node):
            continue
        keep = [alias for alias in node.names if not _is_idle(node, alias, before, after)]
        if len(keep) == len(node.names):
            continue
        if not keep:
            edits.append(Edit(new.row_start(node.lineno), new.row_start((node.end_lineno or 0) + 1), ""))
        elif not new.comments_between(*new.span(node)):
            for index, alias in enumerate(node.names):
                if alias not in keep:
                    edits.append(_without(new, node, index))
    return apply_edits(new, edits)


def absolute_imports(source: SourceFile, package: str) -> str:
    """The text with `from .blocks import X` as `from package.blocks import X`, so that it runs from any folder."""
    edits = []
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        parents = package.split(".")
        base = ".".join(parents[: len(parents) - node.level + 1])
        start, end = source.span(node)
        text = source.text[start:end]
        dots = text.index(".")
        name = text[dots:].split(None, 1)[0]
        edits.append(Edit(start + dots, start + dots + len(name), f"{base}.{node.module}" if node.module else base))
    return apply_edits(source, edits)


def _is_idle(node: ast.Import | ast.ImportFrom, alias: ast.alias, before: set[str], after: set[str]) -> bool:
    module = alias.name if isinstance(node, ast.Import) else node.module or ""
    if module.split(".")[0] != "torch" or (isinstance(node, ast.ImportFrom) and node.level):
        return False
    if isinstance(node, ast.Import) and alias.asname is None and "." in alias.name:
        return False  # `import torch.nn.functional` binds torch, and makes the submodule known
    name = alias.asname or alias.name
    return name in before and name not in after


def _without(source: SourceFile, node: ast.Import | ast.ImportFrom, index: int) -> Edit:
    def offset(alias: ast.alias, end: bool) -> int:
        return source.offset(
            *(alias.end_lineno or 0, alias.end_col_offset or 0) if end else (alias.lineno, alias.col_offset)
        )

    if index + 1 < len(node.names):
        return Edit(offset(node.names[index], False), offset(node.names[index + 1], False), "")
    return Edit(offset(node.names[index - 1], True), offset(node.names[index], True), "")


def add_import(source: SourceFile, statement: str) -> Edit:
    """
    An edit that inserts an import: the standard library's before the first import that is not from `__future__`, any
    other behind the last one of the top block.
    """
    imports = [node for node in source.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    imports = [node for node in imports if not (isinstance(node, ast.ImportFrom) and node.module == "__future__")]
    if not imports:
        body = source.tree.body
        first = body[1] if ast.get_docstring(source.tree, clean=False) is not None and len(body) > 1 else body[0]
        start = source.row_start(first.lineno)
        return Edit(start, start, f"{statement}\n\n")
    if statement.startswith("from collections"):
        standard = _standard(imports)
        if standard is None:
            row = imports[0].lineno
            while (comment := source.comments.get(row - 1)) is not None and comment.alone and row > 2:
                row -= 1
            blank = "" if _opens_with_standard(imports) else "\n"
            return Edit(source.row_start(row), source.row_start(row), f"{statement}\n{blank}")
        end = source.row_start((standard.end_lineno or 0) + 1)
        return Edit(end, end, f"{statement}\n")
    torch_imports = [node for node in imports if "torch" in ast.unparse(node)]
    if statement == "import torch" and torch_imports:
        start = source.row_start(torch_imports[0].lineno)
        return Edit(start, start, f"{statement}\n")
    end = source.row_start(((torch_imports or imports)[-1].end_lineno or 0) + 1)
    return Edit(end, end, f"{statement}\n")


def _standard(imports: list[ast.Import | ast.ImportFrom]) -> ast.stmt | None:
    """The last import of the standard library at the top that sorts before `collections`."""
    found: ast.stmt | None = None
    for node in imports:
        name = node.names[0].name if isinstance(node, ast.Import) else node.module or ""
        if name.split(".")[0] not in sys.stdlib_module_names or (isinstance(node, ast.ImportFrom) and node.level):
            break
        if isinstance(node, ast.Import) or name < "collections":
            found = node
    return found


def _opens_with_standard(imports: list[ast.Import | ast.ImportFrom]) -> bool:
    """Whether the first import is of the standard library, so that another one joins it without a blank row."""
    first = imports[0]
    name = first.names[0].name if isinstance(first, ast.Import) else first.module or ""
    return name.split(".")[0] in sys.stdlib_module_names
