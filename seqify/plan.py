"""The plan: which layout a conversion takes, what its layers are called and where they come from."""

# A plan names rows; it holds no text of the result. The emitters in `emit/` turn it into edits of the user's file.
#
#   chains ──┬─► flat       one chain is all of forward ──► class Net(nn.Sequential)
#            ├─► function   the same                    ──► def net() -> nn.Sequential
#            └─► grouped    any chains                  ──► self.features = nn.Sequential(...)
#
# A flat class runs every child it has, in order of registration. So flat is refused as soon as something could register a
# child that forward does not run, with these arguments or with others.

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from seqify.chains import Chain, Chains
from seqify.classes import ClassSource, FunctionNode, is_super_init
from seqify.diagnostics import Diagnostic, Location, Severity
from seqify.errors import Refusal
from seqify.flow import Flow, InputRef, Ref
from seqify.names import fresh, group_name, layer_names, snake_case
from seqify.ops import Layer
from seqify.order import FlatOrder, Placement, order_flat, place

__all__ = ["Group", "Plan", "Row", "Subject", "is_plain", "make_plan"]


@dataclass(frozen=True)
class Subject:
    """What is converted: the live module, its source, what it did, and its straight lines."""

    module: nn.Module
    cls: ClassSource
    flow: Flow
    chains: Chains

    @property
    def children(self) -> dict[str, nn.Module]:
        return {name: child for name, child in self.module._modules.items() if child is not None}


@dataclass(frozen=True)
class Row:
    """
    One layer of the result, under `key`.

    `origin` is "moved" for an existing layer, "copied" for a further use of one without state, "new" for a function.
    """

    key: str
    layer: Layer
    origin: str


@dataclass(frozen=True)
class Group:
    """An `nn.Sequential` of the result; `name` is its attribute, empty when it is the module itself."""

    name: str
    rows: tuple[Row, ...]
    chain: Chain


@dataclass(frozen=True)
class Plan:
    """
    A conversion, decided.

    `renames` gives for each existing submodule its new path; `order` goes with flat, `placements` with grouped.
    """

    layout: str
    groups: tuple[Group, ...]
    renames: Mapping[str, str]
    diagnostics: tuple[Diagnostic, ...] = ()
    gaps: tuple[int, ...] = ()
    order: FlatOrder | None = None
    placements: tuple[Placement, ...] = ()
    function: str = ""
    keeps: frozenset[str] = field(default_factory=frozenset)  # attributes whose statement stays, besides its copies


def make_plan(
    subject: Subject, layout: str = "auto", min_length: int = 2, names: Mapping[str, str] | None = None
) -> Plan | Diagnostic:
    """
    Decide on a conversion.

    Args:
        subject: the module and what is known of it.
        layout: "auto", "flat", "grouped" or "function".
        min_length: groups of fewer layers are left alone.
        names: for a group's chosen name, the name to give it instead.

    Returns:
        The plan, or the diagnostic that says why nothing is to be done.

    Raises:
        Refusal: the layout asked for cannot express this forward.
    """
    whole = _whole(subject)
    containers = isinstance(whole, Chain) and all(_is_container(subject, layer) for layer in whole.layers)
    if layout == "auto" and containers:
        return Diagnostic("SQ209", "forward calls nothing but `nn.Sequential` modules", subject.cls.source.location(subject.cls.node))
    if layout in ("flat", "function", "auto"):
        planner = _function if layout == "function" else _flat
        outcome = whole if isinstance(whole, Diagnostic) else planner(subject, whole)
        if isinstance(outcome, Plan):
            return outcome
        if layout != "auto":
            raise Refusal(outcome)
        grouped = _grouped(subject, min_length, names or {})
        if isinstance(grouped, Plan):
            note = replace(outcome, level=Severity.NOTE, message=f"not flat: {outcome.message}")
            return replace(grouped, diagnostics=(*grouped.diagnostics, note))
        return grouped
    return _grouped(subject, min_length, names or {})


def _is_container(subject: Subject, layer: Layer) -> bool:
    return layer.attribute is not None and isinstance(subject.children[layer.attribute], nn.Sequential)


# -- flat and function


