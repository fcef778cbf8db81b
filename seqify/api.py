"""The Python interface, and the one place where the stages are joined."""

# Target -> Model -> Flow(Step) -> Chain(Layer) -> Plan -> Rewrite(Edit) -> Verdict(Check) -> Report

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn

from seqify.asking import example_inputs, find_devices
from seqify.classfile import shown
from seqify.compare.axes import is_large
from seqify.compare.comparison import Comparison, compare_sides
from seqify.compare.side import Side
from seqify.config import read_config
from seqify.constructed import Constructions
from seqify.conversion import UNEDITABLE, Conversion, Nothing, Wish, anew, edit
from seqify.diagnostics import Diagnostic
from seqify.diff import unified_diff
from seqify.emit.imports import absolute_imports
from seqify.errors import Refusal
from seqify.findings import chain_report, find_diagnostics, specialised, without_places
from seqify.graph import make_graph
from seqify.inputs import Inputs
from seqify.keymap import KeyMap, make_keymap
from seqify.load import Model, build_in, load_live, load_target
from seqify.observe import observe
from seqify.report import Report
from seqify.version import versions
from seqify.workshop import package_of

__all__ = ["convert", "trace"]

Progress = Callable[[str], None]


def convert(
    target: str | nn.Module,
    inputs: Any = None,
    *,
    layout: str = "auto",
    depth: int | str = 0,
    mode: str = "both",
    source: str = "auto",
    made: Constructions | None = None,
    min_length: int | None = None,
    names: Mapping[str, str] | None = None,
    devices: Sequence[str] = ("auto",),
    dtypes: Sequence[torch.dtype] = (torch.float32, torch.float64),
    verify: bool = True,
    symbolic: bool | None = None,
    allow_unproved: bool = False,
    progress: Progress = lambda _: None,
) -> Report:
    """
    Convert a module's forward into an `nn.Sequential`, and compare the result with the original.

    Args:
        target: `"model.py:Net(width=64)"`, or a live module, which is not changed.
        inputs: example inputs: a tensor, a tuple, a dict by name, or texts such as `"8,1,28,28"`; found by probing
            when None.
        layout: "auto", "flat", "grouped" or "function".
        depth: how far submodules are opened: a number of levels, "blocks" for those that are straight lines
            themselves, or "full" for all down to torch.nn. From 1 on, a new class is written.
        mode: "both", or "eval" to convert what forward does in eval alone, into a new class.
        source: "edit" to edit the class where it is written, "new" to write a new one, "auto" to do what can be done,
            an edit first.
        made: how a live module was built, from `with seqify.recording() as made:`; a new class needs it for layers that
            are not torch.nn's.
        min_length: groups of fewer layers are left alone; 2 by default.
        names: for a group's chosen name, the name to give it instead.
        devices: where to compare; "auto" is the CPU, and CUDA where there is one.
        dtypes: what to compare in.
        verify: whether to compare at all.
        symbolic: prove it for symbolic sizes too, which costs a second or more; by default for inputs of a million
            numbers and more, where that is quicker than a run.
        allow_unproved: whether exact numbers without a proof are enough.
        progress: told what is being done.

    Returns:
        A report whose status is "equivalent", "tested" when every number agrees but nothing was proved, "different",
        "unchanged", or "converted" when nothing was compared.

    Raises:
        Refusal: the model was understood, and cannot be converted.
        CannotAsk: the target, the inputs or the device do not allow the question.

    Example:
        >>> report = seqify.convert("samples/lenet.py:LeNet")
        >>> report.status
        'equivalent'
        >>> model = report.module()
    """
    progress("loading")
    model = load_target(target) if isinstance(target, str) else load_live(target)
    places = find_devices(devices)
    opens = depth != 0 or mode != "both"
    if not opens and type(model.instance).forward is nn.Sequential.forward and "forward" not in vars(model.instance):
        return _unchanged(model, Diagnostic("SQ209", f"`{model.kind.__name__}` is an `nn.Sequential` already"), ())
    config = read_config(os.path.dirname(model.filename or "") or ".")
    example = example_inputs(model, inputs, progress)
    symbolic = is_large(example) if symbolic is None else symbolic
    wish = Wish(layout, min_length or config.min_length or 2, names or {}, depth, mode)
    way = source if not opens else "new"
    outcome = _convert(model, example, wish, way, made, progress)
    if isinstance(outcome, Nothing):
        return _unchanged(model, outcome.reason, example.describe(), len(outcome.flow.steps))
    conversion, notes = outcome
    cls, plan, flow = conversion.cls, conversion.plan, conversion.flow
    keymap = make_keymap(model.instance, conversion.new, conversion.renames)
    found = None
    if verify:
        found = _compare(model, conversion, example, keymap, places, dtypes, mode, symbolic, progress)
    status = found.status if found else "converted"
    unproved = status == "tested" and not allow_unproved
    told = find_diagnostics(model.instance, conversion.subject, plan, keymap, found, places, devices, unproved)
    rewrite, path = conversion.rewrite, None if conversion.file else cls.source.path
    elsewhere = absolute_imports(dataclasses.replace(cls.source, text=rewrite.text), package_of(model))
    report = Report(
        command="convert",
        target=model.name,
        status=status,
        exit_code={"failed": 2, "different": 1, "tested": int(unproved)}.get(status, 0),
        versions=versions(),
        layout=plan.layout,
        inputs=example.describe(),
        calls=len(flow.steps),
        chains=tuple(chain_report(group.name, group.rows, cls) for group in plan.groups),
        keymap=keymap,
        checks=found.verdict.checks if found else (),
        proof=found.proof if found else None,
        divergence=found.divergence if found else None,
        specialised=specialised(flow),
        diagnostics=(*notes, *told),
        path=path,
        original=cls.source.text if path else "",
        source=rewrite.text,
        elsewhere=elsewhere if path else rewrite.text,
        encoding=cls.source.encoding,
        diff=_diff(conversion, path),
        build=conversion.build,
        make=conversion.make,
    )
    return report if path else without_places(report, conversion.file or "")


