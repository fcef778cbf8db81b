"""A live module, written out as a class of its own."""

# The module emitter's first half. What it writes is a plain class, one line a layer and one line a call, for models
# whose own text cannot be edited: built in loops, by factories, in installed packages. The result is then converted as
# if a user had written it (see api.py).
#
#     live model, flow ──► write_class ──► class ResNet(nn.Module): conv1, bn1, ..., forward ──► flat, grouped, function
#
# Every path of the model has one of three fates:
#
#     called or read by the flow        an attribute: layer1.0.conv1 becomes self.layer1_0_conv1
#     never called, but with a state    an attribute too, so that no key of a checkpoint is lost
#     a list that is run in order       one nn.Sequential: layers.0, layers.1, ... become self.layers

from __future__ import annotations

import dataclasses
import inspect
import itertools
import keyword
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqify.constructed import Constructions
from seqify.emit.layers import Writer
from seqify.emit.layout import Node, call
from seqify.emit.literal import CannotWrite, Imports
from seqify.flow import AttrRef, Flow, Ref, Step, leaves
from seqify.plain.forward import ForwardWriter
from seqify.version import versions

__all__ = ["PlainClass", "write_class"]

_LONG = 12  # layers, from which on a reader wants paragraphs
_FEW = 16  # numbers, that a buffer may have to be written out


@dataclass(frozen=True)
class PlainClass:
    """
    The text of a file with one class, which does what a live module does.

    `paths` gives for each submodule, parameter and buffer of the module that became an attribute its name; what lies
    inside moves along. `gathered` says that lists of layers have become Sequentials.
    """

    name: str
    text: str
    paths: Mapping[str, str]
    gathered: bool


def write_class(
    module: nn.Module, flow: Flow, made: Constructions, origin: str, shapes: Mapping[str, tuple[int, ...]]
) -> PlainClass:
    """
    Write a module's class anew, from what it holds and what it was seen to do.

    Args:
        module: the live module.
        flow: a recording of it, at any depth.
        made: how it and its parts were built.
        origin: where it comes from, for the file's first line.
        shapes: of the inputs that are tensors; the first size of the first one is the batch, which comments call N.

    Raises:
        CannotWrite: a part of it has no source that gives the same again.
    """
    batch = next((shape[0] for shape in shapes.values() if shape), 0)
    seen, flow = flow, _with_runs(flow, module)
    name = type(module).__name__
    origin = origin.replace("\\", "/").replace('"', "'")
    if "nn" in flow.inputs or "self" in flow.inputs:
        raise CannotWrite("forward", "it has an input named `nn`")
    imports = Imports({name, "self", *flow.inputs})
    imports.name("torch", "nn")
    writer = Writer(made, imports)
    attributes = _Attributes(module, flow)
    lines = list(_Constructor(module, flow, attributes, writer, batch).lines())
    body = ForwardWriter(flow, attributes.places, writer, shapes).write()
    parameters = ", ".join(("self", *_parameters(module, flow)))
    text = [
        f'"""{name}, written by seqify {versions()["seqify"]} from `{origin}`."""',
        "",
        *writer.imports.lines,
        "",
        "",
        f"class {name}(nn.Module):",
        f'    """What `{origin}` builds: its layers, and what its forward does with them."""',
        "",
        "    def __init__(self) -> None:",
        "        super().__init__()",
        *(f"        {line}" if line else "" for line in lines),
        "",
        f"    def forward({parameters}):",
        *(f"        {line}" for line in body),
    ]
    return PlainClass(name, "\n".join(text) + "\n", attributes.names, len(flow.steps) < len(seen.steps))


def _parameters(module: nn.Module, flow: Flow) -> list[str]:
    """
    The inputs in the order of the signature. What came behind one that is left out is passed by name: by position, the
    old call would mean another one.
    """
    order = [name for name in inspect.signature(type(module).forward).parameters if name in flow.inputs]
    order += [name for name in flow.inputs if name not in order]
    known = list(inspect.signature(type(module).forward).parameters)[1:]
    found, gap = [], False
    for place, name in enumerate(order):
        if not gap and known[place : place + 1] != [name]:
            gap = True
            found.append("*")
        value = flow.given.get(name)
        found.append(name if isinstance(value, tuple | list | dict) else f"{name}={value!r}")
    return found