def _whole(subject: Subject) -> Chain | Diagnostic:
    """The chain that is all of forward, or what else forward does."""
    cls, flow = subject.cls, subject.flow
    forward = cls.forward
    assert forward is not None
    here = cls.source.location(forward)

    def no(message: str, place: Location = here, code: str = "SQ409") -> Diagnostic:
        return Diagnostic(code, message, place)

    for item in subject.chains.breaks:
        site = flow.steps[item.step].site
        return no(item.message, site.location() if site else here, item.code)
    if len(subject.chains.chains) != 1:
        return no("forward calls no layer" if not flow.steps else "forward is not one straight line")
    (chain,) = subject.chains.chains
    arguments = forward.args
    required = [*arguments.posonlyargs, *arguments.args]
    if len(required) != 2 or arguments.vararg or arguments.kwonlyargs or arguments.kwarg or arguments.defaults:
        return no("forward takes more than one argument, or an optional one", code="SQ202")
    if forward.decorator_list:
        return no("forward has a decorator")
    first = chain.layers[0]
    if list(flow.steps[first.step].values()) != [InputRef(required[1].arg)] or not isinstance(first.input, ast.Name):
        return no("the first layer does not take the argument of forward")
    last = chain.layers[-1]
    if flow.output != Ref(last.step):
        return no("forward does not return the last layer's value", code="SQ203")
    consumed = {*chain.statements, *subject.chains.gaps}
    ending = cls.forward_body[-1]
    if isinstance(ending, ast.Return) and ending.value is not last.node:
        consumed.add(len(cls.forward_body) - 1)
        target = cls.forward_body[chain.statements[-1]]
        whole_target = isinstance(target, ast.Assign | ast.AnnAssign) and target.value is last.node
        if not (isinstance(ending.value, ast.Name) and whole_target):
            return no("forward does not return the last layer's value", cls.source.location(ending))
    if not isinstance(ending, ast.Return):
        return no("forward does not end in `return`")
    for index, node in enumerate(cls.forward_body):
        if index not in consumed:
            return no("forward has a statement that no layer can hold", cls.source.location(node))
    if len(chain.layers) != len(flow.steps):
        return no("forward is not one straight line")
    if not chain.has_module:
        return no("forward calls no layer that the class holds", code="SQ208")
    return chain


_SEQUENTIAL_NAMES = frozenset(dir(nn.Sequential))


def _flat(subject: Subject, chain: Chain) -> Plan | Diagnostic:
    cls = subject.cls
    reason = _unfit_class(subject) or _unfit_children(subject, chain)
    if reason is not None:
        return reason
    rows = _name_rows(subject, chain)
    needs = [row.layer.reads if row.origin == "new" else _copied_needs(cls, row) for row in rows]
    order = order_flat(cls, [row.key if row.origin == "moved" else None for row in rows], needs, subject.children)
    if isinstance(order, str):
        return Diagnostic("SQ402", order, cls.source.location(cls.init or cls.node))
    copied = [row for row in rows if row.origin == "copied"]
    if any(cls.meaning_changes(cls.storing(row.layer.attribute or "")[0], -1, len(cls.statements)) for row in copied):
        return Diagnostic("SQ402", "a layer that is used twice is built from names that change", cls.source.location(cls.init or cls.node))
    name = _argument_name(subject)
    diagnostics = [*_notes(subject, chain)]
    if name != "input":
        diagnostics.append(
            Diagnostic("SQ607", f"`forward({name})` is now `forward(input)`", cls.source.location(cls.forward or cls.node), level=Severity.NOTE)
        )
    return Plan("flat", (Group("", tuple(rows), chain),), {}, tuple(diagnostics), subject.chains.gaps, order)


def _argument_name(subject: Subject) -> str:
    assert subject.cls.forward is not None
    return subject.cls.forward.args.args[-1].arg if subject.cls.forward.args.args else "input"


def _copied_needs(cls: ClassSource, row: Row) -> frozenset[str]:
    if row.origin != "copied":
        return frozenset()
    return cls.storing(row.layer.attribute or "")[0].reads


