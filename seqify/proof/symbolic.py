"""The lowering of a module at sizes that are symbols."""

#   x (8, 3, 224, 224)  ──►  stand-in (n, 3, h, w)  ──►  forward, backward  ──►  calls with sizes such as h//2
#                                                                           └──►  conditions on n, h and w
#
# Torch's own stand-ins (`FakeTensorMode`) know shape, dtype and strides and have no numbers. Sizes are expressions of
# the symbols, and whatever Python decides on one becomes a condition: the record says what the module does at all sizes
# that meet the conditions, from 2 on; 0 and 1 are sizes of their own, since they broadcast. Importing costs a second.

from __future__ import annotations

import contextlib
import copy
import dataclasses
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from types import CodeType
from typing import Any

import torch
from torch import Tensor, nn
from torch._dynamo.source import ConstantSource
from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensorMode
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext

from seqify.proof.dispatch import HIDDEN, Recorder, named_tensors
from seqify.proof.record import Call, Operand, Record
from seqify.proof.running import record
from seqify.trial import Setting, each_tensor

__all__ = ["lower_symbolic"]

_LETTERS = {3: "t", 4: "hw", 5: "dhw"}  # for the dimensions behind (N, C), by rank


def lower_symbolic(module: nn.Module, values: Mapping[str, Any], setting: Setting, which: str) -> Record:
    """
    Run a module on stand-ins whose sizes are symbols, and write down what it does.

    Args:
        module: it is copied, not changed.
        values: the arguments of forward by name.
        setting: how it is run.
        which: "batch", or "all" for lengths and image sizes too.

    Returns:
        The record. What cannot be run on stand-ins gives one with an `error` that says so.
    """
    shapes = ShapeEnv()
    fakes = FakeTensorMode(shape_env=shapes, allow_non_fake_inputs=True)
    names = _Names()
    batch = next((tensor.shape[0] for _, tensor in named_tensors(values) if tensor.dim()), 0)

    def stand_in(name: str, tensor: Tensor) -> Tensor:
        dims = [_dynamic(tensor, dim, size, batch, which) for dim, size in enumerate(tensor.shape)]
        fake = fakes.from_tensor(
            tensor.detach().clone(),
            source=ConstantSource(name.replace("[", "_").replace("]", "").replace("'", "")),
            symbolic_context=StatelessSymbolicContext(dynamic_sizes=dims),
        )
        names.learn(fake)
        return fake

    with _silent():
        try:
            with FakeCopyMode(fakes):
                part = copy.deepcopy(module).train(setting.mode == "train")
            tensors = iter([stand_in(name, tensor) for name, tensor in named_tensors(values)])
            given = {name: each_tensor(value, lambda _: next(tensors)) for name, value in values.items()}
            recorder = Recorder()
            with fakes, _texts(recorder):
                run = record(part, given, setting, recorder, real=False)
            if any(_tells_ints_apart(code) for code in run.codes):
                recorder.doubts["forward asks for the type of a size, which is another one here", None] = None
            found = run.record()
        except Exception as error:
            return Record({}, (), {}, error=f"{type(error).__name__}: {error}")
        conditions = {names.text(guard.expr) for guard in shapes.guards}
        conditions |= {f"{names.text(left)} = {names.text(right)}" for left, right in shapes.replacements.items()}
        return dataclasses.replace(
            _plain(found, names.size),
            conditions=tuple(sorted(conditions - {"True"})),
            symbols=names.inputs(given),
        )


def _dynamic(tensor: Tensor, dim: int, size: int, batch: int, which: str) -> DimDynamic:
    if size < 2:
        return DimDynamic.STATIC
    if dim == 0:
        return DimDynamic.DUCK if size == batch else DimDynamic.STATIC  # one symbol for the batch size of all inputs
    lengths = dim >= 2 if tensor.is_floating_point() else dim >= 1
    return DimDynamic.DYNAMIC if lengths and which == "all" else DimDynamic.STATIC


class _Names:
    """What the symbols are called: `n` for the batch size, `h` and `w` for an image's, `t` for a length."""

    def __init__(self) -> None:
        self.known: dict[Any, str] = {}

    def learn(self, tensor: Tensor) -> None:
        rank = tensor.dim()
        for dim, size in enumerate(tensor.shape):
            if not isinstance(size, torch.SymInt) or size.node.expr in self.known:
                continue
            letters = "n" if dim == 0 else _LETTERS.get(rank, "t") if dim >= 2 else "t"
            name = letters[(dim - 2) % len(letters)] if dim >= 2 else letters
            while name in self.known.values():
                name += "'"
            self.known[size.node.expr] = name

    def text(self, expression: Any) -> str:
        import sympy  # type: ignore[import-untyped]

        free = getattr(expression, "free_symbols", ())
        return str(expression.xreplace({item: sympy.Symbol(self.known[item]) for item in free if item in self.known}))

    def size(self, value: Any) -> Any:
        """A size as an int, or as the text of its expression."""
        if not isinstance(value, torch.SymInt | torch.SymFloat | torch.SymBool):
            return value
        expression = value.node.expr
        if not getattr(expression, "free_symbols", ()):
            return type(value.node.hint)(expression) if value.node.hint is not None else str(expression)
        return self.text(expression)

    def inputs(self, given: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
        """The shape of each input, with the symbols that are left."""
        return {name: tuple(self.size(size) for size in tensor.shape) for name, tensor in named_tensors(given)}


def _plain(found: Record, size: Callable[[Any], Any]) -> Record:
    """A record with texts in place of expressions."""

    def value(item: Any) -> Any:
        if isinstance(item, Operand):
            return dataclasses.replace(
                item,
                size=tuple(map(size, item.size)),
                stride=tuple(map(size, item.stride)),
                offset=size(item.offset),
            )
        return tuple(map(value, item)) if isinstance(item, tuple) else size(item)

    def call(item: Call) -> Call:
        arguments = tuple((name, value(argument)) for name, argument in item.arguments)
        return dataclasses.replace(item, arguments=arguments, outputs=value(item.outputs))

    results = {
        part: {name: None if item is None else value(item) for name, item in each.items()}
        for part, each in found.results.items()
    }
    return dataclasses.replace(
        found, calls=tuple(map(call, found.calls)), results=results, structure=value(found.structure)
    )


@contextlib.contextmanager
def _texts(recorder: Recorder) -> Iterator[None]:
    """The text of a symbol is no number: what goes by it says nothing of other sizes."""
    told = {kind: kind.__repr__ for kind in (torch.SymInt, torch.SymFloat)}

    def text(self: Any) -> str:
        frame = sys._getframe(1)
        if not frame.f_code.co_filename.startswith(HIDDEN):
            recorder.doubt("forward goes by the text of a size")
        return str(told[type(self)](self))

    for kind in told:
        kind.__repr__ = text  # type: ignore[method-assign]
    try:
        yield
    finally:
        for kind, own in told.items():
            kind.__repr__ = own  # type: ignore[method-assign]


_ALGEBRA = (f"{os.sep}sympy{os.sep}", f"{os.sep}mpmath{os.sep}")


def _tells_ints_apart(code: CodeType) -> bool:
    if any(part in code.co_filename for part in _ALGEBRA):
        return False
    names = {*code.co_names, *(name for item in code.co_consts if isinstance(item, CodeType) for name in item.co_names)}
    return bool(names & {"isinstance", "type", "issubclass"} and names & {"int", "Integral", "Number", "Real"})


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Torch logs what it cannot do on stand-ins as an error; here it is an answer."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
