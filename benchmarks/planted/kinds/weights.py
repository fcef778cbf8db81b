"""First values, parameters and buffers."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..mutant import kind
from ..source import Source, callee, dotted
from .sites import CONVS, DRAWING, Edits, buffers, made, setup

__all__: list[str] = []


@kind("buffer for a parameter")
def parameter_as_buffer(source: Source) -> Iterator[Edits]:
    for node in setup(source):
        if isinstance(node, ast.Assign) and callee(node.value) == "nn.Parameter":
            name = dotted(node.targets[0]).removeprefix("self.")
            yield [source.replace(node, f'self.register_buffer("{name}", {source.of(node.value.args[0])})')]


@kind("parameter for a buffer")
def buffer_as_parameter(source: Source) -> Iterator[Edits]:
    for node, call, name in buffers(source):
        yield [source.replace(node, f"self.{name} = nn.Parameter({source.of(call.args[1])}, requires_grad=False)")]


@kind("persistence of a buffer")
def persistence(source: Source) -> Iterator[Edits]:
    for _, call, _ in buffers(source):
        value = source.argument(call, "persistent", 2)
        yield [source.appended(call, "persistent=False") if value is None else source.without_argument(call, value)]


@kind("attribute for a buffer")
def buffer_as_attribute(source: Source) -> Iterator[Edits]:
    for node, call, name in buffers(source):
        yield [source.replace(node, f"self.{name} = {source.of(call.args[1])}")]


@kind("value of a buffer")
def buffer_value(source: Source) -> Iterator[Edits]:
    for _, call, _ in buffers(source):
        text = source.of(call.args[1])
        if "ones" in text or "zeros" in text:
            found = text.replace("zeros", "ones", 1) if "zeros" in text else text.replace("ones", "zeros", 1)
            yield [source.replace(call.args[1], found)]
        else:
            changed = " * 1.01" if "torch.tensor" in text else ".flip(-1)"
            yield [source.replace(call.args[1], f"{source.atom(call.args[1])}{changed}")]


@kind("initialisation lost")
def lost_initialisation(source: Source) -> Iterator[Edits]:
    for call in source.calls(*_initialisers(source)):
        yield [source.deleted(source.statement(call))]
    for node in setup(source):
        if source.of(node) == "self.apply(self._init_weights)" or ".fill_(" in source.of(node):
            yield [source.deleted(node)]


@kind("another initialisation")
def other_initialisation(source: Source) -> Iterator[Edits]:
    others = {
        "nn.init.kaiming_normal_": "nn.init.xavier_normal_",
        "nn.init.xavier_uniform_": "nn.init.kaiming_uniform_",
        "nn.init.zeros_": "nn.init.ones_",
        "nn.init.orthogonal_": "nn.init.xavier_uniform_",
        "nn.init.uniform_": "nn.init.normal_",
    }
    for call in source.calls(*_initialisers(source)):
        name, numbers = source.of(call.func), [*call.args[1:], *(k.value for k in call.keywords)]
        if name in others and name != "nn.init.kaiming_normal_":
            yield [source.replace(call.func, others[name])]
        for value in numbers:
            if isinstance(value, ast.Constant) and isinstance(value.value, float | int):
                yield [source.replace(value, repr(value.value + 0.3))]
            elif source.of(value) == '"fan_out"':
                yield [source.replace(value, '"fan_in"')]
    for call in source.calls("nn.Parameter"):
        text, statement = source.of(call.args[0]), source.statement(call)
        if source.set_later(dotted(statement.targets[0]).removeprefix("self.")):
            continue
        if "zeros" in text:
            yield [source.replace(call.args[0], text.replace("zeros", "ones"))]
        elif "ones" in text:
            yield [source.replace(call.args[0], text.replace("ones", "zeros"))]
        elif "randn" in text:
            yield [source.replace(call.args[0], text.replace("randn", "rand"))]


def _initialisers(source: Source) -> set[str]:
    return {callee(node) for node in source.nodes if callee(node).startswith("nn.init.")}


@kind("initialisation added")
def added_initialisation(source: Source) -> Iterator[Edits]:
    for owner in source.classes:
        for name, item in made(source, owner):
            if callee(item.value) in ("nn.Linear", *CONVS) and not source.set_later(name):
                yield [source.after(item, f"nn.init.xavier_uniform_(self.{name}.weight)")]
                if "bias=False" not in source.of(item.value):
                    yield [source.after(item, f"nn.init.zeros_(self.{name}.bias)")]


@kind("random draw in the constructor")
def constructor_draw(source: Source) -> Iterator[Edits]:
    for owner in source.classes:
        for _, item in made(source, owner):
            if callee(item.value) in DRAWING:
                yield [source.before(item, "torch.rand(1)")]


@kind("weights rounded by the constructor")
def rounded_layer(source: Source) -> Iterator[Edits]:
    for owner in source.classes[-1:]:
        for name, item in made(source, owner):
            if callee(item.value) in ("nn.Linear", *CONVS) and not source.set_later(name):
                yield [source.replace(item.value, f"{source.of(item.value)}.half().float()")]
