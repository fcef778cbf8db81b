"""The Python interface, and the one place where the stages are joined."""

# Target -> Model -> Flow(Step) -> Chain(Layer) -> Plan -> Rewrite(Edit) -> Verdict(Check) -> Report

from __future__ import annotations

import ast
import atexit
import dataclasses
import functools
import inspect
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from seqify.chains import find_chains
from seqify.checks import Check, Verdict, check, same_seed
from seqify.classes import ClassSource, find_class
from seqify.config import read_config
from seqify.diagnostics import Diagnostic, Location
from seqify.diff import unified_diff
from seqify.emit import Rewrite, emit
from seqify.emit.imports import absolute_imports
from seqify.errors import CannotAsk, Refusal
from seqify.findings import chain_report, find_diagnostics, specialised
from seqify.inputs import Inputs, find_inputs, from_values, parse_inputs
from seqify.keymap import KeyMap, make_keymap
from seqify.load import Model, build_in, load_file, load_live, load_over, load_target
from seqify.observe import observe, runs, stand_in
from seqify.ops import Words
from seqify.plan import Plan, Subject, is_constant, make_plan
from seqify.report import CheckReport, Report
from seqify.source import SourceFile, read_source
from seqify.target import parse_target
from seqify.trace import forward_code
from seqify.transplant import transplant
from seqify.version import versions

__all__ = ["convert"]

Progress = Callable[[str], None]


def convert(
    target: str | nn.Module,
    inputs: Any = None,
    *,
    layout: str = "auto",
    min_length: int | None = None,
    names: Mapping[str, str] | None = None,
    devices: Sequence[str] = ("auto",),
    dtypes: Sequence[torch.dtype] = (torch.float32, torch.float64),
    verify: bool = True,
    progress: Progress = lambda _: None,
) -> Report:
    """
    Convert a module's forward into an `nn.Sequential`, and compare the result with the original.

    Args:
        target: `"model.py:Net(width=64)"`, or a live module, which is not changed.
        inputs: example inputs: a tensor, a tuple, a dict by name, or texts such as `"8,1,28,28"`; found by probing
            when None.
        layout: "auto", "flat", "grouped" or "function".
        min_length: groups of fewer layers are left alone; 2 by default.
        names: for a group's chosen name, the name to give it instead.
        devices: where to compare; "auto" is the CPU, and CUDA where there is one.
        dtypes: what to compare in.
        verify: whether to compare at all.
        progress: told what is being done.

    Returns:
        A report whose status is "tested", "different", "unchanged", or "converted" when nothing was compared.

    Raises:
        Refusal: the model was understood, and cannot be converted.
        CannotAsk: the target, the inputs or the device do not allow the question.

    Example:
        >>> report = seqify.convert("samples/lenet.py:LeNet")
        >>> report.status
        'tested'
        >>> model = report.module()
    """
    progress("loading")
    model = load_target(target) if isinstance(target, str) else load_live(target)
    places = _devices(devices)
    if type(model.instance).forward is nn.Sequential.forward and "forward" not in vars(model.instance):
        return _unchanged(model, Diagnostic("SQ209", f"`{model.kind.__name__}` is an `nn.Sequential` already"), ())
    cls = _class_source(model)
    config = read_config(os.path.dirname(cls.source.path) or ".")
    example = _inputs(model, inputs, progress)
    progress("reading forward")
    flow = observe(model.instance, example)
    subject = Subject(model.instance, cls, flow, find_chains(flow, cls, Words(cls, _plain(model, cls)), model.instance))
    plan = make_plan(subject, layout, min_length or config.min_length or 2, names)
    if isinstance(plan, Diagnostic):
        return _unchanged(model, plan, example.describe(), len(flow.steps))
    progress("rewriting")
    rewrite = emit(plan, cls)
    converted = _load_text(rewrite, model)
    new = _build(model, plan, rewrite, converted, cls)
    keymap = make_keymap(model.instance, new, plan.renames)
    verdict = Verdict()
    if verify:
        verdict = _verify(model, plan, new, converted, example, keymap, places, dtypes, progress)
    status = "converted" if not verify else "tested" if verdict.ok else "different"
    return Report(
        command="convert",
        target=model.name,
        status=status,
        exit_code=1 if status == "different" else 0,
        versions=versions(),
        layout=plan.layout,
        inputs=example.describe(),
        calls=len(flow.steps),
        chains=tuple(chain_report(group.name, group.rows, cls) for group in plan.groups),
        keymap=keymap,
        checks=tuple(CheckReport(**vars(item)) for item in verdict.checks),
        specialised=specialised(flow, cls),
        diagnostics=find_diagnostics(model.instance, subject, plan, keymap, verdict, places, devices),
        path=cls.source.path,
        original=cls.source.text,
        source=rewrite.text,
        elsewhere=absolute_imports(dataclasses.replace(cls.source, text=rewrite.text), _package(model)),
        encoding=cls.source.encoding,
        diff=unified_diff(cls.source.text, rewrite.text, _shown(cls.source.path)),
        build=_build_expression(model, plan),
        make=functools.partial(transplant, model.instance, plan, cls, converted),
    )


