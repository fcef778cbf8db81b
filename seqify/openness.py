"""Which submodules a recording opens, and which it keeps whole."""

# Glossary
#
#   whole    recorded as one call, whatever it does inside
#   opened   its own calls are recorded, as if its forward stood in its caller
#
#   depth 0       Net ── layer1 ── layer2                        the target's own forward
#   depth 1       Net ──[layer1: block, block]──[layer2: ...]    its submodules opened, theirs whole
#   depth full    down to torch.nn: conv, bn, relu, conv, bn, add, ...
#   depth blocks  what is itself a straight line; `observe.py` finds out which, and names the others in `whole`
#
# A layer of torch.nn and what is derived from one stay whole at every depth: a Sequential has a place for those. So
# does what carries more than its forward: hooks, parametrizations, a `__call__` of its own, TorchScript.

from __future__ import annotations

import functools
import inspect
import re
from dataclasses import dataclass, field

from torch import nn

from seqify.flow import Site
from seqify.looks import has_hooks

__all__ = ["Openness", "carries_more", "is_torch_layer"]

_LEAF = re.compile(r"#\s*seqify:\s*leaf\b")
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def is_torch_layer(module: nn.Module) -> bool:
    """Whether a module is one of torch's own, or derived from one: `nn.Linear`, a subclass of it, TorchScript."""
    for kind in type(module).__mro__:
        if kind is nn.Module or kind in _CONTAINERS:
            return False
        if kind.__module__.startswith("torch."):
            return True
    return False


def carries_more(module: nn.Module) -> str | None:
    """Why calling a module is more than running its forward; None when it is not."""
    if has_hooks(module):
        return "it has hooks"
    if "parametrizations" in module._modules:
        return "it is parametrized"
    if "forward" in vars(module):
        return "the instance has a forward of its own"
    if type(module).__call__ is not nn.Module.__call__:
        return "its class has a `__call__` of its own"
    return None


@dataclass
class Openness:
    """
    A depth, and the submodules and classes that were found to stay whole, each with the reason.

    `depth` is a number of levels; None opens everything down to torch.nn. `answers` says, for the places where forward
    asks a yes-or-no question about a tensor's values, which answer to give.
    """

    depth: int | None = 0
    paths: dict[str, str] = field(default_factory=dict)
    kinds: dict[type, str] = field(default_factory=dict)
    answers: dict[Site, bool] = field(default_factory=dict)

    def reason(self, module: nn.Module, path: str, level: int, parent: nn.Module) -> str | None:
        """
        Why a submodule stays whole; None when it is opened.

        Args:
            module: the submodule.
            path: its path in the target.
            level: how many opened submodules stand around it.
            parent: the innermost one of these, or the target.
        """
        if (self.depth is not None and level >= self.depth) or is_torch_layer(module):
            return ""
        found = carries_more(module) or self.paths.get(path) or self.kinds.get(type(module))
        if found is None and _is_marked(type(module), type(parent), path.rpartition(".")[2]):
            found = "`# seqify: leaf` says so"
        return found


def _is_marked(kind: type, parent: type, name: str) -> bool:
    if kind.__module__.startswith("torch."):
        return False
    if any(_LEAF.search(line) for line in _lines(kind) if re.match(r"\s*(class|def forward)\b", line)):
        return True
    return any(_LEAF.search(line) and re.match(rf"\s*self\.{re.escape(name)}\b", line) for line in _lines(parent))


@functools.lru_cache(maxsize=512)
def _lines(kind: type) -> tuple[str, ...]:
    """The lines of a class that hold the mark, or what it may stand beside; mostly none."""
    try:
        text = inspect.getsource(kind)
    except (OSError, TypeError):
        return ()
    return tuple(text.splitlines()) if "seqify:" in text else ()
