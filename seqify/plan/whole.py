"""Plans for a forward that is one straight line: the flat and the function layout."""

# A flat class runs every child it has, in order of registration. So flat is refused as soon as something could
# register a child that forward does not run, with these arguments or with others.

from __future__ import annotations

import ast

from torch import nn

from seqify.chains import Chain, find_gaps
from seqify.classes import ClassSource, FunctionNode, is_super_init, names_stored
from seqify.diagnostics import Diagnostic, Location, Severity
from seqify.flow import InputRef, Ref
from seqify.names import layer_names, snake_case
from seqify.order import order_flat, place
from seqify.plan.subject import (
    Group,
    Plan,
    Row,
    Subject,
    constructor_reads,
    is_plain,
    moved,
    notes,
    number_rows,
    subclasses,
    watched,
)
from seqify.sorter import built_elsewhere

__all__ = ["plan_flat", "plan_function", "whole_chain"]


def whole_chain(subject: Subject) -> Chain | Diagnostic:
    """The chain that is all of forward, or what else forward does."""
    cls, flow = subject.cls, subject.flow
    forward = cls.forward
    assert forward is not None
    here = cls.source.location(forward)

    def no(message: str, place: Location = here, code: str = "SQ409") -> Diagnostic:
        return Diagnostic(code, message, place)

    if cls.delegates:
        return no(f"forward hands over to `{forward.name}`")
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
    consumed = {*chain.statements, *find_gaps(cls, [chain])}
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


def _always_module(cls: ClassSource, value: ast.expr) -> bool:
    """Whether an expression builds a module whatever the constructor's arguments are: `nn.Linear(4, 2)`."""
    if isinstance(value, ast.IfExp):
        return _always_module(cls, value.body) and _always_module(cls, value.orelse)
    found = cls.class_called(value) if isinstance(value, ast.Call) else None
    return found is not None and issubclass(found, nn.Module)


_SEQUENTIAL_NAMES = frozenset(dir(nn.Sequential))


def plan_flat(subject: Subject, chain: Chain) -> Plan | Diagnostic:
    cls = subject.cls
    reason = watched(subject) or _grows(subject) or _unfit_class(subject) or _unfit_children(subject, chain)
    if reason is not None:
        return reason
    for layer in chain.layers:
        fault = built_elsewhere(cls, layer.attribute) if layer.attribute is not None else None
        if fault is not None:
            return Diagnostic(fault[0], fault[1], cls.source.location(cls.init or cls.node))
        node = cls.storing(layer.attribute)[0].node if layer.attribute is not None else None
        if node is not None and not _always_module(cls, node.value):  # type: ignore[attr-defined]
            message = (
                f"`self.{layer.attribute}` may be no module with other arguments, and a flat class would leave it out"
            )
            return Diagnostic("SQ402", message, cls.source.location(node))
    rows = _name_rows(subject, chain)
    needs = [row.layer.reads if row.origin == "new" else constructor_reads(cls, row) for row in rows]
    order = order_flat(cls, [row.key if row.origin == "moved" else None for row in rows], needs, subject.children)
    if isinstance(order, str):
        return Diagnostic("SQ402", order, cls.source.location(cls.init or cls.node))
    copied = [row for row in rows if row.origin == "copied"]
    if any(cls.meaning_changes(cls.storing(row.layer.attribute or "")[0], -1, len(cls.statements)) for row in copied):
        return Diagnostic(
            "SQ402",
            "a layer that is used twice is built from names that change",
            cls.source.location(cls.init or cls.node),
        )
    name = _argument_name(subject)
    diagnostics = [*notes(subject, chain)]
    if name != "input":
        diagnostics.append(
            Diagnostic(
                "SQ607",
                f"`forward({name})` is now `forward(input)`",
                cls.source.location(cls.forward or cls.node),
                level=Severity.NOTE,
            )
        )
    return Plan("flat", (Group("", tuple(rows), chain),), {}, tuple(diagnostics), find_gaps(cls, [chain]), order)


def _argument_name(subject: Subject) -> str:
    assert subject.cls.forward is not None
    return subject.cls.forward.args.args[-1].arg if subject.cls.forward.args.args else "input"


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


def _may_be_instance(cls: ClassSource, function: ast.expr) -> bool:
    """Whether what is called may be the module itself, rather than a known function or one of its layers."""
    if isinstance(function, ast.Attribute):
        return function.attr == "forward"
    if isinstance(function, ast.Name):
        known = cls.names.get(function.id)
        return known is None or isinstance(known, nn.Module)
    return True


