"""The description of a module: what can be said of it without running it."""

from __future__ import annotations

import ast
import copy
import inspect
import io
import pickle
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from seqify.proof.digests import digest_of_numbers

__all__ = ["Description", "describe"]


@dataclass(frozen=True)
class Description:
    """
    What can be said of a module without running it.

    Attributes:
        kind: the name of its class.
        signature: of forward, without annotations.
        parameters: names in the order of `parameters()`.
        traits: by name of each parameter and buffer, `(shape, dtype, requires_grad, is a parameter, the first name of
            the same tensor)`.
        values: a digest of each of them.
        saved: the keys of its state_dict.
        hooks: how many hooks of each kind there are in all of it.
        hooked: what has hooks: paths of submodules, names of parameters.
        forward: where forward is written: file, row of its `def`, rows of its `return`s; None where that is unknown.
        training: its mode.
        others: the classes of the layers that are in another mode than the whole.
        copies: which of "deepcopy" and "pickle" work.
    """

    kind: str
    signature: tuple[tuple[str, str, str], ...]
    parameters: tuple[str, ...]
    traits: Mapping[str, tuple[Any, ...]]
    values: Mapping[str, str]
    saved: tuple[str, ...]
    hooks: Mapping[str, int]
    hooked: tuple[str, ...]
    forward: tuple[str, int, tuple[int, ...]] | None
    training: bool
    others: tuple[str, ...]
    copies: Mapping[str, bool]


def describe(module: nn.Module) -> Description:
    """Look at a module without running it."""
    first: dict[int, str] = {}
    traits, values = {}, {}
    parameters = dict(module.named_parameters(remove_duplicate=False))
    for name, item in {**parameters, **dict(module.named_buffers(remove_duplicate=False))}.items():
        owner = first.setdefault(id(item), name)
        traits[name] = (tuple(item.shape), item.dtype, item.requires_grad, name in parameters, owner)
        values[name] = digest_of_numbers(item)
    return Description(
        kind=type(module).__name__,
        signature=_signature(module),
        parameters=tuple(name for name, _ in module.named_parameters()),
        traits=traits,
        values=values,
        saved=tuple(module.state_dict()),
        hooks=_hooks(module),
        hooked=_hooked(module),
        forward=_forward(module),
        training=module.training,
        others=_others(module),
        copies={"deepcopy": _works(copy.deepcopy, module), "pickle": _works(_pickled, module)},
    )


def _signature(module: nn.Module) -> tuple[tuple[str, str, str], ...]:
    """Name, kind and default of each parameter of forward."""
    try:
        found = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(
        (item.name, item.kind.name, "" if item.default is item.empty else repr(item.default)) for item in found
    )


_HOOKS = [name for name, value in vars(nn.Module()).items() if "hooks" in name and hasattr(value, "__len__")]


def _hooks(module: nn.Module) -> dict[str, int]:
    found = {name: sum(len(vars(part).get(name) or ()) for part in module.modules()) for name in _HOOKS}
    found = {name: count for name, count in found.items() if count and not name.endswith(("_with_kwargs", "_called"))}
    tensors = sum(len(item._backward_hooks or ()) for item in module.parameters())
    return {**found, **({"tensor hooks": tensors} if tensors else {})}


def _hooked(module: nn.Module) -> tuple[str, ...]:
    parts = [path for path, part in module.named_modules() if any(vars(part).get(name) for name in _HOOKS)]
    return tuple(parts + [name for name, item in module.named_parameters() if item._backward_hooks])


def _others(module: nn.Module) -> tuple[str, ...]:
    """A Dropout, or a layer with a state, may do something else in the other mode; the rest does not count."""
    found = [part for part in module.modules() if part.training != module.training and not list(part.children())]
    return tuple(sorted(type(part).__name__ for part in found if part.state_dict() or "Dropout" in type(part).__name__))


def _forward(module: nn.Module) -> tuple[str, int, tuple[int, ...]] | None:
    try:
        lines, first = inspect.getsourcelines(type(module).forward)
        filename = inspect.getsourcefile(type(module).forward) or ""
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (AttributeError, TypeError, OSError, SyntaxError, ValueError):
        return None
    row = next((node.lineno for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)), 1)
    returns = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Return)]
    return filename, first + row - 1, tuple(first + line - 1 for line in returns)


def _works(function: Callable[[Any], Any], value: Any) -> bool:
    try:
        function(value)
    except Exception:
        return False
    return True


class _WithoutTensors(pickle.Pickler):
    def persistent_id(self, obj: Any) -> str | None:
        return "tensor" if isinstance(obj, Tensor) else None


def _pickled(module: nn.Module) -> None:
    _WithoutTensors(io.BytesIO()).dump(module)
