"""The source of one module class: its constructor's statements, its forward, and who reads which attribute."""

from __future__ import annotations

import ast
import bisect
import inspect
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from seqify.flow import Site
from seqify.source import SourceFile

__all__ = ["ClassSource", "FunctionNode", "Statement", "find_class", "is_super_init", "names_loaded", "names_stored"]

# An expression inside one of these may run never, or more than once.
_NOT_ONCE = (ast.Lambda, ast.IfExp, ast.BoolOp, ast.comprehension, ast.ListComp, ast.SetComp, ast.DictComp,
             ast.GeneratorExp)  # fmt: skip

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Statement:
    """
    One statement of a constructor's body.

    `attribute` is set when it has the form `self.name = value` and stands alone on its rows; such a statement can move.
    """

    index: int
    node: ast.stmt
    attribute: str | None
    stores: frozenset[str]  # attributes of self that it assigns, anywhere in it
    reads: frozenset[str]  # attributes of self that it reads
    names_loaded: frozenset[str]
    names_stored: frozenset[str]
    changes: frozenset[str]  # plain names whose objects it may change: `cfg["p"] = 1`, `dims.pop()`, `next(it)`
    uses_self: bool  # other than to read or assign an attribute, or through a method


def names_loaded(node: ast.AST) -> set[str]:
    """Plain names that are read anywhere in a node."""
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}


def names_stored(node: ast.AST) -> set[str]:
    """Plain names that are assigned, deleted or imported anywhere in a node."""
    found = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load)}
    for part in ast.walk(node):
        if isinstance(part, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in part.names}
        elif isinstance(part, FunctionNode | ast.ClassDef | ast.ExceptHandler):
            found.add(part.name or "")
    return found


