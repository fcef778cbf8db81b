"""From a model to a converted text, by one of two ways."""

#   edit     the class has a source that can be edited       the user's text, and a diff of it
#   anew     it has none, or its layers are built elsewhere   a plain class is written from the live model first
#            (a factory, a loop, an installed package),       (plain/), and then edited like a user's
#            or its submodules are to be opened
#
#   model ─► flow ─► [plain class ─► model ─► flow ─►] chains ─► plan ─► rewrite ─► converted

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import nn

from seqify.chains import find_chains
from seqify.classes import ClassSource
from seqify.classfile import class_source, plain_attributes
from seqify.constructed import Constructions, recording
from seqify.diagnostics import Diagnostic
from seqify.emit import Rewrite, emit
from seqify.emit.literal import CannotWrite
from seqify.errors import CannotAsk, Refusal
from seqify.flow import Flow
from seqify.inputs import Inputs
from seqify.load import Model, build_in, load_target
from seqify.observe import observe, stand_in
from seqify.openness import carries_more
from seqify.ops import Words
from seqify.plain import write_class
from seqify.plan import Plan, Subject, make_plan
from seqify.transplant import adopt, transplant
from seqify.workshop import load_text, save_text

__all__ = ["UNEDITABLE", "Conversion", "Nothing", "Wish", "anew", "build_expression", "edit"]

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """What is asked of a conversion."""

    layout: str = "auto"
    min_length: int = 2
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    depth: int | str = 0
    mode: str = "both"


@dataclass(frozen=True)
class Conversion:
    """
    A model and its new text.

    `renames` gives for paths of the target, or their beginnings, what they are called in `new`; `flow` is the recording
    of the target itself. `file` is the plain class's, where one was written.
    """

    subject: Subject
    plan: Plan
    rewrite: Rewrite
    converted: ModuleType
    new: nn.Module
    build: str | None
    renames: Mapping[str, str]
    flow: Flow
    make: Callable[[], nn.Module]
    file: str | None = None

    @property
    def cls(self) -> ClassSource:
        return self.subject.cls


@dataclass(frozen=True)
class Nothing:
    """Why nothing is to be done. `blocked` says that a new class might do what an edit cannot."""

    reason: Diagnostic
    flow: Flow
    blocked: bool = False


# What an edit cannot express, and a new class can.
UNEDITABLE = ("SQ401", "SQ402", "SQ403", "SQ404", "SQ409")


def edit(model: Model, example: Inputs, wish: Wish, progress: Progress) -> Conversion | Nothing:
    """
    Convert a model by editing the source of its class.

    Returns:
        The conversion, or the reason why nothing is to be done.

    Raises:
        Refusal: the source, or what forward does, does not allow it.
    """
    cls = class_source(model)
    progress("reading forward")
    flow = observe(model.instance, example)
    words = Words(cls, plain_attributes(model, cls))
    subject = Subject(model.instance, cls, flow, find_chains(flow, cls, words, model.instance))
    plan = make_plan(subject, wish.layout, wish.min_length, wish.names)
    if isinstance(plan, Diagnostic):
        codes = [plan.code, *(item.code for item in subject.chains.breaks)]
        return Nothing(plan, flow, any(code in UNEDITABLE for code in codes))
    progress("rewriting")
    rewrite = emit(plan, cls)
    converted = load_text(rewrite, model)
    new = _build(model, plan, converted, cls)
    build = build_expression(model, plan)
    make = functools.partial(transplant, model.instance, plan, cls, converted)
    return Conversion(subject, plan, rewrite, converted, new, build, plan.renames, flow, make)


def anew(
    model: Model, example: Inputs, wish: Wish, made: Constructions | None, progress: Progress
) -> Conversion | Nothing:
    """
    Convert a model by writing a new class for it.

    Args:
        model: the target.
        example: its inputs.
        wish: what is asked for.
        made: how a live model was built, if that was recorded; a model that can be built again needs none.
        progress: told what is being done.

    Returns:
        The conversion, or the reason why nothing is to be done.

    Raises:
        Refusal: SQ410, when a part of the model cannot be written as source; SQ1xx, when forward cannot be read.
    """
    lost = carries_more(model.instance)
    if lost is None and type(model.instance).train is not nn.Module.train and not _trains_all(model.instance):
        lost = "its class has a `train` of its own, which leaves parts of it in eval"
    if lost is not None:
        raise Refusal(Diagnostic("SQ410", f"`{model.kind.__name__}` cannot be written anew: {lost}"))
    progress("reading forward")
    flow = observe(model.instance, example, wish.depth, wish.mode)
    if flow.written:
        raise Refusal(Diagnostic("SQ105", f"forward changes `self.{flow.written[0]}`, which no new class can do again"))
    instance = model.instance
    if made is None:
        made = Constructions()
        if model.build is not None:
            with recording() as made:
                instance = model.build(0)
    progress("writing the class anew")
    shapes = {name: tuple(value.shape) for name, value in example.values.items() if isinstance(value, torch.Tensor)}
    try:
        plain = write_class(instance, flow, made, model.name, shapes)
    except CannotWrite as reason:
        raise Refusal(Diagnostic("SQ410", f"`{reason.path}` cannot be written as source: {reason.reason}")) from None
    file = save_text(plain.text, plain.name.lower())
    written = load_target(f"{file}:{plain.name}")
    try:
        outcome = edit(written, example, wish, progress)
    except Refusal as error:  # its place is in a file that the user never sees
        raise Refusal(dataclasses.replace(error.diagnostic, location=None)) from None
    except CannotAsk as error:
        text = f"the new class cannot be run: {error.diagnostic.message}"
        raise Refusal(Diagnostic("SQ901", text)) from None
    if isinstance(outcome, Nothing) and outcome.reason.code == "SQ209" and wish.layout == "auto" and plain.gathered:
        # lists of layers have become Sequentials; the class that runs one after the other can be one itself
        outcome = edit(written, example, dataclasses.replace(wish, layout="flat"), progress)
    if isinstance(outcome, Nothing):
        return Nothing(dataclasses.replace(outcome.reason, location=None), flow)
    renames = {path: outcome.renames.get(name, name) for path, name in plain.paths.items()}

    def make() -> nn.Module:
        body = adopt(model.instance, written.instance, plain.paths)
        return transplant(body, outcome.plan, outcome.cls, outcome.converted)

    outcome.new.train(model.instance.training)
    return dataclasses.replace(outcome, renames=renames, flow=flow, make=make, file=str(file))


def _trains_all(module: nn.Module) -> bool:
    """Whether `train()` and `eval()` reach all submodules, whatever the class makes of them."""
    probe = stand_in(module)
    return all({part.training for part in probe.train(mode).modules()} == {mode} for mode in (True, False))


def build_expression(model: Model, plan: Plan) -> str | None:
    if model.expression is None:
        return None
    if plan.layout != "function":
        return model.expression
    name = model.kind.__name__
    return (
        plan.function + model.expression.removeprefix(name)
        if model.expression.startswith(f"{name}(")
        else model.expression
    )


def _build(model: Model, plan: Plan, converted: ModuleType, cls: ClassSource) -> nn.Module:
    expression = build_expression(model, plan)
    if expression is None:
        return transplant(model.instance, plan, cls, converted)
    try:
        new = build_in(converted, expression)
    except CannotAsk as error:
        raise Refusal(Diagnostic("SQ901", f"the converted class cannot be built: {error.diagnostic.message}")) from None
    return new.train(model.instance.training)
