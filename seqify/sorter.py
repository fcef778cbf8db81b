"""Telling layers from breaks, one step of a forward at a time."""

from __future__ import annotations

import ast
from collections import Counter

from torch import nn

from seqify.classes import ClassSource
from seqify.flow import AttrRef, Flow, Loose, Step
from seqify.looks import has_hooks
from seqify.ops import Break, Layer, Words, match

__all__ = ["Sorter", "built_elsewhere", "is_stateless"]


def is_stateless(module: nn.Module) -> bool:
    """Whether a second instance does the same as a second call: a torch.nn layer that learns and keeps nothing."""
    return (
        type(module).__module__.startswith("torch.nn.modules.")
        and next(module.parameters(), None) is None
        and next(module.buffers(), None) is None
        and not isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict)
        and not has_hooks(module)
    )


def built_elsewhere(cls: ClassSource, name: str) -> tuple[str, str] | None:
    """Why the constructor's text for a layer cannot be taken up, as code and message; None when it can."""
    if cls.init is None:
        return "SQ404", f"`{cls.node.name}` inherits the `__init__` that builds `self.{name}`"
    statements = cls.storing(name)
    if not statements:
        return "SQ402", f"`self.{name}` is not assigned in `__init__`"
    if len(statements) > 1:
        return "SQ402", f"`self.{name}` is assigned {len(statements)} times in `__init__`"
    if statements[0].attribute != name:
        return "SQ402", f"`self.{name}` is built in a loop, a condition or together with others"
    if name in cls.assigned_elsewhere:
        return "SQ403", f"`self.{name}` is assigned outside `__init__` too"
    return None


class Sorter:
    """Tells layers from breaks, one step at a time."""

    def __init__(self, flow: Flow, cls: ClassSource, words: Words, module: nn.Module) -> None:
        self.cls, self.words = cls, words
        self.children = dict(module.named_children())
        names = Counter(id(child) for child in module._modules.values() if child is not None)
        self.aliased = {name for name, child in module._modules.items() if child is not None and names[id(child)] > 1}
        self.calls = Counter(step.target for step in flow.steps if step.kind == "module")
        self.copied: dict[str, bool] = {}
        self.sites = Counter(step.site for step in flow.steps)

    def sort(self, step: Step) -> Layer | Break:
        def broken(code: str, message: str) -> Break:
            return Break(step.index, code, message)

        text = self._text(step)
        if step.site is None:
            return broken("SQ409", f"`{step.target}` is called where no source can be seen")
        if not self.cls.holds(step.site):
            return broken("SQ409", f"`{step.target}` is called in `{step.site.function}`, not in forward itself")
        if step.kind == "module" and step.target.startswith("?"):
            return broken("SQ210", f"{step.target[1:] or 'a module made in forward'} is registered nowhere")
        values = list(step.values())
        if any(isinstance(value, AttrRef | Loose) for value in values):
            return broken("SQ307", f"`{text}` takes a tensor of the class itself")
        if len(values) > 1:
            return broken("SQ202", f"`{text}` takes {len(values)} tensors")
        if not values:
            return broken("SQ301", f"`{text}` takes no tensor")
        if step.shape is None:
            return broken("SQ203", f"`{text}` returns several values")
        node = self.cls.expression_at(step.site)
        if node is None:
            return broken("SQ301", f"`{text}` is not written as a call that a layer could stand for")
        if self.cls.statement_of(node) is None:
            return broken("SQ409", f"`{text}` stands in a loop, a condition or a block")
        if self.sites[step.site] > 1:
            return broken("SQ301", f"one call makes {self.sites[step.site]} operations")
        if step.kind == "function":
            return match(step, node, self.words)
        return self._module(step, node)

    def _copies(self, name: str) -> bool:
        """
        Whether a second instance of a layer without state can stand for its second call.

        It is built by its class, with any arguments, and nobody reaches for the one instance, to change or to hook it.
        """
        if name not in self.copied:
            self.copied[name] = is_stateless(self.children[name]) and self._is_alone(name)
        return self.copied[name]

    def _is_alone(self, name: str) -> bool:
        statements = self.cls.storing(name)
        value = getattr(statements[0].node, "value", None) if statements else None
        if not isinstance(value, ast.Call) or self.cls.class_called(value) is not type(self.children[name]):
            return False
        forward = self.cls.forward
        called = (
            {id(part.func) for part in ast.walk(forward) if isinstance(part, ast.Call)}
            if forward is not None
            else set()
        )
        return not any(
            isinstance(node, ast.Attribute)
            and node.attr == name
            and isinstance(node.ctx, ast.Load)
            and id(node) not in called
            and not (self.cls.is_foreign(node))
            for node in ast.walk(self.cls.source.tree)
        )

    def _text(self, step: Step) -> str:
        """A step in the user's words, on one line."""
        site, source = step.site, self.cls.source
        if site is None or not self.cls.holds(site):
            return step.target
        words = source.text[source.offset(site.row, site.column) : source.offset(site.end_row, site.end_column)].split()
        text = " ".join(words)
        return text if len(text) <= 60 else f"{text[:57]}..."

    def _module(self, step: Step, node: ast.expr) -> Layer | Break:
        name = step.target
        forward = self.cls.forward
        me = self.cls.self_name(forward) if forward is not None else None
        function = node.func if isinstance(node, ast.Call) else None
        if "." in name:
            return Break(step.index, "SQ402", f"`self.{name}` is held in another module")
        if not (
            isinstance(node, ast.Call)
            and isinstance(function, ast.Attribute)
            and isinstance(function.value, ast.Name)
            and (function.value.id, function.attr) == (me, name)
            and len(node.args) == 1
            and not node.keywords
            and not isinstance(node.args[0], ast.Starred)
        ):
            return Break(step.index, "SQ202", f"`self.{name}` is not called as `self.{name}(x)`")
        reason = built_elsewhere(self.cls, name)
        if reason is not None and not isinstance(self.children[name], nn.Sequential):
            return Break(step.index, *reason)
        if name in self.aliased:
            return Break(step.index, "SQ204", f"`self.{name}` is one module under two names")
        if self.calls[name] > 1 and not self._copies(name):
            return Break(step.index, "SQ204", f"`self.{name}` is called {self.calls[name]} times")
        return Layer(step.index, node, node.args[0], name, attribute=name)
