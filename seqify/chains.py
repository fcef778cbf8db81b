"""The straight lines of a forward: runs of calls, each of which alone takes what the one before it gave."""

# Glossary
#
#   layer    a step that a row of an `nn.Sequential` can do
#   break    a step that none can, with the reason
#   link     from one layer to the next: the value has no other user, neither in the dataflow nor in the source
#   gap      a statement between two linked layers that only reads sizes (`b = x.size(0)`); it goes when unneeded
#
#   x ─► conv ─► relu ─┬─► conv ─► relu ─► add ─► relu          steps
#                      └──────────────────► ┘
#   └── chain ───────┘     └── chain ──┘   break  └ too short
#
# A rewrite never reorders: a chain's steps are neighbours in the recording and its statements neighbours in the file.
# So an in-place call changes the same memory at the same moment as before, whoever else holds it.

from __future__ import annotations

import ast
import bisect
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import nn

from seqify.classes import ClassSource, names_loaded, names_stored
from seqify.flow import AttrRef, Flow, Loose, Ref, Step
from seqify.ops import Break, Layer, Words, match

__all__ = ["Chain", "Chains", "built_elsewhere", "find_chains", "find_gaps", "is_stateless", "make_chain", "unbroken"]


@dataclass(frozen=True)
class Chain:
    """Layers in a row. `statements` are the indexes in forward's body that they span; all but the last will go."""

    layers: tuple[Layer, ...]
    statements: tuple[int, ...]

    @property
    def has_module(self) -> bool:
        return any(layer.attribute is not None for layer in self.layers)


@dataclass(frozen=True)
class Chains:
    """All chains of a forward, and what broke them."""

    chains: tuple[Chain, ...]
    breaks: tuple[Break, ...]


def is_stateless(module: nn.Module) -> bool:
    """Whether a second instance does the same as a second call: a torch.nn layer that learns and keeps nothing."""
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return (
        type(module).__module__.startswith("torch.nn.modules.")
        and next(module.parameters(), None) is None
        and next(module.buffers(), None) is None
        and not isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict)
        and not any(hooks)
    )


def find_chains(flow: Flow, cls: ClassSource, words: Words, module: nn.Module) -> Chains:
    """
    The chains of a forward, each as long as it can be.

    Args:
        flow: what forward did.
        cls: its source; a chain also ends where the source could not say the same.
        words: what arguments may refer to.
        module: the live module, for its children.
    """
    sorter = _Sorter(flow, cls, words, module)
    sorted_ = [sorter.sort(step) for step in flow.steps]
    users = flow.users()
    reader = _Forward(cls)
    lines: list[list[Layer]] = []
    breaks = [item for item in sorted_ if isinstance(item, Break)]
    for step, item in zip(flow.steps, sorted_, strict=True):
        if isinstance(item, Break):
            continue
        before = lines[-1][-1] if lines else None
        if before is not None and before.step == step.index - 1:
            cut = _cut(flow, users, before, item, reader)
            if cut is None:
                lines[-1].append(item)
                continue
            if isinstance(cut, Break):
                breaks.append(cut)
        lines.append([item])
    lines = [_keep_regrouping(line, sorter.children) for line in lines]
    chains = [chain for line in lines for chain in _close(line, reader)]
    return Chains(tuple(chains), tuple(sorted(breaks, key=lambda item: item.step)))


def find_gaps(cls: ClassSource, chains: Sequence[Chain]) -> tuple[int, ...]:
    """The size statements of forward that nothing needs once these chains, and no others, are converted."""
    reader = _Forward(cls)
    lines = [chain.layers for chain in chains]
    return tuple(index for index in reader.size_statements if reader.needed_only_in(index, lines))


def unbroken(cls: ClassSource, chains: Sequence[Chain]) -> list[Chain]:
    """The chains that can be converted together: a size statement between two layers has to go with them."""
    left = list(chains)
    while True:
        gaps = set(find_gaps(cls, left))
        whole = [
            chain
            for chain in left
            if gaps.issuperset(set(range(chain.statements[0], chain.statements[-1])) - set(chain.statements))
        ]
        if len(whole) == len(left):
            return left
        left = whole


