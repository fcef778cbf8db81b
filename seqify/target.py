"""The target: what to convert, as the user names it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from seqify.diagnostics import Diagnostic
from seqify.errors import CannotAsk

__all__ = ["Target", "parse_target"]


@dataclass(frozen=True)
class Target:
    """`WHERE:NAME` or `WHERE:NAME(ARGUMENTS)`; exactly one of `path` and `module` is set."""

    text: str
    name: str
    path: str | None = None
    module: str | None = None
    call: ast.Call | None = None

    @property
    def arguments(self) -> str:
        """The call's arguments as they were written, with their brackets; `()` when there was no call."""
        if self.call is None:
            return "()"
        what = self.text[len(self.path or self.module or "") + 1 :]
        return what[what.index("(") :].strip()


def parse_target(text: str) -> Target:
    """
    Read a target such as `model.py:Net`, `package.module:Net`, `model.py:Net(width=64)` or `model.py:resnet18()`.

    Raises:
        CannotAsk: SQ001, when the text has none of these forms.
    """
    match = re.fullmatch(r"(?P<where>.+?\.py|[^\W\d][\w.]*):(?P<what>.+)", text.strip(), re.DOTALL)
    try:
        node = ast.parse(match["what"].strip(), mode="eval").body if match else None
    except SyntaxError:
        node = None
    call = node if isinstance(node, ast.Call) else None
    name = ast.unparse(call.func if call else node) if node is not None else ""
    if match is None or not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", name):
        raise CannotAsk(
            Diagnostic(
                "SQ001",
                f"`{text}` is not a target",
                help="write `path/model.py:Net`, `package.module:Net` or `model.py:Net(num_classes=10)`",
            )
        )
    where = match["where"]
    if where.endswith(".py"):
        return Target(text.strip(), name, path=where, call=call)
    return Target(text.strip(), name, module=where, call=call)
