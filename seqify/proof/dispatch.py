"""A recorder of ATen calls, active while a module runs."""

#   torch function ──► Watch        which function it was; numbers that leave a tensor past the dispatcher
#         │
#      autograd
#         │
#   torch dispatch ──► Recorder     the call: arguments as operands, writes from the schema, new storages

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from seqify.proof.digests import digest_of_memory, digest_of_numbers
from seqify.proof.record import Call, Leaf, Operand, Place, operands

__all__ = ["Recorder", "Unseen", "Watch", "named_tensors", "scoped"]

# Kernels that change their running statistics and do not say so in their schema.
_STATISTICS = ("running_mean", "running_var")

# What reads numbers out of a tensor without a call that could be seen below.
_LEAKS = ("tolist", "numpy", "__array__", "data_ptr", "__dlpack__", "untyped_storage", "storage", "__reduce_ex__")

_HIDDEN = (os.path.dirname(torch.__file__) + os.sep, os.path.dirname(os.path.dirname(__file__)) + os.sep, "<frozen")

_PLAIN = (bool, int, float, complex, str, torch.SymInt, torch.SymFloat, torch.SymBool)


class Unseen(Exception):
    """Something that a record cannot hold."""


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """
    Writes down every ATen call while it is active.

    Args:
        answers: what to answer to the questions on values that have these numbers, instead of the truth.

    Attributes:
        doubts: why the run says nothing of other values, each with its place.
        asked: the answer given to each yes-or-no question on values; `places` says where it was asked.
        phase: "forward" or "backward".
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # to be told to stay out, torch.compile would be imported, which takes a second

    def __init__(self, answers: Mapping[int, bool] | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.answers = answers or {}
        self.calls: list[Call] = []
        self.leaves: dict[int, Leaf] = {}
        self.doubts: dict[tuple[str, Place | None], None] = {}
        self.asked: dict[int, bool] = {}
        self.places: list[Place | None] = []
        self.scopes: list[str] = []
        self.functions: list[str] = []
        self.phase = "forward"
        self.values: list[tuple[str, ...]] | None = (
            None  # digests of what each call made or wrote, where that is wanted
        )
        self.wanted: int | None = None  # the call whose tensors are wanted
        self.found: list[Tensor] = []
        self._numbers: dict[int, tuple[int, StorageWeakRef]] = {}
        self._made: dict[int, Place | None] = {}  # the forward call of each autograd node
        self._varying: set[int] = set()  # storages whose content follows from the state, the inputs or the generator

    # ---- storages

    def number(self, tensor: Tensor, leaf: Leaf | None = None) -> int:
        """The number of a tensor's storage."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        known = self._numbers.get(key)
        if known is not None:
            return known[0]
        # while a weak reference is held, no other storage gets the same address
        number = len(self._numbers)
        self._numbers[key] = number, StorageWeakRef(storage)  # type: ignore[no-untyped-call]
        if leaf is not None:
            self.leaves[number] = leaf
            if leaf.kind != "constant":
                self._varying.add(number)
        return number

    def operand(self, tensor: Tensor, fresh: bool = False) -> Operand:
        """A tensor as it is now. A storage that was never seen, and is not `fresh`, is a constant."""
        if tensor.layout is not torch.strided or tensor.is_quantized:
            raise Unseen(f"a tensor with the layout {tensor.layout}")
        key = tensor.untyped_storage()._cdata
        leaf = None
        if not fresh and key not in self._numbers:
            memory = digest_of_memory(tensor)
            if not memory:
                raise Unseen("a tensor without numbers")
            leaf = Leaf("constant", (memory,))
        return Operand(
            self.number(tensor, leaf),
            str(tensor.dtype),
            tuple(tensor.size()),
            tuple(tensor.stride()),
            tensor.storage_offset(),  # type: ignore[arg-type]
            ("c" if tensor.is_conj() else "") + ("n" if tensor.is_neg() else ""),
        )

    def varies(self, tensor: Tensor) -> bool:
        """Whether a tensor's numbers follow from the state, the inputs or the random generator."""
        known = self._numbers.get(tensor.untyped_storage()._cdata)
        return known is not None and known[0] in self._varying

    # ---- places

    def doubt(self, reason: str) -> None:
        self.doubts[reason, self.place()] = None

    def place(self) -> Place | None:
        if self.phase == "backward":
            node = torch._C._current_autograd_node()
            return self._made.get(node._sequence_nr()) if node is not None else None
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            filename = frame.f_code.co_filename
            if not filename.startswith(_HIDDEN):
                function = self.functions[0] if self.functions else ""
                return Place(filename, frame.f_lineno, self.scopes[-1] if self.scopes else "", function)
            frame = frame.f_back
        return None

    # ---- calls

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        schema = func._schema.arguments
        bound = [
            (item.name, args[index] if index < len(args) else kwargs.get(item.name, item.default_value))
            for index, item in enumerate(schema)
        ]
        if any(tensor.is_floating_point() for _, tensor in named_tensors(dict(bound))):
            # to an operator on floats, 1 and 1.0 are one number
            numbers = {item.name for item in schema if isinstance(item.type, torch.NumberType)}
            bound = [(name, _float(value) if name in numbers else value) for name, value in bound]
        arguments: tuple[tuple[str, Any], ...] = ()
        try:
            arguments = tuple((name, self._value(value)) for name, value in bound)
        except Unseen as reason:
            self.doubt(str(reason))
        varying = any(item.storage in self._varying for item in operands(arguments))
        result = func(*args, **kwargs)
        known = len(self._numbers)
        writes = self._writes(func, bound)
        outputs: tuple[Any, ...] = ()
        try:
            outputs = tuple(self._value(value, fresh=True) for value in _listed(result))
        except Unseen as reason:
            self.doubt(str(reason))
        new = {item.storage for item in operands(outputs) if item.storage >= known}
        draws = torch.Tag.nondeterministic_seeded in func.tags
        place = self.place()
        if self.phase == "forward":
            # autograd has made the node of this call just before it
            self._made.setdefault(torch._C._autograd._get_sequence_nr() - 1, place)
        if varying:
            result = self._answered(func, bound, result, place)
        if not new and not writes and not draws:
            return result  # a view, or a question
        if varying or draws:
            self._varying |= new | set(writes)
        if self.values is not None:
            made = [tensor for _, tensor in named_tensors({"": _listed(result)})]
            if self.wanted == len(self.calls):
                self.found = [tensor.detach().clone() for tensor in made]
            self.values.append(tuple(digest_of_numbers(tensor) for tensor in made))
        self.calls.append(Call(str(func), arguments, outputs, writes, draws, self.phase, place))
        return result

    def _value(self, value: Any, fresh: bool = False) -> Any:
        if isinstance(value, Tensor):
            return self.operand(value, fresh)
        if isinstance(value, list | tuple):
            return tuple(self._value(item, fresh) for item in value)
        if isinstance(value, torch.Generator):
            raise Unseen("a random generator of its own")
        if value is None or isinstance(value, _PLAIN):
            return value
        return str(value)

    def _writes(self, func: Any, bound: Sequence[tuple[str, Any]]) -> tuple[int, ...]:
        by_name = dict(bound)
        names = [item.name for item in func._schema.arguments if item.alias_info and item.alias_info.is_write]
        if by_name.get("training") or by_name.get("train"):
            names += [name for name in _STATISTICS if name not in names]
        if func._schema.name in ("aten::set_", "aten::resize_"):
            self.doubt(f"`{func}` changes what a tensor looks at")
        changed = [tensor for name in names for _, tensor in named_tensors({"": by_name.get(name)})]
        return tuple(dict.fromkeys(self.number(tensor) for tensor in changed))

    def _answered(self, func: Any, bound: Sequence[tuple[str, Any]], result: Any, place: Place | None) -> Any:
        """A doubt, where what Python sees next depends on values; to a yes-or-no question the answer asked for."""
        if torch.Tag.data_dependent_output in func.tags or isinstance(result, bool):
            if not isinstance(result, bool):
                self.doubt("forward reads a value out of a tensor")
                return result
            number = len(self.asked)
            self.asked[number] = self.answers.get(number, result)
            self.places.append(place)
            return self.asked[number]
        if torch.Tag.dynamic_output_shape in func.tags:
            picks = [tensor for _, value in bound for _, tensor in named_tensors({"": value})][1:]
            if func._schema.name != "aten::index" or any(item.dtype in (torch.bool, torch.uint8) for item in picks):
                self.doubt(f"the size of what `{func}` gives depends on values")
        return result


