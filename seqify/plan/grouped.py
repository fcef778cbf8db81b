"""Plans for the grouped layout: each straight line becomes an `nn.Sequential` attribute."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from torch import nn

from seqify.chains import Chain, find_gaps, make_chain, unbroken
from seqify.diagnostics import Diagnostic, Severity
from seqify.errors import Refusal
from seqify.names import fresh, group_name
from seqify.order import place
from seqify.plan.subject import (
    Group,
    Plan,
    Subject,
    breaks,
    constructor_reads,
    is_container,
    moved,
    notes,
    number_rows,
    subclasses,
    watched,
)

__all__ = ["plan_grouped"]


def plan_grouped(subject: Subject, min_length: int, names: Mapping[str, str]) -> Plan | Diagnostic:
    cls, flow = subject.cls, subject.flow
    diagnostics: list[Diagnostic] = []
    candidates: list[Chain] = []
    for chain in subject.chains.chains:
        for part in _without_containers(subject, chain):
            if len(part.layers) < min_length or not _learns(subject, part):
                site = flow.steps[part.layers[0].step].site
                count = len(part.layers)
                message = f"{count} layer{'s' if count > 1 else ''}, left alone" + (
                    "" if _learns(subject, part) else ", none with weights"
                )
                diagnostics.append(Diagnostic("SQ208", message, site.location() if site else None))
            else:
                candidates += _split_at_flatten(subject, part, min_length)
    candidates = [chain for chain in candidates if not _refuse_moving(subject, chain, diagnostics)]
    candidates = unbroken(cls, candidates)
    groups, renames = _form_groups(subject, candidates, names, diagnostics)
    keeps = _kept_attributes(subject, groups)
    needs = [
        frozenset().union(
            *(row.layer.reads for row in group.rows), *(constructor_reads(cls, row) for row in group.rows)
        )
        for group in groups
    ]
    placements = place(cls, [moved(group) for group in groups], needs, subject.children)
    placed = []
    for group, placement in zip(groups, placements, strict=True):
        if isinstance(placement, str):
            site = flow.steps[group.rows[0].layer.step].site
            diagnostics.append(Diagnostic("SQ402", placement, site.location() if site else None))
        else:
            placed.append((group, placement))
    steady = unbroken(cls, [group.chain for group, _ in placed])
    placed = [(group, placement) for group, placement in placed if group.chain in steady]
    renames = {old: new for old, new in renames.items() if new.split(".")[0] in {group.name for group, _ in placed}}
    if not placed:
        blocking = [item for item in diagnostics if item.severity is Severity.ERROR]
        blocking += [item for item in breaks(subject) if item.severity is Severity.ERROR]
        # what an earlier conversion left alone is no reason to refuse the next one
        if blocking and not any(_calls_container(subject, name) for name in subject.children):
            raise Refusal(*blocking, *(item for item in (*diagnostics, *breaks(subject)) if item not in blocking))
        first = next(iter((*diagnostics, *breaks(subject))), None)
        return Diagnostic(
            "SQ209" if first is None else first.code,
            "forward calls no layer" if first is None else first.message,
            first.location if first is not None else cls.source.location(cls.node),
        )
    kept = tuple(group for group, _ in placed)
    for group in kept:
        diagnostics += notes(subject, group.chain)
        diagnostics += _outside_uses(subject, group)
    return Plan(
        "grouped", kept, renames, tuple(diagnostics), find_gaps(cls, [group.chain for group in kept]),
        placements=tuple(placement for _, placement in placed), keeps=keeps,
    )  # fmt: skip


def _learns(subject: Subject, chain: Chain) -> bool:
    """Whether a chain has a layer with weights: pooling and reshaping alone are no part of a network."""
    layers = (subject.children[layer.attribute] for layer in chain.layers if layer.attribute is not None)
    return any(next(layer.parameters(), None) is not None for layer in layers)


def _slice(subject: Subject, chain: Chain, start: int, stop: int) -> Chain:
    """A part of a chain, which may be shorter than asked for."""
    made = make_chain(subject.cls, chain.layers[start:stop])
    return made if made is not None else Chain((), ())


def _calls_container(subject: Subject, name: str) -> bool:
    """Whether forward calls a child that is an `nn.Sequential`."""
    called = {step.target for step in subject.flow.steps if step.kind == "module"}
    return isinstance(subject.children[name], nn.Sequential) and name in called


def _without_containers(subject: Subject, chain: Chain) -> list[Chain]:
    """The parts of a chain between modules that are an `nn.Sequential` already."""
    parts, start = [], 0
    for index, layer in enumerate(chain.layers):
        if is_container(subject, layer):
            parts.append((start, index))
            start = index + 1
    parts.append((start, len(chain.layers)))
    slices = [_slice(subject, chain, start, stop) for start, stop in parts if stop > start]
    return [part for part in slices if part.layers]


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
    for node in _lookups(cls.node):
        words = set(re.findall(r"\w+", node.value))
        if words & names:
            found = sorted(str(name) for name in words & names)[0]
            message = f"`{found}` is named in a string, which may look the layer up"
            diagnostics.append(Diagnostic("SQ403", message, cls.source.location(node), level=Severity.ERROR))
            return True
    past = cls.reached_past_self(names)
    if past is not None:
        message = f"`.{past.attr}` is reached through something else than self"
        diagnostics.append(Diagnostic("SQ403", message, cls.source.location(past), level=Severity.ERROR))
        return True
    for node in ast.walk(cls.node):
        if _looks_up_by_computed_name(node):
            message = "an attribute is looked up by a name that is computed"
            diagnostics.append(Diagnostic("SQ403", message, cls.source.location(node), level=Severity.ERROR))
            return True
    rewriting = cls.class_names & {"_load_from_state_dict", "load_state_dict", "state_dict", "_save_to_state_dict"}
    for name in sorted(rewriting):
        here = cls.source.location(cls.methods.get(name, cls.node))
        diagnostics.append(
            Diagnostic("SQ403", f"`{name}` works on keys that would be renamed", here, level=Severity.ERROR)
        )
        return True
    seen = watched(subject)
    if seen is not None:
        diagnostics.append(seen)
        return True
    for subclass, where in subclasses(subject):
        diagnostics.append(
            Diagnostic("SQ403", f"`{subclass}` inherits the layers that would move", where, level=Severity.ERROR)
        )
        return True
    return False


def _looks_up_by_computed_name(node: ast.AST) -> TypeGuard[ast.Call]:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or len(node.args) < 2:
        return False
    lookup = node.func.id in ("getattr", "setattr", "hasattr", "delattr")
    return lookup and isinstance(node.args[0], ast.Name) and not isinstance(node.args[1], ast.Constant)


_LOOKUPS = ("getattr", "setattr", "hasattr", "delattr", "get_submodule", "get_parameter", "startswith", "endswith")


def _lookups(root: ast.AST) -> list[Any]:
    """Strings that may look an attribute or key up by name: not those that are passed to any other function."""
    found = []
    for parent in ast.walk(root):
        if isinstance(parent, ast.Call):
            function = parent.func.attr if isinstance(parent.func, ast.Attribute) else getattr(parent.func, "id", "")
            strings = parent.args if function in _LOOKUPS else []
        elif isinstance(parent, ast.Subscript):
            strings = [parent.slice]
        elif isinstance(parent, ast.Compare):
            strings = [parent.left, *parent.comparators]
        elif isinstance(parent, ast.List | ast.Tuple | ast.Set):
            strings = parent.elts
        elif isinstance(parent, ast.Dict):
            strings = [key for key in parent.keys if key is not None]
        elif isinstance(parent, ast.JoinedStr):
            strings = parent.values
        elif isinstance(parent, ast.BinOp):
            strings = [parent.left, parent.right]
        else:
            continue
        found += [node for node in strings if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return found


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
        wanted = group_name(chain, subject.flow, cls, subject.children, taken)
        following = chains[index + 1] if index + 1 < len(chains) else None
        if following is not None and _opens_classifier(subject, following) and wanted == "layers":
            wanted = "features"
        if (
            _opens_classifier(subject, chain)
            and index
            and chains[index - 1].layers[-1].step == chain.layers[0].step - 1
        ):
            wanted = "classifier"
        wanted = names.get(wanted, wanted)
        name = fresh(wanted, taken)
        if name != wanted and wanted not in {group.name for group in groups}:
            diagnostics.append(
                Diagnostic(
                    "SQ406",
                    f"`{wanted}` exists, the new attribute is `{name}`",
                    cls.source.location(cls.node),
                    help=f"`--name {name}=...` chooses another",
                )
            )
        taken.add(name)
        group, moved = number_rows(chain, name, used)
        groups.append(group)
        renames |= moved
    return groups, renames


def _opens_classifier(subject: Subject, chain: Chain) -> bool:
    first = chain.layers[0]
    return first.callee == "nn.Flatten" or (
        first.attribute is not None and isinstance(subject.children[first.attribute], nn.Flatten)
    )


def _kept_attributes(subject: Subject, groups: Sequence[Group]) -> frozenset[str]:
    """Layers without state that forward calls outside the groups as well: their statement stays, rows get copies."""
    cls = subject.cls
    forward = cls.forward
    assert forward is not None
    inside = {id(row.layer.node.func) for group in groups for row in group.rows if isinstance(row.layer.node, ast.Call)}
    calls = {id(node.func) for node in ast.walk(forward) if isinstance(node, ast.Call)}
    called = {node.attr for node in cls.attributes(forward) if id(node) in calls and id(node) not in inside}
    return frozenset(called & {row.layer.attribute for group in groups for row in group.rows if row.layer.attribute})


def _outside_uses(subject: Subject, group: Group) -> list[Diagnostic]:
    """Where the file reads or assigns an attribute that moves, through something other than self in the class."""
    cls = subject.cls
    names = set(moved(group))
    inside = {id(node) for node in ast.walk(cls.node)}
    found = []
    for node in ast.walk(cls.source.tree):
        if not isinstance(node, ast.Attribute) or node.attr not in names or id(node) in inside:
            continue
        owner = node.value.id if isinstance(node.value, ast.Name) else ""
        if owner == "self" or inspect.ismodule(cls.names.get(owner)):
            continue  # another class's own attribute, or a function of a module
        place = f"{group.name}[{_key_of(group, node.attr)}]"
        found.append(Diagnostic("SQ403", f"`.{node.attr}` is now `.{place}`", cls.source.location(node)))
    for node in _lookups(cls.source.tree):
        head = str(node.value).split(".")[0]
        if head in names and id(node) not in inside:
            place = f"{group.name}.{_key_of(group, head)}"
            found.append(
                Diagnostic("SQ403", f"`{head}` is named in a string, and is now `{place}`", cls.source.location(node))
            )
    return found


def _key_of(group: Group, attribute: str) -> str:
    return next(row.key for row in group.rows if row.layer.attribute == attribute and row.origin == "moved")