def _name_rows(subject: Subject, chain: Chain) -> list[Row]:
    """Rows that keep the old attribute names and find new ones for the rest."""
    cls = subject.cls
    taken = _SEQUENTIAL_NAMES | cls.class_names | set(subject.children) | set(vars(subject.module))
    taken |= {name for statement in cls.statements for name in statement.stores}
    seen: set[str] = set()
    stems = []
    for layer in chain.layers:
        if layer.attribute is None or layer.attribute in seen:
            stems.append(layer.stem)
        else:
            seen.add(layer.attribute)
    names = iter(layer_names(stems, taken))
    seen.clear()
    rows = []
    for layer in chain.layers:
        if layer.attribute is None:
            rows.append(Row(next(names), layer, "new"))
        elif layer.attribute in seen:
            rows.append(Row(next(names), layer, "copied"))
        else:
            seen.add(layer.attribute)
            rows.append(Row(layer.attribute, layer, "moved"))
    return rows


def _unfit_class(subject: Subject) -> Diagnostic | None:
    """Why the class as a whole cannot become an `nn.Sequential`."""
    cls = subject.cls
    kind = type(subject.module)
    here = cls.source.location(cls.node)
    if kind.__bases__ != (nn.Module,) or cls.node.keywords or len(cls.node.bases) != 1:
        return Diagnostic("SQ404", f"`{cls.node.name}` inherits from more than `nn.Module`", here)
    colliding = sorted((cls.class_names | set(vars(subject.module))) & (_SEQUENTIAL_NAMES - set(dir(nn.Module()))))
    children = sorted(set(subject.children) & _SEQUENTIAL_NAMES)
    for name in [*colliding, *children]:
        return Diagnostic("SQ406", f"`{name}` is a method of `nn.Sequential`", here)
    overridden = sorted(cls.class_names & {"__call__", "__len__", "__iter__", "__getitem__", "__getattr__", "__setattr__"})
    for name in overridden:
        return Diagnostic("SQ406", f"the class defines `{name}`", here)
    for node, place in _subclasses(cls):
        return Diagnostic("SQ403", f"`{node}` inherits from it, and may hold layers that forward does not run", place)
    for statement in cls.node.body:
        if not isinstance(statement, FunctionNode) and "forward" in {part.id for part in ast.walk(statement) if isinstance(part, ast.Name)}:
            return Diagnostic("SQ403", "the class body refers to `forward`", cls.source.location(statement))
    for _, attribute in cls.assigned_outside():
        return Diagnostic("SQ403", f"`self.{attribute.attr}` is assigned outside `__init__`, and may become a layer", cls.source.location(attribute))
    return None


_PLAIN = (bool, int, float, complex, str, bytes, type(Ellipsis))


def is_plain(value: Any) -> bool:
    """Whether a value is data that no arguments would turn into a module."""
    if isinstance(value, list | tuple | set | frozenset):
        return all(is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(is_plain(item) for item in value.values())
    return isinstance(value, _PLAIN) or type(value).__module__ == "torch"


def _unfit_children(subject: Subject, chain: Chain) -> Diagnostic | None:
    """What a flat class would run that forward does not."""
    cls, module = subject.cls, subject.module
    called = {layer.attribute for layer in chain.layers}
    here = cls.source.location(cls.init or cls.node)
    for name, child in module._modules.items():
        if name not in called:
            what = "is never called" if child is not None else "may be a module with other arguments"
            return Diagnostic("SQ207", f"`self.{name}` {what}, and a flat class would run it", here)
    for statement in cls.statements:
        for name in statement.stores - called:
            value = vars(module).get(name, module._parameters.get(name, module._buffers.get(name)))
            registered = name in module._parameters or name in module._buffers
            if not (registered and value is not None) and not is_plain(value):
                return Diagnostic("SQ402", f"`self.{name}` may be a module with other arguments, and a flat class would run it", cls.source.location(statement.node))
    return None


def _subclasses(cls: ClassSource) -> list[tuple[str, Location]]:
    """Classes of the same file that inherit from this one."""
    return [
        (node.name, cls.source.location(node))
        for node in ast.walk(cls.source.tree)
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id == cls.node.name for base in node.bases)
    ]