def _shown(path: str) -> str:
    """A path as a diff names it: from the working folder where it lies below."""
    relative = os.path.relpath(path)
    return path.lstrip("/") if relative.startswith("..") else relative


def _devices(asked: Sequence[str]) -> list[str]:
    found: list[str] = []
    for name in asked:
        if name == "auto":
            found += ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
            continue
        try:
            kind = torch.device(name).type
        except RuntimeError:
            raise CannotAsk(Diagnostic("SQ604", f"`{name}` is not a device")) from None
        if kind == "cuda" and not torch.cuda.is_available():
            raise CannotAsk(
                Diagnostic(
                    "SQ604",
                    f"`{name}` is not available on this machine",
                    help="leave `--device` out to check what is there",
                )
            )
        found.append(name)
    return list(dict.fromkeys(found))


def _class_source(model: Model) -> ClassSource:
    """
    The source of the class, and a look at whether it is the one that its instances run.

    Raises:
        Refusal: SQ401 or SQ404.
    """
    kind = model.kind
    here = f"`{kind.__qualname__}`"
    if "forward" in vars(model.instance):
        raise Refusal(Diagnostic("SQ404", f"the instance has a `forward` of its own, which {here} does not show"))
    if kind.__call__ is not nn.Module.__call__:
        raise Refusal(Diagnostic("SQ404", f"{here} has a `__call__` of its own"))
    if "forward" not in vars(kind):
        owner = next((base for base in kind.__mro__ if "forward" in vars(base)), kind)
        raise Refusal(
            Diagnostic(
                "SQ404",
                f"{here} inherits its forward from `{owner.__qualname__}`",
                help=f"convert `{owner.__qualname__}`",
            )
        )
    if model.filename is None or kind.__module__.split(".")[0] == "torch":
        raise Refusal(Diagnostic("SQ401", f"{here} has no source file of the user's"))
    if model.expression is not None and model.module is not None:
        home = os.path.realpath(getattr(model.module, "__file__", None) or "")
        if home != os.path.realpath(model.filename):
            raise Refusal(
                Diagnostic(
                    "SQ404",
                    f"{here} is defined in another file than the target names",
                    Location(model.filename, 1),
                    help=f"name it there: `{_shown(model.filename)}:{kind.__qualname__}`",
                )
            )
    if model.expression is None and "<locals>" in kind.__qualname__:
        raise Refusal(
            Diagnostic("SQ402", f"{here} is defined inside a function, where its new version cannot be reached")
        )
    source = read_source(model.filename)
    code = forward_code(model.instance)
    # what forward sees, which is not the module's own namespace for a class that `exec` has made
    names = getattr(inspect.unwrap(kind.forward), "__globals__", {})
    cls = find_class(source, kind.__qualname__, dict(names), code.co_firstlineno if code else None)
    if cls is None or cls.forward is None:
        raise Refusal(Diagnostic("SQ401", f"{here} is not written as a class in `{_shown(model.filename)}`"))
    return cls


def _inputs(model: Model, given: Any, progress: Progress) -> Inputs:
    """Inputs as given, else the project's, else the file's own `seqify_inputs()`, else found by probing."""
    module = model.instance
    if isinstance(given, str):
        given = [given]
    if isinstance(given, list | tuple) and given and all(isinstance(item, str) for item in given):
        return parse_inputs(module, list(given))
    if given is not None and not (isinstance(given, list | tuple) and not given):
        return from_values(module, given)
    if model.expression is not None:
        target = parse_target(model.name)
        texts = read_config(os.path.dirname(target.path or "") or ".").inputs_for(target)
        if texts:
            return parse_inputs(module, texts, "configured")
    function = getattr(model.module, "seqify_inputs", None)
    if callable(function):
        return from_values(module, function(), "file")
    progress("looking for an input")
    probe = stand_in(module)
    return find_inputs(module, lambda candidate: runs(probe, candidate))