def make_chain(cls: ClassSource, layers: Sequence[Layer]) -> Chain | None:
    """
    A chain of linked layers; None when none is left.

    A bare in-place call (`F.relu_(x)`) cannot be the last: no variable receives its value.
    """
    line = list(layers)
    while line:
        index = cls.statement_of(line[-1].node)
        node = cls.forward_body[index] if index is not None else None
        if not (isinstance(node, ast.Expr) and node.value is line[-1].node):
            break
        line.pop()
    statements = sorted({index for layer in line if (index := cls.statement_of(layer.node)) is not None})
    return Chain(tuple(line), tuple(statements)) if line else None


def _keep_regrouping(line: list[Layer], children: dict[str, nn.Module]) -> list[Layer]:
    """
    Leave `x.view(-1, n)` what it is unless a Linear of n features follows.

    Flatten gives other numbers where the view would regroup the batch. In front of such a Linear it raises instead;
    with nothing there to raise, the result would differ in silence.
    """
    found = []
    for index, layer in enumerate(line):
        if layer.literal is not None:
            following = next((item for item in line[index + 1 :] if not _is_elementwise(item, children)), None)
            child = children.get(following.attribute or "") if following is not None else None
            if not (isinstance(child, nn.Linear) and child.in_features == layer.regroups):
                layer = layer.literal
        found.append(layer)
    return found


def _is_elementwise(layer: Layer, children: dict[str, nn.Module]) -> bool:
    """Whether a layer leaves the shape alone, whatever it is: an activation or a dropout."""
    kind = type(children[layer.attribute]).__module__ if layer.attribute is not None else ""
    if kind:
        return kind in ("torch.nn.modules.activation", "torch.nn.modules.dropout")
    name = layer.callee.removeprefix("nn.")
    return getattr(nn, name, nn.Module).__module__ in ("torch.nn.modules.activation", "torch.nn.modules.dropout")


def _cut(flow: Flow, users: dict[int, list[int]], left: Layer, right: Layer, reader: _Forward) -> Break | bool | None:
    """None where two neighbouring layers are linked, else the reason; True where there is nothing to tell."""
    a, b = flow.steps[left.step], flow.steps[right.step]
    if list(b.values()) != [Ref(a.index)]:
        return True
    if users[a.index] != [b.index]:
        return Break(a.index, "SQ201", f"the value of `{reader.text(left)}` is used {len(users[a.index])} times")
    if a.ambient != b.ambient:
        return Break(b.index, "SQ409", "autocast or gradient mode changes here")
    if not reader.linked(left, right):
        return Break(b.index, "SQ409", "a statement between two layers stays in forward")
    return None


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


class _Sorter:
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


