"""A recorder of ATen calls, active while a module runs."""

#   torch function ──► Watch        which function it was; numbers that leave a tensor unseen (`watch.py`)
#         │
#      autograd
#         │
#   torch dispatch ──► Recorder     the call: arguments as operands, writes from the schema, new storages

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from seqify.proof.catches import RAISING, is_caught
from seqify.proof.digests import digest_of_memory, digest_of_numbers
from seqify.proof.record import Call, Leaf, Operand, Place, operands

__all__ = ["HIDDEN", "Recorder", "Unseen", "named_tensors"]

# Kernels that change their running statistics and do not say so in their schema.
_STATISTICS = ("running_mean", "running_var")

# Whose operators do what their arguments say; any other library's may be written in Python, and keep a state.
_LIBRARIES = ("aten", "prim", "prims", "torchvision", "quantized", "mkldnn", "mkl", "onednn", "_c10d_functional")

HIDDEN = (os.path.dirname(torch.__file__) + os.sep, os.path.dirname(os.path.dirname(__file__)) + os.sep, "<frozen")

_RUNNING = os.path.join(os.path.dirname(__file__), "running.py")

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
        self.scopes: list[tuple[str, str, int]] = []  # path and calling line of each module that runs
        self.views: list[tuple[int, Call, str]] = []
        self.grads: list[tuple[int, str, bool, Place | None]] = []
        self.functions: list[str] = []
        self.phase = "forward"
        self.values: list[tuple[str, ...]] | None = (
            None  # digests of what each call made or wrote, where that is wanted
        )
        self.wanted: Collection[int] = ()  # the calls whose tensors are wanted
        self.found: dict[int, tuple[Tensor, ...]] = {}
        self._numbers: dict[int, tuple[int, StorageWeakRef]] = {}
        self._made: dict[int, Place | None] = {}  # the forward call of each autograd node
        self.busy = False
        self.listening: Any = None  # what Python's own calls are told to meanwhile
        self.lifted: set[int] = set()  # storages that Python numbers and arrays were put into
        self._single = False  # whether there has been a tensor of one number that follows from the others
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
            if not tensor.untyped_storage().resizable():
                self.lifted.add(len(self._numbers))  # memory of numpy's, say
            if tensor.requires_grad:
                self.doubt("a tensor takes a gradient and is registered nowhere")
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
        if tensor.layout is not torch.strided:
            return True
        known = self._numbers.get(tensor.untyped_storage()._cdata)
        return known is not None and known[0] in self._varying

    def known(self, address: int) -> int | None:
        """The number of the storage at an address; its own for as long as this recorder lives."""
        found = self._numbers.get(address)
        return found[0] if found is not None else None

    def address(self, number: int) -> int:
        return next(address for address, found in self._numbers.items() if found[0] == number)

    def is_varying(self, number: int) -> bool:
        """Whether a storage's content follows from the state, the inputs or the random generator."""
        return number in self._varying

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
            if not filename.startswith(HIDDEN):
                function = self.functions[0] if self.functions else ""
                module = self.scopes[-1][0] if self.scopes else ""
                return Place(filename, frame.f_lineno, module, function, tuple(self.scopes))
            frame = frame.f_back
        return None

    # ---- calls

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.busy = True  # nothing in here is the user's
        if self.listening is not None:
            sys.setprofile(None)
        try:
            return self._call(func, args, kwargs or {})
        finally:
            self.busy = False
            if self.listening is not None:
                sys.setprofile(self.listening)

    def _call(self, func: Any, args: Any, kwargs: Mapping[str, Any]) -> Any:
        schema = func._schema.arguments
        bound = [
            (item.name, args[index] if index < len(args) else kwargs.get(item.name, item.default_value))
            for index, item in enumerate(schema)
        ]
        if any(tensor.is_floating_point() for _, tensor in named_tensors(dict(bound))):
            # to an operator on floats, 1 and 1.0 are one number
            tensors = [item.name for item in schema if isinstance(item.type, torch.TensorType)]
            numbers = {item.name for item in schema if isinstance(item.type, torch.NumberType)}
            numbers |= set(tensors if len(tensors) == 2 else ())  # a number in place of the other operand
            bound = [(name, _float(value) if name in numbers else value) for name, value in bound]
        arguments: tuple[tuple[str, Any], ...] = ()
        try:
            arguments = tuple((name, self._value(value)) for name, value in bound)
        except Unseen as reason:
            self.doubt(str(reason))
        if func is torch.ops.aten.lift_fresh.default:
            self.lifted |= {item.storage for item in operands(arguments)}
            if self._single and not self.functions and args[0].untyped_storage().resizable():
                # by torch.Tensor([...]) and its like, which take numbers out of tensors
                self.doubt("forward may read the values of tensors in a list")
        varying = any(item.storage in self._varying for item in operands(arguments))
        if func.namespace not in _LIBRARIES:
            self.doubt(f"the code of `{func._schema.name}` is not looked at")
        if varying and "_assert" in func._schema.name:
            self.doubt("whether forward raises depends on values")
        if varying and self.listening is not None and func._schema.name.rpartition("::")[2] in RAISING:
            if is_caught(sys._getframe(1), HIDDEN, _RUNNING):
                self.doubt("forward catches an error that depends on values")
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
            self._single |= any(tensor.numel() == 1 for _, tensor in named_tensors({"": _listed(result)}))
            result = self._answered(func, bound, result, place)
        if not new and not writes and not draws:
            if self.values is not None and isinstance(result, Tensor):
                view = Call(str(func), arguments, outputs, phase=self.phase, place=place)
                self.views.append((len(self.calls), view, digest_of_numbers(result)))
            return result  # a view, or a question
        if varying or draws:
            self._varying |= new | set(writes)
            if any(not item.untyped_storage().resizable() for item in self._written(func, bound)):
                self.doubt("forward writes into memory that is not torch's")
        if self.values is not None:
            made = [tensor for _, tensor in named_tensors({"": _listed(result)})]
            if len(self.calls) in self.wanted:
                self.found[len(self.calls)] = tuple(tensor.detach().clone() for tensor in made)
            written = [tensor for _, tensor in named_tensors(dict(bound)) if self.number(tensor) in writes]
            self.values.append(tuple(digest_of_numbers(tensor) for tensor in [*made, *written]))
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
        if func._schema.name in ("aten::set_", "aten::resize_"):
            self.doubt(f"`{func}` changes what a tensor looks at")
        return tuple(dict.fromkeys(self.number(tensor) for tensor in self._written(func, bound)))

    def _written(self, func: Any, bound: Sequence[tuple[str, Any]]) -> list[Tensor]:
        by_name = dict(bound)
        names = [item.name for item in func._schema.arguments if item.alias_info and item.alias_info.is_write]
        if by_name.get("training") or by_name.get("train"):
            names += [name for name in _STATISTICS if name not in names]
        return [tensor for name in names for _, tensor in named_tensors({"": by_name.get(name)})]

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