def _plain(model: Model, cls: ClassSource) -> dict[str, Any]:
    """Attributes that hold a constant and are assigned once, at the top of `__init__` or in the class body."""
    found: dict[str, Any] = {}
    if any(isinstance(node, ast.Name) and node.id in ("setattr", "vars") for node in ast.walk(cls.node)):
        return found
    if any(isinstance(node, ast.Attribute) and node.attr == "__dict__" for node in ast.walk(cls.node)):
        return found
    for name, value in vars(model.instance).items():
        stored = cls.storing(name)
        steady = name not in cls.assigned_elsewhere and name not in cls.assigned_from_outside
        if is_constant(value) and len(stored) == 1 and stored[0].attribute == name and steady:
            found[name] = value
    for name in cls.class_names - set(cls.methods) - cls.assigned_elsewhere - cls.assigned_from_outside:
        value = vars(model.kind).get(name)
        if value is not None and is_constant(value) and not cls.storing(name):
            found[name] = value
    return found


@functools.cache
def _workshop() -> Path:
    """A folder for converted texts; TorchScript and tracebacks read them for as long as Python runs."""
    folder = tempfile.mkdtemp(prefix="seqify-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _load_text(rewrite: Rewrite, model: Model) -> ModuleType:
    """The new text, written to a file of its own and imported as the user's file would be."""
    old = model.module
    folder = Path(tempfile.mkdtemp(dir=_workshop()))
    file = folder / f"{Path(rewrite.source.path).stem or 'module'}.py"
    file.write_bytes(rewrite.text.encode(rewrite.source.encoding))
    package = _package(model)
    stem = f"{file.stem}_converted_{folder.name[-4:]}"
    name = f"{package}.{stem}" if package else stem
    try:
        if model.expression is None and old is not None:
            # a live instance may come from a script or a notebook, which must not run again
            return load_over(old, rewrite.source.text, file, name)
        try:
            return load_file(file, name, getattr(old, "__file__", None))
        except CannotAsk:
            if old is None:
                raise
            return load_over(old, rewrite.source.text, file, name)
    except CannotAsk as error:
        raise Refusal(
            Diagnostic("SQ901", f"the converted file cannot be imported: {error.diagnostic.message}")
        ) from None


def _package(model: Model) -> str:
    """The package that a file's relative imports start from; empty for a file outside of any."""
    return getattr(model.module, "__package__", None) or ""


def _build_expression(model: Model, plan: Plan) -> str | None:
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


def _build(model: Model, plan: Plan, rewrite: Rewrite, converted: ModuleType, cls: ClassSource) -> nn.Module:
    expression = _build_expression(model, plan)
    if expression is None:
        return transplant(model.instance, plan, cls, converted)
    try:
        new = build_in(converted, expression)
    except CannotAsk as error:
        raise Refusal(Diagnostic("SQ901", f"the converted class cannot be built: {error.diagnostic.message}")) from None
    return new.train(model.instance.training)


def _verify(
    model: Model,
    plan: Plan,
    new: nn.Module,
    converted: ModuleType,
    example: Inputs,
    keymap: KeyMap,
    places: Sequence[str],
    dtypes: Sequence[torch.dtype],
    progress: Progress,
) -> Verdict:
    batches = dict.fromkeys([example.batch, 3 if example.batch != 3 else 5] if example.batch else [0])
    trials = [(example.with_batch(batch) if example.batch else example).values for batch in batches]
    checks: list[Check] = []
    for device in places:
        checks += check(model.instance, new, trials, keymap.tensors, device, dtypes, progress).checks
    expression = _build_expression(model, plan)
    if model.build is not None and expression is not None:
        progress("building both from the same seeds")
        checks.append(same_seed(model.build, lambda seed: build_in(converted, expression, seed), keymap.tensors))
    return Verdict(tuple(dict.fromkeys(checks)))


def _unchanged(model: Model, reason: Diagnostic, inputs: tuple[Mapping[str, Any], ...], calls: int = 0) -> Report:
    source: SourceFile | None = None
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
        source=source.text if source else "",
    )