def _grows(subject: Subject) -> Diagnostic | None:
    """What may give the module layers that forward does not run, or calls it as no `nn.Sequential` can be called."""
    cls = subject.cls
    for call in (part for part in ast.walk(cls.node) if isinstance(part, ast.Call)):
        owner: ast.expr | None = None  # of the layer that the call registers
        name = ""
        if isinstance(call.func, ast.Attribute):
            name, owner = call.func.attr, call.func.value
        elif isinstance(call.func, ast.Name) and call.args:
            name, owner = call.func.id, call.args[0]
        on_itself = isinstance(owner, ast.Name | ast.Call)  # `self`, or `super()`
        if on_itself and name in ("add_module", "register_module", "setattr", "__setattr__"):
            return Diagnostic(
                "SQ402", f"`{name}` may register layers that forward does not run", cls.source.location(call)
            )
    if cls.init is not None and any(isinstance(part, ast.Return) for part in ast.walk(cls.init)):
        return Diagnostic(
            "SQ402", "the constructor may return before all layers are built", cls.source.location(cls.init)
        )
    for part in ast.walk(cls.source.tree):
        if isinstance(part, ast.Assign) and _always_module(cls, part.value):
            for target in part.targets:
                owned = isinstance(target, ast.Attribute) and not cls.is_foreign(target)
                if isinstance(target, ast.Attribute) and owned and target.attr not in subject.children:
                    message = f"`.{target.attr}` may be added to it, and a flat class would run it"
                    return Diagnostic("SQ403", message, cls.source.location(part))
    argument = cls.forward.args.args[-1].arg if cls.forward is not None and cls.forward.args.args else ""
    for part in ast.walk(cls.source.tree):
        if isinstance(part, ast.Call) and [keyword.arg for keyword in part.keywords] == [argument] and not part.args:
            if _may_be_instance(cls, part.func):
                message = f"the module is called with `{argument}=`, which an `nn.Sequential` does not know"
                return Diagnostic("SQ607", message, cls.source.location(part))
    return None


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
    overridden = sorted(
        cls.class_names & {"__call__", "__len__", "__iter__", "__getitem__", "__getattr__", "__setattr__"}
    )
    for name in overridden:
        return Diagnostic("SQ406", f"the class defines `{name}`", here)
    for node, where in subclasses(subject):
        return Diagnostic("SQ403", f"`{node}` inherits from it, and may hold layers that forward does not run", where)
    for statement in cls.node.body:
        if not isinstance(statement, FunctionNode) and "forward" in {
            part.id for part in ast.walk(statement) if isinstance(part, ast.Name)
        }:
            return Diagnostic("SQ403", "the class body refers to `forward`", cls.source.location(statement))
    for _, attribute in cls.assigned_outside():
        return Diagnostic(
            "SQ403",
            f"`self.{attribute.attr}` is assigned outside `__init__`, and may become a layer",
            cls.source.location(attribute),
        )
    return None


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
                return Diagnostic(
                    "SQ402",
                    f"`self.{name}` may be a module with other arguments, and a flat class would run it",
                    cls.source.location(statement.node),
                )
    return None


def plan_function(subject: Subject, chain: Chain) -> Plan | Diagnostic:
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
            return Diagnostic(
                "SQ403", "the class defines more than `__init__` and `forward`", cls.source.location(node)
            )
    reason = watched(subject) or _grows(subject) or _unfit_children(subject, chain)
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
    local = {part.arg for part in ast.walk(cls.source.tree) if isinstance(part, ast.arg)} | names_stored(
        cls.source.tree
    )
    if name == cls.node.name or name in cls.names or name in local:
        name = f"make_{name}"
    if name in cls.names or name in local:
        return Diagnostic("SQ406", f"`{name}` is a name in the file", here)
    for where in _other_uses(cls):
        return Diagnostic("SQ403", f"`{cls.node.name}` is more than called", where)
    for layer in chain.layers:
        fault = built_elsewhere(cls, layer.attribute) if layer.attribute is not None else None
        if fault is not None:
            return Diagnostic(fault[0], fault[1], here)
    group, renames = number_rows(chain, "", set())
    placement = place(cls, [moved(group)], [frozenset()], subject.children)[0]
    if isinstance(placement, str):
        return Diagnostic("SQ402", placement, here)
    return Plan(
        "function",
        (group,),
        renames,
        notes(subject, chain),
        find_gaps(cls, [chain]),
        placements=(placement,),
        function=name,
    )


def _other_uses(cls: ClassSource) -> list[Location]:
    """Uses of the class's name in its file other than to call it."""
    called = {id(node.func) for node in ast.walk(cls.source.tree) if isinstance(node, ast.Call)}
    inside = {id(node) for node in ast.walk(cls.node)}
    return [
        cls.source.location(node)
        for node in ast.walk(cls.source.tree)
        if (
            isinstance(node, ast.Name)
            and node.id == cls.node.name
            and id(node) not in called
            and id(node) not in inside
        )
        or (isinstance(node, ast.Constant) and node.value == cls.node.name and id(node) not in inside)
    ]
