"""Several recordings of one forward, and what they agree on."""

# One recording shows one path. forward is recorded in eval and in train, at two batch sizes and at two extents:
#
#              batch 8           batch 3           batch 8, larger images
#     eval     base              shape differs?    extent differs?
#     train    mode differs?
#
# join.py compares each with the base. A difference inside an opened submodule keeps that one whole, and everything is
# recorded again; one in the target's own forward is the diagnosis: SQ103 between the modes, SQ102 between batch sizes.
# At other extents the flow only says that it does not hold there.

from __future__ import annotations

import dataclasses
import itertools

import torch
from torch import nn

from seqify.diagnostics import Diagnostic, Location
from seqify.errors import CannotAsk, Refusal, SeqifyError
from seqify.flow import Flow, Guard, Kept, walk
from seqify.inputs import Inputs
from seqify.join import bent_scopes, join
from seqify.load import quiet, user_frames
from seqify.openness import Openness
from seqify.tracing import KeepWhole, NeedsNumbers, Undecided, copied, on_meta, record, without_collections

__all__ = ["observe", "runs", "stand_in"]

# Above this many numbers in parameters and buffers, shapes alone are computed: on the meta device, whose first use
# costs half a second. Below it the real thing is faster.
_SMALL = 20_000_000
# Yes-or-no questions about values: each doubles the recordings.
_MOST_QUESTIONS = 3


def stand_in(module: nn.Module) -> nn.Module:
    """A copy of a module to try things on: the real thing while it is small, else its shapes on the meta device."""
    count = sum(tensor.numel() for tensor in (*module.parameters(), *module.buffers()))
    return copied(module) if count <= _SMALL else on_meta(module)


def runs(module: nn.Module, inputs: Inputs) -> bool:
    """Whether forward takes these inputs, in eval. The module may be changed by the call: give a stand-in."""
    try:
        with quiet(), torch.no_grad():
            type(module).forward(module.eval(), **_beside(module, inputs.with_batch(2)).values)
    except (Exception, SystemExit):
        return False
    return True


def _beside(module: nn.Module, inputs: Inputs) -> Inputs:
    """The inputs on the module's device."""
    first = next(iter((*module.parameters(), *module.buffers())), None)
    return inputs if first is None else inputs.to(first.device)


def observe(module: nn.Module, inputs: Inputs, depth: int | str = 0, mode: str = "both") -> Flow:
    """
    Record forward in both modes and at several sizes, and join what was seen.

    Args:
        module: the target; it is neither changed nor run itself.
        inputs: example inputs; other sizes are derived from them.
        depth: how many levels of submodules are opened; "full" opens all down to torch.nn, "blocks" those that are
            straight lines.
        mode: "both", or "eval" to leave training out.

    Raises:
        Refusal: SQ101 to SQ106, when the path rests on values, shapes, the mode or chance.
        CannotAsk: SQ006, when the model itself raises on these inputs.
    """
    try:
        model = stand_in(module)
    except Exception as error:
        text = f"the model cannot be copied, so it cannot be watched: {type(error).__name__}: {error}"
        raise CannotAsk(Diagnostic("SQ006", text.splitlines()[0])) from None
    openness = Openness(None if isinstance(depth, str) else depth)
    for path, part in module.named_modules():
        if part.training != module.training:
            openness.paths[path] = "it is in another mode than the target"
    with without_collections():
        flow = _settle(model, module, inputs, openness, mode)
        while depth == "blocks" and (bent := bent_scopes(flow)):
            for path in bent:
                openness.paths[path] = "it is no straight line"
            flow = _settle(model, module, inputs, openness, mode)
    return flow


def _settle(model: nn.Module, module: nn.Module, inputs: Inputs, openness: Openness, mode: str) -> Flow:
    """Record until no opened submodule has to be kept whole any more."""
    kept: dict[str, Kept] = {}
    asked: list[Refusal] = []
    while True:
        try:
            flow = _observe(model, inputs, openness, mode)
            break
        except KeepWhole as found:
            _keep(model, openness, found.kept)
            kept[found.kept.path] = found.kept
        except Undecided as found:
            if found.site is None or len(openness.answers) == _MOST_QUESTIONS:
                raise
            openness.answers[found.site] = False
            asked.append(found)
        except Refusal:
            if asked:  # what the recordings differ in rests on the question
                raise asked[0] from None
            raise
        except (CannotAsk, NeedsNumbers) as error:
            # forward makes tensors of its own, which the meta device cannot mix with, or reads a constant's number
            if not _on_meta(model) or _on_meta(module):
                if isinstance(error, CannotAsk):
                    raise
                text = "forward reads the numbers of a constant tensor, and on the meta device there are none"
                raise Refusal(Diagnostic("SQ104", text)) from None
            model = module
    _try_answers(model, inputs, openness, asked, mode)
    reasons = {**{item.path: item for item in flow.kept}, **kept}
    called = {step.target for step in flow.steps if step.kind == "module"}
    return dataclasses.replace(flow, kept=tuple(item for path, item in reasons.items() if path in called))


