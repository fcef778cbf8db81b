"""Python source for plain values, and the imports that it needs."""

# Values are written as the trees of `layout`, and the names of classes and functions on the way collect in Imports:
#
#     partial(nn.LayerNorm, eps=1e-06)      from functools import partial
#                                           from torch import nn
#
# label: what a message calls the value, such as the name of the argument that it is given for.

from __future__ import annotations

import builtins
import cmath
import enum
import functools
import importlib
import math
import random
import sys
import types
import warnings
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from seqify.emit.layout import WIDTH, Node, call, quoted
from seqify.names import fresh

__all__ = ["CannotWrite", "Imports", "Literals"]


class CannotWrite(Exception):
    """A part of a model that no text builds again. `path` is its dotted path, `reason` says why in words."""

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(reason if not path or f"`{path}" in reason else f"`{path}`: {reason}")


class Imports:
    """
    The imports that some text needs.

    A name that is in use, by another import or by the file that the text is for, gets a number behind it.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {*taken, *dir(builtins)}
        self._bound: dict[str, tuple[str, str]] = {}

    def name(self, module: str, attribute: str = "", alias: str = "") -> str:
        """The name that stands for a module, or for what is in it, after the imports."""
        for name, bound in self._bound.items():
            if bound == (module, attribute):
                return name
        wanted = alias or attribute or module.partition(".")[0]
        name = fresh(wanted, self.taken)
        self._bound[name] = (module, attribute)
        return name

    @property
    def taken(self) -> set[str]:
        """The names that are in use."""
        return {*self._taken, *self._bound}

    def __contains__(self, name: str) -> bool:
        return name in self._taken or name in self._bound

    def copy(self) -> Imports:
        other = Imports(self._taken)
        other._bound = dict(self._bound)
        return other

    def update(self, other: Imports) -> None:
        """Take over the names of a copy of these imports."""
        self._bound.update(other._bound)

    @property
    def lines(self) -> tuple[str, ...]:
        """The import statements, sorted as isort would, with an empty line behind the standard library's."""
        sections: list[list[str]] = [[], []]
        for standard, lines in ((True, sections[0]), (False, sections[1])):
            named: dict[str, list[str]] = {}
            for name, (module, attribute) in self._bound.items():
                if (module.partition(".")[0] in sys.stdlib_module_names) is not standard:
                    continue
                whole = attribute or module
                text = whole if name == whole else f"{whole} as {name}"
                named.setdefault(module if attribute else "", []).append(text)
            lines += [f"import {text}" for text in sorted(named.pop("", []))]
            for module in sorted(named, key=str.lower):
                names = sorted(named[module], key=lambda text: (not text.isupper(), not text[0].isupper(), text))
                line = f"from {module} import {', '.join(names)}"
                if len(line) > WIDTH:
                    line = Node(f"from {module} import (", tuple(map(Node, names)), ")").lay_out(0)
                lines.append(line)
        return (*sections[0], *([""] if all(sections) else []), *sections[1])

    def evaluate(self, text: str, meta: bool = False) -> Any:
        """
        The value of an expression that knows these imports and nothing else; the random state is put back.

        Args:
            text: the expression.
            meta: whether tensors are made on the meta device, without storage.

        Raises:
            Exception: whatever the imports and the expression raise.
        """
        import torch

        names: dict[str, Any] = {}
        state, dtype = random.getstate(), torch.get_default_dtype()
        devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
        with torch.random.fork_rng(devices=devices), warnings.catch_warnings(), torch.inference_mode(False):
            warnings.simplefilter("ignore")
            exec("\n".join(self.lines), names)
            torch.set_default_dtype(torch.float32)
            try:
                with torch.enable_grad(), torch.device("meta" if meta else "cpu"):
                    return eval(text, names)
            finally:
                torch.set_default_dtype(dtype)
                random.setstate(state)