@dataclass(frozen=True)
class ClassSource:
    """A class definition in a file; `names` are the globals its functions see."""

    source: SourceFile
    node: ast.ClassDef
    names: dict[str, Any]

    @cached_property
    def methods(self) -> dict[str, FunctionNode]:
        return {item.name: item for item in self.node.body if isinstance(item, FunctionNode)}

    @property
    def init(self) -> FunctionNode | None:
        return self.methods.get("__init__")

    @cached_property
    def forward(self) -> FunctionNode | None:
        """The method that does the work of forward: itself, or the one that it merely passes its arguments to."""
        written = self.methods.get("forward")
        hands_over = self._handed_to(written) if written is not None else None
        return self.methods.get(hands_over, written) if hands_over else written

    @property
    def delegates(self) -> bool:
        """Whether forward hands its arguments to another method and does nothing else."""
        return self.forward is not self.methods.get("forward")

    def _handed_to(self, forward: FunctionNode) -> str | None:
        body = _body(forward)
        call = body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None
        arguments = [argument.arg for argument in [*forward.args.posonlyargs, *forward.args.args]]
        if not isinstance(call, ast.Call) or call.keywords or forward.args.kwonlyargs or forward.args.vararg:
            return None
        function = call.func
        if not (isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name)):
            return None
        passed = [item.id for item in call.args if isinstance(item, ast.Name)]
        if function.value.id != arguments[0] or passed != arguments[1:] or len(passed) != len(call.args):
            return None
        found = self.methods.get(function.attr)
        return function.attr if found is not None and not found.decorator_list else None

    def holds(self, site: Site) -> bool:
        """Whether a call stands in forward itself."""
        forward = self.forward
        if forward is None:
            return False
        first = min([forward.lineno, *(decorator.lineno for decorator in forward.decorator_list)])
        return site.function_row == first and site.function.rpartition(".")[2] == forward.name

    @staticmethod
    def self_name(function: FunctionNode) -> str | None:
        """What a method calls its instance; None for a static or class method."""
        decorators = {node.id for node in function.decorator_list if isinstance(node, ast.Name)}
        arguments = [*function.args.posonlyargs, *function.args.args]
        return arguments[0].arg if arguments and not decorators & {"staticmethod", "classmethod"} else None

    def attributes(self, function: FunctionNode, within: ast.AST | None = None) -> list[ast.Attribute]:
        """Every `self.name` in a method, or in a part of it."""
        me = self.self_name(function)
        return [
            node
            for node in _walk_scope(within or function, me)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == me
        ]

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """The constructor's statements, its docstring left out."""
        if self.init is None:
            return ()
        return tuple(self._statement(self.init, index, node) for index, node in enumerate(_body(self.init)))

    def _statement(self, init: FunctionNode, index: int, node: ast.stmt) -> Statement:
        attributes = self.attributes(init, node)
        me = self.self_name(init)
        plain_uses = sum(isinstance(part, ast.Name) and part.id == me for part in ast.walk(node)) - len(attributes)
        called = {id(part.func) for part in ast.walk(node) if isinstance(part, ast.Call)}
        methods = [item for item in attributes if id(item) in called and not _is_super(item)]
        stores = frozenset(item.attr for item in attributes if not isinstance(item.ctx, ast.Load))
        return Statement(
            index=index,
            node=node,
            attribute=self._assigned(node, me),
            stores=stores,
            reads=frozenset(item.attr for item in attributes if isinstance(item.ctx, ast.Load)),
            names_loaded=frozenset(names_loaded(node) - {me or ""}),
            names_stored=frozenset(names_stored(node)),
            changes=_names_changed(node) & (self.init_locals - {me or ""}),
            uses_self=(plain_uses > 0 or bool(methods)) and not is_super_init(node),
        )

    def _assigned(self, node: ast.stmt, me: str | None) -> str | None:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target: ast.expr = node.targets[0]
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target = node.target
        else:
            return None
        if not (isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == me):
            return None
        return target.attr if self.source.alone_on_rows(node) else None

    @cached_property
    def forward_body(self) -> list[ast.stmt]:
        return _body(self.forward) if self.forward is not None else []

    @cached_property
    def forward_locals(self) -> set[str]:
        """Names that belong to forward: its arguments and all it assigns."""
        if self.forward is None:
            return set()
        arguments = self.forward.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        return {item.arg for item in every if item is not None} | names_stored(self.forward)

    @cached_property
    def _calls(self) -> dict[tuple[str, int | None, int | None], list[ast.expr]]:
        found: dict[tuple[str, int | None, int | None], list[ast.expr]] = {}
        for node in ast.walk(self.forward) if self.forward is not None else ():
            if isinstance(node, ast.Call | ast.BinOp | ast.UnaryOp):
                found.setdefault((type(node).__name__, node.end_lineno, node.end_col_offset), []).append(node)
        return found

    def expression_at(self, site: Site) -> ast.expr | None:
        """The call or arithmetic in forward that a step came from."""
        # Python 3.11+ reports a method call from its name on, not from the start of the expression, where the two are
        # on different rows; the end is always exact.
        end = (site.end_row, site.end_column)
        for node in self._calls.get(("Call", *end), []):
            if (node.lineno, node.col_offset) <= (site.row, site.column) and not self._is_inner(node, site):
                return node
        for kind in ("BinOp", "UnaryOp"):
            for node in self._calls.get((kind, *end), []):
                if (node.lineno, node.col_offset) == (site.row, site.column):
                    return node
        return None

    def _is_inner(self, call: ast.expr, site: Site) -> bool:
        """Whether a site begins before a call that merely ends with it, as in `a + f(b)`."""
        return (site.row, site.column) < (call.lineno, call.col_offset)

    @cached_property
    def _parents(self) -> dict[int, ast.AST]:
        root = self.forward
        return {id(child): node for node in ast.walk(root) for child in ast.iter_child_nodes(node)} if root else {}

    def statement_of(self, node: ast.expr) -> int | None:
        """The index in forward's body of the statement that a node is in; None when it is nested deeper."""
        current: ast.AST = node
        while id(current) in self._parents:
            parent = self._parents[id(current)]
            if isinstance(current, ast.stmt):
                return self._body_index.get(id(current)) if parent is self.forward else None
            if isinstance(parent, _NOT_ONCE):
                return None
            current = parent
        return None

    @cached_property
    def _body_index(self) -> dict[int, int]:
        return {id(node): index for index, node in enumerate(self.forward_body)}

    def assigned_outside(self) -> Iterator[tuple[FunctionNode, ast.Attribute]]:
        """Each `self.name` that a method other than the constructor assigns or deletes."""
        for name, function in self.methods.items():
            if name != "__init__":
                for node in self.attributes(function):
                    if not isinstance(node.ctx, ast.Load):
                        yield function, node

    def class_called(self, call: ast.Call) -> type | None:
        """The class that a call in the constructor names, whatever the arguments of the constructor are."""
        parts: list[str] = []
        node = call.func
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id in self.init_locals:
            return None
        found = self.names.get(node.id)
        for part in reversed(parts):
            found = getattr(found, part, None)
        return found if isinstance(found, type) else None

    @cached_property
    def _inside(self) -> set[int]:
        return {id(node) for node in ast.walk(self.node)}

    def is_foreign(self, node: ast.Attribute) -> bool:
        """Whether `x.name` cannot be this class's: it is another class's own, or something of a module."""
        owner = node.value.id if isinstance(node.value, ast.Name) else ""
        return (owner == "self" and id(node) not in self._inside) or inspect.ismodule(self.names.get(owner))

    def reached_past_self(self, names: Collection[str]) -> ast.Attribute | None:
        """A use of one of these attributes in the class through something else than self: `other.fc1`."""
        own = {id(node) for method in self.methods.values() for node in self.attributes(method)}
        for node in ast.walk(self.node):
            if (
                isinstance(node, ast.Attribute)
                and node.attr in names
                and id(node) not in own
                and not self.is_foreign(node)
            ):
                return node
        return None

    @cached_property
    def init_locals(self) -> set[str]:
        """Names that belong to the constructor: its arguments and all it assigns."""
        if self.init is None:
            return set()
        return {item.arg for item in ast.walk(self.init.args) if isinstance(item, ast.arg)} | names_stored(self.init)

    @cached_property
    def changing_globals(self) -> set[str]:
        """Names of the file that are assigned more than once, so that they may change between two calls."""
        counts: Counter[str] = Counter()
        for statement in self.source.tree.body:
            # a loop or a block may assign more than once, a definition and an import do so once
            weight = 1 if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Import | ast.ImportFrom) else 2
            if isinstance(statement, FunctionNode | ast.ClassDef):
                counts[statement.name] += 1
            else:
                for name in names_stored(statement):
                    counts[name] += 2 if isinstance(statement, ast.AugAssign) else weight
        declared = {name for node in ast.walk(self.source.tree) if isinstance(node, ast.Global) for name in node.names}
        return {name for name, count in counts.items() if count > 1} | declared

    @cached_property
    def assigned_from_outside(self) -> set[str]:
        """Attributes that the file assigns on anything but `self`: `net.p = 0.1`."""
        return {
            node.attr
            for node in ast.walk(self.source.tree)
            if isinstance(node, ast.Attribute)
            and not isinstance(node.ctx, ast.Load)
            and not (isinstance(node.value, ast.Name) and node.value.id == "self")
        }

    @cached_property
    def _storing(self) -> dict[str, list[Statement]]:
        found: dict[str, list[Statement]] = {}
        for statement in self.statements:
            for name in statement.stores:
                found.setdefault(name, []).append(statement)
        return found

    @cached_property
    def _events(self) -> dict[tuple[str, str], list[int]]:
        """For each kind of event and name, the indexes of the constructor's statements where it happens."""
        found: dict[tuple[str, str], list[int]] = {}
        for statement in self.statements:
            kinds = {
                "read": statement.reads,
                "store": statement.stores,
                "name": statement.names_stored | statement.changes,
            }
            for kind, names in kinds.items():
                for name in names:
                    found.setdefault((kind, name), []).append(statement.index)
            if statement.uses_self:
                found.setdefault(("self", ""), []).append(statement.index)
        return found

    def happens(self, kind: str, name: str, after: int, until: int) -> bool:
        """
        Whether a statement with `after < index <= until` reads (`read`) or assigns (`store`) an attribute of self,
        assigns a plain name (`name`), or uses the module as a whole (`self`, no name).
        """
        indexes = self._events.get((kind, name), [])
        position = bisect.bisect_right(indexes, after)
        return position < len(indexes) and indexes[position] <= until

    def meaning_changes(self, statement: Statement, low: int, high: int) -> bool:
        """
        Whether a statement's text would mean something else past the statements with `low < index <= high`, or they
        without it before them.
        """
        changed = statement.changes
        for other in self.statements[low + 1 : high + 1] if changed else ():
            if other is not statement and changed & other.names_loaded:
                return True
        return any(self.happens("name", name, low, high) for name in statement.names_loaded) or any(
            self.happens("store", name, low, high) for name in statement.reads
        )

    def storing(self, attribute: str) -> list[Statement]:
        """The constructor's statements that assign an attribute."""
        return self._storing.get(attribute, [])

    @cached_property
    def assigned_elsewhere(self) -> set[str]:
        """Attributes of self that a method other than the constructor assigns or deletes."""
        return {node.attr for _, node in self.assigned_outside()}

    @cached_property
    def class_names(self) -> set[str]:
        """Names that the class body defines."""
        return set().union(*(names_stored_shallow(item) for item in self.node.body))