def _convert(
    model: Model, example: Inputs, wish: Wish, way: str, made: Constructions | None, progress: Progress
) -> tuple[Conversion, tuple[Diagnostic, ...]] | Nothing:
    """By an edit if that is possible and wanted, else by a new class."""
    refused: Refusal | None = None
    nothing: Nothing | None = None
    if way != "new":
        try:
            outcome = edit(model, example, wish, progress)
            if isinstance(outcome, Conversion):
                return outcome, ()
            nothing = outcome
            if way == "edit" or not outcome.blocked:
                return outcome
        except Refusal as error:
            if way == "edit" or error.diagnostic.code not in UNEDITABLE:
                raise
            refused = error
    try:
        outcome = anew(model, example, wish, made, progress)
    except Refusal as error:
        if nothing is not None:
            return nothing
        if refused is None:
            raise
        note = f"a new class cannot be written either: {error.diagnostic.message}"
        raise Refusal(dataclasses.replace(refused.diagnostic, notes=(*refused.diagnostic.notes, note))) from None
    if not isinstance(outcome, Conversion):
        if refused is not None:
            raise refused
        return nothing or outcome
    why = refused.diagnostic if refused is not None else nothing.reason if nothing is not None else None
    notes = (
        [Diagnostic("SQ411", f"a new class is written, since the old one is not edited: {why.message}")] if why else []
    )
    kept = {item.reason: item for item in outcome.flow.kept}
    for item in kept.values():
        site = item.site.location() if item.site is not None else None
        notes.append(Diagnostic("SQ412", f"`{item.path}` is kept whole: {item.reason}", site))
    return outcome, tuple(notes)


def _diff(conversion: Conversion, path: str | None) -> str:
    if path is not None:
        return unified_diff(conversion.cls.source.text, conversion.rewrite.text, shown(path))
    name = os.path.basename(conversion.file or "model.py")
    text = unified_diff("", conversion.rewrite.text, name)
    return text.replace(f"--- a/{name}", "--- /dev/null", 1)


def trace(
    target: str | nn.Module, inputs: Any = None, *, depth: int | str = "full", mode: str = "both"
) -> fx.GraphModule:
    """
    What a module's forward does, as a `torch.fx` graph that runs with the module's own weights.

    forward really runs, so everything that Python can say in it is understood. Sizes stay symbolic; where a decision on
    a size was taken, the graph checks that it would be the same and raises otherwise.

    Args:
        target: as for `convert`.
        inputs: as for `convert`.
        depth: how far submodules are opened, "full" is down to torch.nn; those that cannot be are kept whole.
        mode: "both" requires the same calls in eval and train; "eval" reads eval alone.

    Returns:
        A GraphModule that takes the inputs by their names; `meta["flow"]` is the recording, with `kept` and `guards`.

    Raises:
        Refusal: forward decides on values, or does other things in train or at another batch size.
        CannotAsk: the target or the inputs do not allow the question.

    Example:
        >>> graph = seqify.trace("samples/lenet.py:LeNet")
        >>> [node.target for node in graph.graph.nodes][:2]
        ['x', 'conv1']
    """
    model = load_target(target) if isinstance(target, str) else load_live(target)
    flow = observe(model.instance, example_inputs(model, inputs, lambda _: None), depth, mode)
    graph = make_graph(flow, model.instance)
    graph.meta["flow"] = flow
    return graph


def _compare(
    model: Model,
    conversion: Conversion,
    example: Inputs,
    keymap: KeyMap,
    places: Sequence[str],
    dtypes: Sequence[torch.dtype],
    mode: str,
    symbolic: bool,
    progress: Progress,
) -> Comparison:
    expression = conversion.build
    rebuilt = None
    if model.build is not None and expression is not None:
        rebuilt = functools.partial(build_in, conversion.converted, expression)
    return compare_sides(
        Side(model.instance, model.build),
        Side(conversion.new, rebuilt),
        example,
        names=keymap.tensors,
        devices=places,
        dtypes=dtypes,
        modes=("eval",) if mode == "eval" else ("eval", "train"),
        symbolic=symbolic,
        interface=False,
        progress=progress,
    )


def _unchanged(model: Model, reason: Diagnostic, inputs: tuple[Mapping[str, Any], ...], calls: int = 0) -> Report:
    return Report(
        command="convert",
        target=model.name,
        status="unchanged",
        exit_code=0,
        versions=versions(),
        inputs=inputs,
        calls=calls,
        diagnostics=(reason,),
        path=model.filename,
    )