class Watch(TorchFunctionMode):
    """Watches for numbers that leave a tensor unseen, and for which function was called."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", str(func))
        recorder = self.recorder
        if name in _LEAKS and args and isinstance(args[0], Tensor):
            if recorder.varies(args[0]):
                recorder.doubt(f"forward reads the values of a tensor with `{name}`")
        recorder.functions.append(name)
        try:
            return func(*args, **(kwargs or {}))
        finally:
            recorder.functions.pop()


@contextlib.contextmanager
def scoped(module: nn.Module, recorder: Recorder) -> Iterator[None]:
    """Keep the path of the submodule that runs."""
    paths = {id(part): path for path, part in module.named_modules()}
    called = nn.Module.__call__

    def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        recorder.scopes.append(paths.get(id(self), type(self).__name__))
        try:
            return called(self, *args, **kwargs)
        finally:
            recorder.scopes.pop()

    nn.Module.__call__ = call  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.__call__ = called  # type: ignore[method-assign]


def _float(value: Any) -> Any:
    return float(value) if type(value) is int and abs(value) < 2**53 else value


def named_tensors(values: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    for name, value in values.items():
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, list | tuple):
            yield from named_tensors({f"{name}[{index}]": item for index, item in enumerate(value)})
        elif isinstance(value, dict):
            yield from named_tensors({f"{name}[{key!r}]": item for key, item in value.items()})


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else (value,)