def _function(subject: Subject, chain: Chain) -> Plan | Diagnostic:
    cls = subject.cls
    here = cls.source.location(cls.node)
    if type(subject.module).__bases__ != (nn.Module,) or cls.node.decorator_list:
        return Diagnostic("SQ404", f"`{cls.node.name}` inherits from more than `nn.Module`", here)
    if cls.init is None or cls.init.decorator_list:
        return Diagnostic("SQ404", "the class has no `__init__` of its own", here)
    if cls.node.col_offset or cls.node.name != type(subject.module).__qualname__:
        return Diagnostic("SQ402", "the class is defined inside another scope", here)
    docstring = ast.get_docstring(cls.node, clean=False) is not None
    for node in cls.node.body[1:] if docstring else cls.node.body:
        if node is not cls.init and node is not cls.forward:
            return Diagnostic("SQ403", "the class defines more than `__init__` and `forward`", cls.source.location(node))
    reason = _unfit_children(subject, chain)
    if reason is not None:
        return reason
    layers = {layer.attribute for layer in chain.layers}
    for statement in cls.statements:
        if statement.stores - layers:
            return Diagnostic("SQ403", "the constructor keeps more than layers", cls.source.location(statement.node))
        if is_super_init(statement.node):
            continue
        if any(isinstance(part, ast.Return) for part in ast.walk(statement.node)):
            return Diagnostic("SQ402", "the constructor returns early", cls.source.location(statement.node))
    if subject.module._parameters or subject.module._buffers:
        return Diagnostic("SQ307", "the class has parameters or buffers of its own", here)
    name = snake_case(cls.node.name)
    if name == cls.node.name:
        name = f"make_{name}"
    if name in cls.names or name in {argument.arg for argument in cls.init.args.args}:
        return Diagnostic("SQ406", f"`{name}` is a name in the file", here)
    for place in _other_uses(cls):
        return Diagnostic("SQ403", f"`{cls.node.name}` is more than called", place)
    group, renames = _number_rows(chain, "", set())
    placement = place(cls, [_moved(group)], [frozenset()], subject.children)[0]
    if isinstance(placement, str):
        return Diagnostic("SQ402", placement, here)
    return Plan(
        "function", (group,), renames, _notes(subject, chain), subject.chains.gaps, placements=(placement,), function=name
    )


def _other_uses(cls: ClassSource) -> list[Location]:
    """Uses of the class's name in its file other than to call it."""
    called = {id(node.func) for node in ast.walk(cls.source.tree) if isinstance(node, ast.Call)}
    inside = {id(node) for node in ast.walk(cls.node)}
    return [
        cls.source.location(node)
        for node in ast.walk(cls.source.tree)
        if (isinstance(node, ast.Name) and node.id == cls.node.name and id(node) not in called and id(node) not in inside)
        or (isinstance(node, ast.Constant) and node.value == cls.node.name and id(node) not in inside)
    ]


# -- grouped


def _grouped(subject: Subject, min_length: int, names: Mapping[str, str]) -> Plan | Diagnostic:
    cls, flow = subject.cls, subject.flow
    diagnostics: list[Diagnostic] = []
    candidates: list[Chain] = []
    for chain in subject.chains.chains:
        for part in _without_containers(subject, chain):
            if len(part.layers) < min_length or not part.has_module:
                site = flow.steps[part.layers[0].step].site
                count = len(part.layers)
                message = f"{count} layer{'s' if count > 1 else ''}" + ("" if part.has_module else ", none with a constructor")
                diagnostics.append(Diagnostic("SQ208", message, site.location() if site else None))
            else:
                candidates += _split_at_flatten(subject, part, min_length)
    candidates = [chain for chain in candidates if not _refuse_moving(subject, chain, diagnostics)]
    groups, renames = _form_groups(subject, candidates, names, diagnostics)
    keeps = _kept_attributes(subject, groups)
    needs = [frozenset().union(*(row.layer.reads for row in group.rows), *(_copied_needs(cls, row) for row in group.rows)) for group in groups]
    placements = place(cls, [_moved(group) for group in groups], needs, subject.children)
    placed = []
    for group, placement in zip(groups, placements, strict=True):
        if isinstance(placement, str):
            site = flow.steps[group.rows[0].layer.step].site
            diagnostics.append(Diagnostic("SQ402", placement, site.location() if site else None))
            for row in group.rows:
                renames.pop(row.layer.attribute or "", None)
        else:
            placed.append((group, placement))
    if not placed:
        blocking = [item for item in diagnostics if item.severity is Severity.ERROR]
        blocking += [item for item in _breaks(subject) if item.severity is Severity.ERROR]
        if blocking:
            raise Refusal(*blocking, *(item for item in (*diagnostics, *_breaks(subject)) if item not in blocking))
        first = next(iter((*diagnostics, *_breaks(subject))), None)
        return Diagnostic(
            "SQ209" if first is None else first.code,
            "forward calls no layer" if first is None else first.message,
            first.location if first is not None else cls.source.location(cls.node),
        )
    kept = tuple(group for group, _ in placed)
    for group in kept:
        diagnostics += _notes(subject, group.chain)
        diagnostics += _outside_uses(subject, group)
    return Plan(
        "grouped", kept, renames, tuple(diagnostics), subject.chains.gaps,
        placements=tuple(placement for _, placement in placed), keeps=keeps,
    )  # fmt: skip