class Literals:
    """A writer of values. What it cannot write it hands to `other`, for a subclass that can."""

    def __init__(self, imports: Imports) -> None:
        self.imports = imports

    def node(self, value: Any, path: str, label: str) -> Node:
        """
        The text of a value.

        Raises:
            CannotWrite: no text gives this value in another file.
        """
        import torch

        kind = type(value)
        if value is None or kind in (bool, int, bytes):
            return Node(repr(value))
        if value is Ellipsis:
            return Node("...")
        if kind is str:
            return Node(quoted(value))
        if kind is float:
            return Node(repr(value) if math.isfinite(value) else f'float("{value!r}")')
        if kind is complex:
            parts = (self.node(part, path, label) for part in (value.real, value.imag))
            return Node(repr(value)) if cmath.isfinite(value) else call("complex", parts)
        if isinstance(value, enum.Enum) and value.name in kind.__members__:
            return Node(f"{self.reference(kind, path, label)}.{value.name}")
        if kind in (torch.dtype, torch.layout, torch.memory_format, torch.qscheme):
            return Node(f"{self.imports.name('torch')}.{str(value).removeprefix('torch.')}")
        if kind is torch.device:
            return call(f"{self.imports.name('torch')}.device", [Node(quoted(str(value)))])
        if kind is functools.partial:
            args = [self.node(item, path, label) for item in (value.func, *value.args)]
            kwargs = {name: self.node(item, path, label) for name, item in value.keywords.items()}
            return call(self.imports.name("functools", "partial"), args, kwargs)
        if kind in (range, slice):
            bounds = [value.start, value.stop, value.step]
            bounds = bounds[: 2 if bounds[2] in (None, 1) else 3]
            return call(kind.__name__, [self.node(item, path, label) for item in bounds])
        if isinstance(value, tuple | list | set | frozenset | dict):
            return self.container(value, path, label)
        if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType | types.MethodType):
            return Node(self.reference(value, path, label))
        if isinstance(value, types.ModuleType):
            return Node(self.imports.name(value.__name__, alias=value.__name__.replace(".", "_")))
        return self.other(value, path, label)

    def container(self, value: Any, path: str, label: str) -> Node:
        """The text of a tuple, list, set or dict, or of one of the usual subclasses."""
        import torch

        kind = type(value)
        if kind in (dict, OrderedDict):
            keys = [self.node(key, path, label).flat for key in value]
            rows = [self.node(item, path, label) for item in value.values()]
            plain = Node("{", tuple(row.after(f"{key}: ") for key, row in zip(keys, rows, strict=True)), "}")
            return plain if kind is dict else call(self.imports.name("collections", "OrderedDict"), [plain])
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            fields = {name: self.node(getattr(value, name), path, label) for name in value._fields}
            return call(self.reference(kind, path, label), kwargs=fields)
        items = tuple(self.node(item, path, label) for item in value)
        if kind in (set, frozenset):
            items = tuple(sorted(items, key=lambda item: item.flat))
            plain = Node("{", items, "}")
            return call(kind.__name__, [plain] if items else []) if kind is frozenset or not items else plain
        if kind is tuple:
            return Node("(", items, ")", lone="," if len(items) == 1 else "")
        if kind is torch.Size:
            return call(f"{self.imports.name('torch')}.Size", [Node("[", items, "]")])
        if kind is list:
            return Node("[", items, "]")
        return self.other(value, path, label)

    def other(self, value: Any, path: str, label: str) -> Node:
        """
        The text of any other object.

        Raises:
            CannotWrite: always; there is no literal for it.
        """
        kind = type(value).__name__
        raise CannotWrite(path, f"`{label}` is {'an' if kind[0] in 'AEIOUaeiou' else 'a'} {kind}")

    def reference(self, value: Any, path: str, label: str) -> str:
        """
        The name of a class or function.

        Raises:
            CannotWrite: a lambda, or nothing that an import would give.
        """
        name, where = getattr(value, "__qualname__", ""), getattr(value, "__module__", None) or ""
        last = getattr(value, "__name__", "")
        if getattr(builtins, last, None) is value:
            return last
        for module, inside in _TORCH:
            if getattr(sys.modules[module], last, None) is value and not (isinstance(value, type) and inside == "F"):
                return self._torch_name(inside, last)
        if last == "<lambda>":
            raise CannotWrite(path, f"`{label}` is a lambda")
        if "<locals>" in name:
            raise CannotWrite(path, f"`{last}` is defined inside a function")
        if where == "__main__":
            raise CannotWrite(path, f"`{last}` is defined in `__main__`, which no other file can import")
        where = {"_operator": "operator"}.get(where, where)
        if not name or not _importable(value, where, name):
            shown = f"`{where}.{name}`" if where and name else "a module"
            raise CannotWrite(path, f"`{last or label}` cannot be imported: it is not what {shown} is")
        outer, dot, inner = name.partition(".")
        return self.imports.name(where, outer) + dot + inner

    def _torch_name(self, inside: str, name: str) -> str:
        if inside == "F":
            return f"{self.imports.name('torch.nn.functional', alias='F')}.{name}"
        if inside == "torch":
            return f"{self.imports.name('torch')}.{name}"
        return f"{self.imports.name('torch', 'nn')}{inside.removeprefix('nn')}.{name}"


_TORCH = (("torch.nn", "nn"), ("torch.nn.functional", "F"), ("torch", "torch"), ("torch.nn.init", "nn.init"))


def _importable(value: Any, module: str, name: str) -> bool:
    """Whether a fresh interpreter, with this one's `sys.path`, would find the value under this name."""
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        top = module.partition(".")[0]
        fresh_find = any(finder.find_spec(top, None) is not None for finder in sys.meta_path)
    except Exception:
        return False
    return fresh_find and (found is value or (isinstance(value, types.MethodType) and found == value))