def names_stored_shallow(node: ast.stmt) -> set[str]:
    """The names that one statement of a class body defines."""
    if isinstance(node, FunctionNode | ast.ClassDef):
        return {node.name}
    return names_stored(node)


def _body(function: FunctionNode) -> list[ast.stmt]:
    body = function.body
    return body[1:] if ast.get_docstring(function, clean=False) is not None else body


_PURE_METHODS = {
    "get",
    "keys",
    "values",
    "items",
    "copy",
    "index",
    "count",
    "format",
    "lower",
    "upper",
    "split",
    "join",
}


def _names_changed(node: ast.AST) -> frozenset[str]:
    """Plain names at the root of what a statement assigns into, or calls a method on that may change it."""
    found = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Subscript | ast.Attribute) and not isinstance(part.ctx, ast.Load):
            found |= _root_name(part)
        elif isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id in ("next", "iter"):
            found |= {name for argument in part.args for name in _root_name(argument)}
        elif isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute):
            if part.func.attr not in _PURE_METHODS and not part.func.attr[:1].isupper():
                found |= _root_name(part.func.value)
    return frozenset(found)


def _root_name(node: ast.expr) -> set[str]:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def is_super_init(node: ast.stmt) -> bool:
    """Whether a statement is `super().__init__(...)` or `nn.Module.__init__(self)`."""
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "__init__"


