"""The converted model in memory: the old module's layers, moved to where the new class has them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from torch import nn

from seqify.classes import ClassSource
from seqify.emit.rows import constructor
from seqify.ops import HELPERS
from seqify.plan import Group, Plan

__all__ = ["adopt", "transplant"]


def transplant(old: nn.Module, plan: Plan, cls: ClassSource, converted: ModuleType) -> nn.Module:
    """
    A new model with copies of the old one's layers, so with its weights, device, dtype, mode, hooks and requires_grad.

    The constructor of the class is not called: for a live instance nobody knows its arguments.

    Args:
        old: the original; it is not changed.
        plan: the conversion.
        cls: the source of the original class.
        converted: the converted file, imported.
    """
    body = copy.deepcopy(old)
    children = body._modules
    if plan.layout == "function":
        made: nn.Module = _sequential(plan.groups[0], body, converted)
        made.training = old.training
        return made
    kind: Any = converted
    for part in cls.node.name.split(".") if "<locals>" in type(old).__qualname__ else type(old).__qualname__.split("."):
        kind = getattr(kind, part)
    new: nn.Module = kind.__new__(kind)
    new.__dict__.update(body.__dict__)
    if plan.layout == "flat":
        new._modules = dict(
            zip((row.key for row in plan.groups[0].rows), _layers(plan.groups[0], body, converted), strict=True)
        )
        return new
    new._modules = dict(children)
    for group in plan.groups:
        moved = [
            row.layer.attribute for row in group.rows if row.origin == "moved" and row.layer.attribute not in plan.keeps
        ]
        made = _sequential(group, body, converted)
        order = list(children)
        last = max((name for name in moved if name is not None), key=order.index, default=None)
        ordered: dict[str, nn.Module | None] = {}
        for name, child in new._modules.items():
            if name == last:
                ordered[group.name] = made
            if name not in moved:
                ordered[name] = child
        ordered.setdefault(group.name, made)
        new._modules = ordered
    return new


def adopt(old: nn.Module, plain: nn.Module, paths: Mapping[str, str]) -> nn.Module:
    """
    A copy of a plain class's module that holds copies of another module's own parts.

    Args:
        old: the module whose parts are copied, with all that they carry; it is not changed.
        plain: a module that was written to do the same.
        paths: for each of `old`'s submodules, parameters and buffers that `plain` has as an attribute, its name there.
    """
    body = copy.deepcopy(old)
    new = copy.copy(plain)
    new._modules, new._parameters, new._buffers = dict(plain._modules), dict(plain._parameters), dict(plain._buffers)
    new.training = old.training
    for path, name in paths.items():
        head, _, last = path.rpartition(".")
        part = getattr(body.get_submodule(head), last)
        if isinstance(part, nn.ModuleList) and isinstance(plain._modules.get(name), nn.Sequential):
            part = nn.Sequential(*part).train(part.training)
        held = next(held for held in (new._modules, new._parameters, new._buffers) if name in held)
        held[name] = part
    return new


def _sequential(group: Group, body: nn.Module, converted: ModuleType) -> nn.Sequential:
    made = nn.Sequential(*_layers(group, body, converted))
    made.training = body.training
    return made


def _layers(group: Group, body: nn.Module, converted: ModuleType) -> list[nn.Module]:
    layers = []
    for row in group.rows:
        if row.layer.attribute is None:
            names = {name: name for name in HELPERS if hasattr(converted, name)}
            text = constructor(row.layer, "_nn.", names)
            made: nn.Module = eval(text, {**vars(converted), "_nn": nn}, {"self": body})
            layers.append(made.train(body.training))
        else:
            child = body._modules[row.layer.attribute]
            assert child is not None
            layers.append(child if row.origin == "moved" else copy.deepcopy(child))
    return layers