def _with_runs(flow: Flow, module: nn.Module) -> Flow:
    """The flow with each list of layers that runs in order, and nowhere else, as one call of a container."""
    users = flow.users()
    steps = list(flow.steps)
    calls = [step.target for step in steps if step.kind == "module"]
    for path, held in module.named_modules():
        if not isinstance(held, nn.ModuleList) or not len(held) or type(held).forward is not nn.Module.forward:
            continue
        paths = [f"{path}.{index}" if path else str(index) for index in range(len(held))]
        run = [step for step in steps if step.target in paths]
        in_order = [step.target for step in run] == paths and all(
            b.index == a.index + 1 and users[a.index] == [b.index] and list(b.values()) == [Ref(a.index)]
            for a, b in itertools.pairwise(run)
        )
        alone = not any(name.startswith(f"{item}.") for name in calls for item in paths)
        plain = all(len(step.args) == 1 and not step.kwargs and step.shape is not None for step in run)
        same = len({step.ambient for step in run}) == 1
        inner = {Ref(step.index) for step in run[:-1]}
        measured = any(size.value in inner for size in flow.sizes)
        if path and not measured and in_order and alone and plain and same and _reads_none(flow, paths):
            last = run[-1]
            joined = dataclasses.replace(last, target=path, args=run[0].args, site=None, mutates=run[0].mutates)
            gone = {step.index for step in run[:-1]}
            steps = [joined if step is last else step for step in steps if step.index not in gone]
    return dataclasses.replace(flow, steps=tuple(steps))


def _reads_none(flow: Flow, paths: list[str]) -> bool:
    read = [value.path for step in flow.steps for value in step.values() if isinstance(value, AttrRef)]
    return not any(name.startswith(f"{path}.") for name in read for path in paths)


class _Attributes:
    """The attributes of the new class, by what they were in the live module."""

    def __init__(self, module: nn.Module, flow: Flow) -> None:
        self.module = module
        steps = [step for step in flow.steps if step.kind == "module"]
        self.called = {step.target for step in steps}
        self.read = {value.path for step in flow.steps for value in leaves((step.args, step.kwargs))
                     if isinstance(value, AttrRef)}  # fmt: skip
        self.read |= {value.path for value in leaves(flow.output) if isinstance(value, AttrRef)}
        self.names: dict[str, str] = {}
        self.seen: dict[int, str] = {}
        self.aliases: dict[str, str] = {}
        self._walk(module, "")
        self.places = {path: f"self.{name}" for path, name in self.names.items()}

    def _walk(self, module: nn.Module, path: str) -> None:
        prefix = f"{path}." if path else ""
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None:
                self._add(f"{prefix}{name}", tensor)
        for name, child in module._modules.items():
            if child is None:
                continue
            here = f"{prefix}{name}"
            inside = any(other.startswith(f"{here}.") for other in self.called | self.read)
            if here in self.called or not inside:
                if here in self.called or next(itertools.chain(child.parameters(), child.buffers()), None) is not None:
                    self._add(here, child)
            else:
                self._walk(child, here)

    def _add(self, path: str, part: Any) -> None:
        name = re.sub(r"\W", "_", path, flags=re.ASCII)
        if not name.isidentifier() or name.startswith("__"):
            name = f"layer_{name.lstrip('_')}"
        while name in self.names.values() or hasattr(nn.Sequential, name) or keyword.iskeyword(name):
            name = f"{name}_"
        if id(part) in self.seen:
            self.aliases[path] = self.seen[id(part)]
        self.seen.setdefault(id(part), path)
        self.names[path] = name