class _Forward:
    """Forward as text: which statements follow which, and who reads a name."""

    def __init__(self, cls: ClassSource) -> None:
        self.cls = cls
        self.body = cls.forward_body
        self.loads = [Counter(_loads(node)) for node in self.body]
        self.stores = [names_stored(node) for node in self.body]
        nested = [
            part
            for node in self.body
            for part in ast.walk(node)
            if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        ]
        self.captured = {name for part in nested for name in names_loaded(part)}
        for part in (part for node in self.body for part in ast.walk(node)):
            if isinstance(part, ast.Global | ast.Nonlocal):
                self.captured |= set(part.names)
        # code that reads variables by their names in strings
        self.looks_up = any(counter[name] for counter in self.loads for name in ("locals", "vars", "eval", "exec"))
        self.size_statements = [index for index, node in enumerate(self.body) if _only_reads_sizes(node)]
        self._readers: dict[str, list[int]] = {}
        for index, counter in enumerate(self.loads):
            for name in counter:
                self._readers.setdefault(name, []).append(index)

    def text(self, layer: Layer) -> str:
        """A layer's call, on one line."""
        return " ".join(self.cls.source.segment(layer.node).split())

    def linked(self, left: Layer, right: Layer) -> bool:
        """Whether the value goes from one expression to the other and nowhere else."""
        if right.input is left.node:
            return True
        first, last = self.cls.statement_of(left.node), self.cls.statement_of(right.node)
        name = self.result_name(left, first)
        if name is None or first is None or last is None or last <= first or self.looks_up:
            return False
        if not self.cls.source.alone_on_rows(self.body[first]):
            return False
        if not (isinstance(right.input, ast.Name) and right.input.id == name):
            return False
        between = range(first + 1, last)
        if any(index not in self.size_statements for index in between):
            return False
        # reads beside the input go with the call: `x.view(x.size(0), -1)`
        going = sum(isinstance(part, ast.Name) and part.id == name for part in ast.walk(right.node))
        if name in self.captured or self.loads[last][name] != going:
            return False
        node = self.body[last]
        if isinstance(node, ast.Expr) and node.value is right.node:
            return (
                True  # `F.relu_(x)` leaves its value in the same variable; who reads it next is the next link's matter
            )
        return self._dead_after(name, last)

    def result_name(self, layer: Layer, index: int | None) -> str | None:
        """The variable that holds a layer's value after its statement."""
        node = self.body[index] if index is not None else None
        if isinstance(node, ast.Assign) and node.value is layer.node and len(node.targets) == 1:
            target: ast.expr = node.targets[0]
        elif isinstance(node, ast.AnnAssign) and node.value is layer.node:
            target = node.target
        elif isinstance(node, ast.Expr) and node.value is layer.node:
            target = layer.input  # `F.relu_(x)`: the same tensor
        else:
            return None
        return target.id if isinstance(target, ast.Name) else None

    def _dead_after(self, name: str, index: int) -> bool:
        if name in self.stores[index] and _rebinds(self.body[index], name):
            return True
        readers = self._readers.get(name, [])
        position = bisect.bisect_right(readers, index)
        if position == len(readers):
            return True
        return any(_rebinds(self.body[between], name) for between in range(index + 1, readers[position]))

    def needed_only_in(self, index: int, lines: Iterable[Sequence[Layer]]) -> bool:
        """Whether all that a size statement assigns is read by these layers' own arguments, which go."""
        names = self.stores[index]
        going: dict[int, str] = {}
        for line in lines:
            kept = {id(part) for part in ast.walk(line[0].input)}
            parts = (part for layer in line for part in ast.walk(layer.node))
            going |= {id(part): part.id for part in parts if isinstance(part, ast.Name) and id(part) not in kept}
        inside = Counter(name for name in going.values() if name in names)
        everywhere = Counter({name: sum(counter[name] for counter in self.loads) for name in names})
        if names & self.captured or sum(name in stored for stored in self.stores for name in names) != len(names):
            return False
        return inside == everywhere and bool(+everywhere)


def _loads(node: ast.stmt) -> list[str]:
    return [part.id for part in ast.walk(node) if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Store)]


def _rebinds(node: ast.stmt, name: str) -> bool:
    """Whether a statement always gives a name a new value."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _only_reads_sizes(node: ast.stmt) -> bool:
    """Whether a statement assigns plain names from sizes: `b = x.size(0)`, `b, c = x.shape[:2]`, `n = h * w`."""
    if not isinstance(node, ast.Assign) or len(node.targets) != 1:
        return False
    target = node.targets[0]
    names = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
    if not all(isinstance(name, ast.Name) for name in names):
        return False
    parts = list(ast.walk(node.value))
    return any(_is_size(part) for part in parts) and all(
        isinstance(part, _SIZE_PARTS) or _is_size(part) for part in parts
    )


_SIZE_PARTS = (ast.expr_context, ast.operator, ast.unaryop, ast.Name, ast.Constant, ast.Subscript, ast.Slice, ast.Tuple,
               ast.BinOp, ast.UnaryOp)  # fmt: skip


def _is_size(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in ("shape", "size") and isinstance(node.value, ast.Name)
    if isinstance(node, ast.Call):
        return (isinstance(node.func, ast.Name) and node.func.id == "len") or _is_size(node.func)
    return False


def _close(line: list[Layer], reader: _Forward) -> list[Chain]:
    """
    Make chains of a line of linked layers.

    The line is cut where a size statement lies between two layers and somebody else needs it.
    """
    cls = reader.cls
    for position in range(1, len(line)):
        first, last = cls.statement_of(line[position - 1].node), cls.statement_of(line[position].node)
        assert first is not None and last is not None
        if any(not reader.needed_only_in(index, [line]) for index in range(first + 1, last)):
            return _close(line[:position], reader) + _close(line[position:], reader)
    chain = make_chain(cls, line)
    return [chain] if chain is not None else []