def _moved(group: Group) -> list[str]:
    return [row.layer.attribute or "" for row in group.rows if row.origin == "moved"]


def _slice(subject: Subject, chain: Chain, start: int, stop: int) -> Chain:
    layers = chain.layers[start:stop]
    statements = sorted({index for layer in layers if (index := subject.cls.statement_of(layer.node)) is not None})
    return Chain(layers, tuple(statements))


def _without_containers(subject: Subject, chain: Chain) -> list[Chain]:
    """The parts of a chain between modules that are an `nn.Sequential` already."""
    parts, start = [], 0
    for index, layer in enumerate(chain.layers):
        if _is_container(subject, layer):
            parts.append((start, index))
            start = index + 1
    parts.append((start, len(chain.layers)))
    return [_slice(subject, chain, start, stop) for start, stop in parts if stop > start]


def _split_at_flatten(subject: Subject, chain: Chain, min_length: int) -> list[Chain]:
    """A convolutional line that ends in a classifier is two groups, and the flatten opens the second."""
    kinds = [type(subject.children[layer.attribute]) if layer.attribute else None for layer in chain.layers]
    for index, layer in enumerate(chain.layers):
        if layer.callee != "nn.Flatten" and kinds[index] is not nn.Flatten:
            continue
        before = any(kind is not None and issubclass(kind, nn.modules.conv._ConvNd) for kind in kinds[:index])
        after = any(kind is not None and issubclass(kind, nn.Linear) for kind in kinds[index:])
        enough = index >= min_length and len(kinds) - index >= min_length
        node = subject.cls.forward_body[subject.cls.statement_of(chain.layers[index - 1].node) or 0]
        if before and after and enough and not isinstance(node, ast.Expr):
            return [_slice(subject, chain, 0, index), _slice(subject, chain, index, len(kinds))]
    return [chain]


def _refuse_moving(subject: Subject, chain: Chain, diagnostics: list[Diagnostic]) -> bool:
    """Whether an attribute that would move is known by its name to something that no edit follows."""
    cls = subject.cls
    names = {layer.attribute for layer in chain.layers if layer.attribute is not None}
    docstrings = {id(node.body[0].value) for node in ast.walk(cls.node) if _has_docstring(node)}  # type: ignore[attr-defined]
    for node in ast.walk(cls.node):
        if isinstance(node, ast.Constant) and node.value in names and id(node) not in docstrings:
            diagnostics.append(
                Diagnostic("SQ403", f"`{node.value}` is named in a string, which may look the layer up", cls.source.location(node), level=Severity.ERROR)
            )
            return True
    for subclass, place_ in _subclasses(cls):
        diagnostics.append(Diagnostic("SQ403", f"`{subclass}` inherits the layers that would move", place_, level=Severity.ERROR))
        return True
    return False


def _has_docstring(node: ast.AST) -> bool:
    return isinstance(node, FunctionNode | ast.ClassDef) and ast.get_docstring(node, clean=False) is not None