def _walk_scope(root: ast.AST, name: str | None) -> Iterator[ast.AST]:
    """Every node in which a name still means what it meant at the root: not in a function with such a parameter."""
    parts = [root]
    while parts:
        node = parts.pop()
        yield node
        for child in ast.iter_child_nodes(node):
            if isinstance(child, FunctionNode | ast.Lambda) and child is not root:
                parameters = {argument.arg for argument in ast.walk(child.args) if isinstance(argument, ast.arg)}
                if name in parameters:
                    continue
            parts.append(child)


def _is_super(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name) and node.value.func.id == "super"


def find_class(source: SourceFile, qualname: str, names: dict[str, Any], first_row: int | None) -> ClassSource | None:
    """
    The definition of a class in a file.

    Args:
        qualname: as `__qualname__` gives it; `<locals>` stands for the body of a function.
        names: the globals of the module.
        first_row: the row where the class's forward begins, to tell definitions of one name apart.
    """
    found = None
    for node in _definitions([source.tree], [part for part in qualname.split(".") if part != "<locals>"]):
        item = ClassSource(source, node, names)
        rows = {
            row
            for method in item.methods.values()
            for row in (method.lineno, *(d.lineno for d in method.decorator_list))
        }
        if found is None or first_row in rows:
            found = item
    return found


def _definitions(scopes: Iterable[ast.AST], path: list[str]) -> Iterator[ast.ClassDef]:
    for scope in scopes:
        for node in ast.walk(scope):
            if node is scope or getattr(node, "name", None) != path[0]:
                continue
            if len(path) == 1 and isinstance(node, ast.ClassDef):
                yield node
            elif len(path) > 1 and isinstance(node, FunctionNode | ast.ClassDef):
                yield from _definitions([node], path[1:])