def _try_answers(model: nn.Module, inputs: Inputs, openness: Openness, asked: list[Refusal], mode: str) -> None:
    """
    Give every other combination of answers to forward's questions about values.

    Raises:
        Refusal: SQ101, when one of them leads to other calls.
    """
    sites = list(openness.answers)
    modes = (False,) if mode == "eval" else (False, True)
    inputs = _beside(model, inputs)
    for training, *answers in itertools.product(modes if sites else (), *[(False, True)] * len(sites)):
        if not any(answers):
            said_no = _attempt(model, inputs, training, openness)
            continue
        told = dataclasses.replace(openness, answers=dict(zip(sites, answers, strict=True)))
        try:
            other = _attempt(model, inputs, training, told)
            same = isinstance(said_no, Flow) and isinstance(other, Flow) and join(said_no, other, "shape") == said_no
        except (SeqifyError, KeepWhole, NeedsNumbers):
            same = False
        if not same:
            raise asked[answers.index(True)]


def _on_meta(module: nn.Module) -> bool:
    return any(tensor.is_meta for tensor in itertools.chain(module.parameters(), module.buffers()))


def _keep(model: nn.Module, openness: Openness, kept: Kept) -> None:
    """Keep a submodule whole; the second of its class takes all the others with it."""
    kind = type(model.get_submodule(kept.path))
    if any(type(model.get_submodule(path)) is kind for path in openness.paths):
        openness.kinds[kind] = kept.reason
    openness.paths[kept.path] = kept.reason


def _observe(module: nn.Module, inputs: Inputs, openness: Openness, mode: str) -> Flow:
    inputs = _beside(module, inputs)
    other = inputs.with_batch(3 if inputs.batch != 3 else 5)
    base = _attempt(module, inputs, False, openness)
    if isinstance(base, BaseException):
        raise _fails(base, "in eval")
    flow = base
    if mode != "eval":
        train = _attempt(module, inputs, True, openness)
        if isinstance(train, BaseException):  # a batch of one is too small for batch normalisation
            train = _attempt(module, other, True, openness)
        if isinstance(train, BaseException):
            raise _fails(train, "in train")
        flow = join(flow, train, "mode")
    if inputs.batch:
        shaped = _attempt(module, other, False, openness)
        if isinstance(shaped, Flow):
            flow = join(flow, shaped, "shape")
    if flow.ragged:
        changed = _attempt(module, inputs.turned(), False, openness)
        if isinstance(changed, Flow):
            flow = join(flow, changed, "values")
    for dtype in (torch.float64, torch.bfloat16) if flow.reads_dtype or _names_dtype(flow) else ():
        wide = _attempt(copied(module).to(dtype), inputs.in_dtype(dtype), False, openness)
        if isinstance(wide, Flow):
            flow = _compare_other(flow, wide, "dtype", f"the dtype {str(flow.dtype).removeprefix('torch.')}")
    for spread in inputs.with_extents():
        wider = _attempt(module, spread, False, openness)
        if isinstance(wider, Flow):
            sizes = " and ".join(str(tuple(item["shape"])) for item in inputs.describe())
            flow = _compare_other(flow, wider, "extent", f"the sizes {sizes}, the batch aside")
    return flow


def _names_dtype(flow: Flow) -> bool:
    """Whether a constant among the arguments may come from the dtype of the model."""
    if flow.dtype is None or not flow.dtype.is_floating_point:
        return False
    limits = torch.finfo(flow.dtype)
    known = (flow.dtype, limits.min, limits.max, limits.eps, limits.tiny)
    return any(
        type(item) in (torch.dtype, float) and item in known
        for step in flow.steps
        for item in walk((step.args, step.kwargs))
    )


def _compare_other(flow: Flow, other: Flow, axis: str, fixed: str) -> Flow:
    """What rests on the example beyond its batch size, the flow then says."""
    try:
        found = join(flow, other, axis)
        odd = [step for step, known in zip(found.steps, flow.steps, strict=True) if step.varies != known.varies]
        if not odd:
            return found  # with what only the other recording knew
        site = odd[0].site
    except KeepWhole as error:
        if axis == "dtype":
            raise  # what does other things in another dtype is whole in both
        site = error.kept.site
    except Refusal:
        site = None
    return dataclasses.replace(flow, fixed=(*flow.fixed, Guard(fixed, True, site)))


def _attempt(module: nn.Module, inputs: Inputs, training: bool, openness: Openness) -> Flow | Exception | SystemExit:
    try:
        with quiet():
            return record(module, inputs.values, training, openness)
    except SeqifyError:
        raise
    except (Exception, SystemExit) as error:
        return error


def _fails(error: BaseException, mode: str) -> CannotAsk:
    frames = user_frames(error.__traceback__)
    place = Location(frames[-1].filename, frames[-1].lineno or 1) if frames else None
    notes = tuple(f"{frame.filename}:{frame.lineno} in {frame.name}: {frame.line}" for frame in frames)
    text = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    return CannotAsk(Diagnostic("SQ006", f"the original model raises {mode}: {text}", place, notes=notes[-6:]))