def _form_groups(
    subject: Subject, chains: Sequence[Chain], names: Mapping[str, str], diagnostics: list[Diagnostic]
) -> tuple[list[Group], dict[str, str]]:
    cls = subject.cls
    taken = set(dir(nn.Module)) | cls.class_names | set(subject.children) | set(vars(subject.module))
    taken |= {name for statement in cls.statements for name in statement.stores}
    groups: list[Group] = []
    renames: dict[str, str] = {}
    used: set[str] = set()
    for index, chain in enumerate(chains):
        wanted = group_name(chain, subject.flow, cls, subject.children)
        following = chains[index + 1] if index + 1 < len(chains) else None
        if following is not None and _opens_classifier(subject, following) and wanted == "layers":
            wanted = "features"
        if _opens_classifier(subject, chain) and index and chains[index - 1].layers[-1].step == chain.layers[0].step - 1:
            wanted = "classifier"
        wanted = names.get(wanted, wanted)
        name = fresh(wanted, taken)
        if name != wanted and wanted not in {group.name for group in groups}:
            diagnostics.append(
                Diagnostic("SQ406", f"`{wanted}` exists, the new attribute is `{name}`", cls.source.location(cls.node), help=f"`--name {name}=...` chooses another")
            )
        taken.add(name)
        group, moved = _number_rows(chain, name, used)
        groups.append(group)
        renames |= moved
    return groups, renames


def _opens_classifier(subject: Subject, chain: Chain) -> bool:
    first = chain.layers[0]
    return first.callee == "nn.Flatten" or (
        first.attribute is not None and isinstance(subject.children[first.attribute], nn.Flatten)
    )


def _number_rows(chain: Chain, name: str, used: set[str]) -> tuple[Group, dict[str, str]]:
    """Rows with numbers as keys. `used` collects the layers that an earlier row has taken; further uses are copies."""
    rows, renames = [], {}
    for index, layer in enumerate(chain.layers):
        origin = "new" if layer.attribute is None else "copied" if layer.attribute in used else "moved"
        if layer.attribute is not None and origin == "moved":
            used.add(layer.attribute)
            renames[layer.attribute] = f"{name}.{index}" if name else str(index)
        rows.append(Row(str(index), layer, origin))
    return Group(name, tuple(rows), chain), renames


def _kept_attributes(subject: Subject, groups: Sequence[Group]) -> frozenset[str]:
    """Layers without state that forward calls outside the groups as well: their statement stays, rows get copies."""
    cls = subject.cls
    forward = cls.forward
    assert forward is not None
    inside = {id(row.layer.node.func) for group in groups for row in group.rows if isinstance(row.layer.node, ast.Call)}
    called = {node.attr for node in cls.attributes(forward) if id(node) not in inside}
    return frozenset(called & {row.layer.attribute for group in groups for row in group.rows if row.layer.attribute})


def _outside_uses(subject: Subject, group: Group) -> list[Diagnostic]:
    """Where the file reads or assigns an attribute that moves, through something other than self in the class."""
    cls = subject.cls
    names = set(_moved(group))
    inside = {id(node) for node in ast.walk(cls.node)}
    return [
        Diagnostic("SQ403", f"`.{node.attr}` is now `.{group.name}[{_key_of(group, node.attr)}]`", cls.source.location(node))
        for node in ast.walk(cls.source.tree)
        if isinstance(node, ast.Attribute)
        and node.attr in names
        and id(node) not in inside
        and isinstance(node.value, ast.Name | ast.Attribute | ast.Call)
        and not (isinstance(node.value, ast.Name) and inspect.ismodule(cls.names.get(node.value.id)))
    ]


def _key_of(group: Group, attribute: str) -> str:
    return next(row.key for row in group.rows if row.layer.attribute == attribute and row.origin == "moved")


# -- what to tell


def _breaks(subject: Subject) -> list[Diagnostic]:
    found = []
    for item in subject.chains.breaks:
        site = subject.flow.steps[item.step].site
        found.append(Diagnostic(item.code, item.message, site.location() if site else None))
    return found


def _notes(subject: Subject, chain: Chain) -> tuple[Diagnostic, ...]:
    """What the layers of a chain have to say: conditions of the table, and second uses."""
    notes: list[Diagnostic] = []
    seen: set[str] = set()
    for layer in chain.layers:
        place_ = subject.cls.source.location(layer.node)
        notes += [replace(item, location=place_) for item in layer.diagnostics]
        if layer.attribute is not None and layer.attribute in seen:
            notes.append(Diagnostic("SQ205", f"`self.{layer.attribute}` has no state: this call gets a layer of its own", place_))
        seen.add(layer.attribute or "")
    return tuple(notes)