class _Constructor:
    """The lines that build the attributes, in the order in which the module has them."""

    def __init__(self, module: nn.Module, flow: Flow, attributes: _Attributes, writer: Writer, batch: int) -> None:
        self.module, self.flow, self.attributes, self.writer = module, flow, attributes, writer
        self.made_at = {step.target: step for step in flow.steps if step.kind == "module"}
        self.batch = batch

    def lines(self) -> Iterator[str]:
        before: tuple[int, ...] | None = None
        long = len(self.made_at) > _LONG
        for path, name in self.attributes.names.items():
            step = self.made_at.get(path)
            shape = step.shape if step is not None else None
            if long and before is not None and shape is not None and shape[2:] != before[2:] and len(before) > 2:
                yield ""
            before = shape or before
            yield from self._line(path, name, step)
        yield from self._ties()

    def _line(self, path: str, name: str, step: Step | None) -> Iterator[str]:
        if path in self.attributes.aliases:
            yield f"self.{name} = self.{self.attributes.names[self.attributes.aliases[path]]}"
            return
        part = _get(self.module, path)
        lead = f"self.{name} = "
        if isinstance(part, nn.Module):
            if isinstance(part, nn.ModuleList) and path in self.attributes.called:
                part = nn.Sequential(*part).train(part.training)
            text = lead + self.writer.expression(part, indent=8, lead=len(lead), path=path)
            comment = f"  # {self._shape(step.shape)}" if step is not None and step.shape else ""
            first, *rest = text.split("\n")
            lines = [first, *(line.removeprefix(" " * 8) for line in rest)]
            if len(lines[-1]) + 8 + len(comment) <= 120:
                lines[-1] += comment
            yield from lines
        elif isinstance(part, nn.Parameter):
            self.writer.imports.name("torch")
            inner = self._empty(part)
            flag = {} if part.requires_grad else {"requires_grad": Node("False")}
            yield lead + call("nn.Parameter", [Node(inner)], flag).lay_out(8, len(lead))
        else:
            yield self._buffer(path, name, part)

    def _buffer(self, path: str, name: str, part: Tensor) -> str:
        self.writer.imports.name("torch")
        owner = self.module.get_submodule(path.rpartition(".")[0])
        if path.rpartition(".")[2] not in owner._non_persistent_buffers_set:
            return f'self.register_buffer("{name}", {self._empty(part)})'
        if part.numel() > _FEW or part.is_meta:
            raise CannotWrite(path, "it is a buffer that no checkpoint holds, and too long to write out")
        dtype = "" if part.dtype in (torch.float32, torch.int64, torch.bool) else f", dtype={part.dtype}"
        values = self.writer.node(part.tolist(), path, name).flat
        made = f"torch.tensor({values}{dtype})" if part.numel() else self._empty(part)
        return f'self.register_buffer("{name}", {made}, persistent=False)'

    def _empty(self, tensor: Tensor) -> str:
        dtype = "" if tensor.dtype == torch.float32 else f", dtype={tensor.dtype}"
        sizes = ", ".join(map(str, tensor.shape))
        return f"torch.zeros({sizes or '()'}{dtype})"

    def _shape(self, shape: tuple[int, ...]) -> str:
        sizes = ["N" if index == 0 and size == self.batch else str(size) for index, size in enumerate(shape)]
        return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"

    def _ties(self) -> Iterator[str]:
        """Parameters that two attributes share, each tied again to where it stands first."""
        places: dict[int, tuple[str, str]] = {}
        for path, name in self.attributes.names.items():
            part = _get(self.module, path)
            if path in self.attributes.aliases or not isinstance(part, nn.Module):
                continue
            for inner, parameter in part.named_parameters():
                place = f"self.{name}" + "".join(
                    f"[{item}]" if item.isdigit() else f".{item}" for item in inner.split(".")
                )
                known = places.setdefault(id(parameter), (name, place))
                if known[0] != name:
                    yield f"{place} = {known[1]}"


def _get(module: nn.Module, path: str) -> Any:
    head, _, name = path.rpartition(".")
    return getattr(module.get_submodule(head), name)
