"""Python source for live modules, and for objects that their constructors take."""

# What a module is written as, by its class:
#
#     nn.Sequential, nn.ModuleList, nn.ModuleDict   from what it holds now
#     any other class of torch.nn                   from the record of its construction, else from its attributes
#     any other class, imported                     from the record of its construction
#
# leaf: a module of the last two kinds. Its text is evaluated and what comes out is compared with the live module, so
# that a record, which knows nothing of what happened later, is never taken on trust. A container of leaves is built and
# compared as a whole once more, for what is shared between them.
#
# frozen: no parameter of the module requires a gradient. That is written once, behind the outermost such module.

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from seqify.constructed import Construction, Constructions, equals_default
from seqify.emit.arguments import from_attributes, is_layer, parameters, takes_anything, takes_nothing, tidy
from seqify.emit.layout import Node, call, join, quoted
from seqify.emit.literal import CannotWrite, Imports, Literals
from seqify.emit.same import NeedsValues, require_same

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Writer"]

_BIG = 20_000_000  # numbers; a module of more is built on the meta device
_POSITIONAL = 2  # as many required arguments as a reader knows without their names


class Writer(Literals):
    """
    The writer of values and modules for one file.

    Args:
        made: how objects were built. Without it, classes other than those of `torch.nn` cannot be written.
        imports: what the file imports already, to which the names that the text needs are added.
    """

    def __init__(self, made: Constructions | None = None, imports: Imports | None = None) -> None:
        super().__init__(imports or Imports())
        self._made = made or Constructions()
        self._builds: dict[tuple[str, bool], Any] = {}
        self._paths: dict[int, str] = {}
        self._frozen = False
        self._big = False

    def expression(self, value: Any, indent: int = 0, lead: int = 0, path: str = "") -> str:
        """
        The expression that gives a value, a module above all, anew; and its imports in `imports`.

        The weights are not in it. Everything else is: what the text builds has been compared with the value.

        Args:
            value: a module, or anything that a constructor takes.
            indent: the columns that the line of the expression is indented by.
            lead: the columns that stand before the expression on its line, such as those of `self.layer = `.
            path: the dotted path of the value, for messages.

        Raises:
            CannotWrite: a part of the value cannot be written, or would not come out the same.

        >>> from torch import nn
        >>> Writer().expression(nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False))
        'nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)'
        """
        from torch import nn

        kept, self.imports = self.imports, self.imports.copy()
        if isinstance(value, nn.Module):
            modules = value.named_modules(prefix=path)
            self._paths = {id(module): where for where, module in modules}
            self._big = sum(item.numel() for item in (*value.parameters(), *value.buffers())) > _BIG
        try:
            node = self.node(value, path, path or "value")
            if not isinstance(value, nn.Module) or _is_container(value):
                require_same(value, self._build(node, path, self._big), path, values=not self._big)
            kept.update(self.imports)
        finally:
            self.imports = kept
            self._builds, self._paths, self._frozen, self._big = {}, {}, False, False
        return node.lay_out(indent, lead)

    def other(self, value: Any, path: str, label: str) -> Node:
        """
        The text of a module or another object.

        Raises:
            CannotWrite: it cannot be built again, or would not come out the same.
        """
        import torch
        from torch import nn

        if isinstance(value, nn.Module):
            return self._module(value, self._paths.get(id(value), join(path, label)))
        if isinstance(value, torch.Tensor):
            raise CannotWrite(path, f"`{label}` is a tensor")
        kind = type(value)
        if kind.__module__ == "builtins":
            return super().other(value, path, label)
        self.reference(kind, path, label)
        record = self._made.of(value)
        drafts = [record] if record is not None and record.kind is kind else []
        if hasattr(value, "__dict__"):
            drafts += from_attributes(value)
        return self._first(drafts, lambda node: self._checked(node, value, join(path, label)), path, kind.__name__)

    def _module(self, module: nn.Module, path: str) -> Node:
        outer = self._frozen
        frozen = not outer and {item.requires_grad for item in module.parameters()} == {False}
        self._frozen = outer or frozen
        try:
            if not _is_container(module):
                return self._leaf(module, path, outer)
            node = self._container(module, path)
            return node.before(".requires_grad_(False)") if frozen else node
        finally:
            self._frozen = outer

    def _leaf(self, module: nn.Module, path: str, outer: bool) -> Node:
        """A module from its constructor; `outer` says that the frozen parameters are somebody else's to freeze."""
        from torch.nn.utils.parametrize import is_parametrized

        kind = type(module)
        if is_parametrized(module):
            raise CannotWrite(path, f"`{path or kind.__name__}` has parametrizations")
        self.reference(kind, path, path)
        record, layer = self._made.of(module), is_layer(kind)
        recorded = record is not None and record.kind is kind and not (layer and takes_anything(kind))
        drafts = [record] if record is not None and recorded else []
        if layer or takes_nothing(kind):
            drafts += from_attributes(module)
        flags = {item.requires_grad for item in module.parameters()}
        meta = self._big or layer

        def check(node: Node) -> Node:
            built = self._build(node, path, meta)
            if not outer and len(flags) == 1 and type(built) is kind:
                if any(item.requires_grad not in flags for item in built.parameters()):
                    node = node.before(f".requires_grad_({'' if True in flags else 'False'})")
            return self._checked(node, module, path, meta, grads=not outer)

        return self._first(drafts, check, path, kind.__name__)

    def _first(self, drafts: list[Construction], check: Callable[[Node], Node], path: str, name: str) -> Node:
        """The text of the first draft that holds; else what is wrong with the first one."""
        problems = []
        for draft in drafts:
            try:
                return check(self._call(draft, path))
            except CannotWrite as error:
                problems.append(error)
        raise problems[0] if problems else CannotWrite(path, f"nothing recorded how `{name}` was built")

    def _call(self, made: Construction, path: str) -> Node:
        """The text of a construction: what is required first, the rest by name."""
        function, layer = self.reference(made.kind, path, path), is_layer(made.kind)
        known = parameters(made.kind)
        places = [item for item in known.values() if item.kind is not item.KEYWORD_ONLY]
        if len(made.args) > len(places):  # *args
            named = {name: self.node(item, path, name) for name, item in made.kwargs.items()}
            return call(function, [self.node(item, path, "args") for item in made.args], named)
        given = {item.name: value for item, value in zip(places, made.args, strict=False)} | dict(made.kwargs)
        leading = {item.name for item in places[:_POSITIONAL] if item.default is item.empty}
        args, kwargs = [], {}
        for name, value in given.items():
            parameter = known.get(name)
            if layer and parameter is not None:
                value = tidy(made.kind, name, value)
                if equals_default(value, parameter.default) or name == "device":
                    continue
                if name == "dtype" and str(value) == "torch.float32":
                    continue
            node = self.node(value, path, name)
            if name in leading or (parameter is not None and parameter.kind is parameter.POSITIONAL_ONLY):
                args.append(node)
            else:
                kwargs[name] = node
        return call(function, args, kwargs)

    def _container(self, module: nn.Module, path: str) -> Node:
        """An `nn.Sequential`, `nn.ModuleList` or `nn.ModuleDict` from what it holds."""
        name, function = type(module).__name__, self.reference(type(module), path, path)
        rows: dict[str, Node] = {}
        for key, child in module._modules.items():
            if child is None:
                raise CannotWrite(path, f"`{join(path, key)}` is None")
            rows[key] = self._module(child, self._paths.get(id(child), join(path, key)))
        if not rows:
            return call(function)
        pairs = [row.after(f"{quoted(key)}: ") for key, row in rows.items()]
        if name == "ModuleDict":
            return call(function, [Node("{", tuple(pairs), "}")])
        if list(rows) != [str(index) for index in range(len(rows))]:
            if name == "ModuleList":
                raise CannotWrite(path, f"the parts of `{path}` are not numbered from 0")
            ordered = self.imports.name("collections", "OrderedDict")
            if (stem := _numbered(list(rows))) is not None and len({row.flat for row in rows.values()}) == 1:
                pair = Node("(", (Node(f'f"{stem[0]}{{i}}"'), next(iter(rows.values()))), ")")
                count = f"{stem[1]}, {stem[1] + len(rows)}" if stem[1] else f"{len(rows)}"
                inner = Node(f"{ordered}(", (pair, Node(f"for i in range({count})")), ")", separator="")
                return call(function, [inner])
            pairs = [Node("(", (Node(quoted(key)), row), ")") for key, row in rows.items()]
            return call(
                function,
                [call(ordered, [Node("[", tuple(pairs), "]", len(pairs) > 1)])],
            )
        children = [module._modules[key] for key in rows]  # `children()` leaves out what stands there twice
        items = tuple(_merged(children, list(rows.values())))
        if name == "Sequential":
            return Node(f"{function}(", items, ")", rows=len(items) > 1)
        if len(items) == 1 and items[0].head == "*[":
            return call(function, [Node("[", items[0].items, "]", separator="")])
        return call(function, [Node("[", items, "]")])

    def _checked(self, node: Node, live: Any, path: str, meta: bool = False, grads: bool = True) -> Node:
        """The node, once what it builds is the same."""
        if meta:
            try:
                require_same(live, self._build(node, path, True), path, values=None, grads=grads)
                return node
            except NeedsValues:
                pass
        require_same(live, self._build(node, path, False), path, grads=grads)
        return node

    def _build(self, node: Node, path: str, meta: bool) -> Any:
        key = (node.flat, meta)
        if key not in self._builds:
            try:
                self._builds[key] = self.imports.evaluate(node.flat, meta)
            except Exception as error:
                if meta:
                    return self._build(node, path, False)
                told = str(error).partition("\n")[0]
                reason = f"`{_shortened(node.flat)}` raises {type(error).__name__}: {told}"
                raise CannotWrite(path, reason) from error
        return self._builds[key]


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _is_container(module: nn.Module | None) -> bool:
    from torch import nn

    return type(module) in (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def _numbered(names: list[str]) -> tuple[str, int] | None:
    """What names such as block1, block2, block3 begin with, and the first number."""
    stem = names[0].rstrip("0123456789")
    first = names[0].removeprefix(stem)
    if len(names) < 2 or not stem or not first.isdecimal() or any(sign in stem for sign in '{}"\\'):
        return None
    counted = [f"{stem}{int(first) + index}" for index in range(len(names))]
    return (stem, int(first)) if names == counted else None


def _merged(modules: list[nn.Module | None], rows: list[Node]) -> Iterator[Node]:
    """Rows with the same text, one behind the other, as a comprehension; but two activations stay two rows."""
    for text, group in itertools.groupby(range(len(rows)), key=lambda index: rows[index].flat):
        run = list(group)
        first = modules[run[0]]
        least = 3 if is_layer(type(first)) and not _is_container(first) else 2
        if text and len(run) >= least and len({id(modules[index]) for index in run}) == len(run):
            yield Node("*[", (rows[run[0]], Node(f"for _ in range({len(run)})")), "]", separator="")
        else:
            yield from (rows[index] for index in run)
