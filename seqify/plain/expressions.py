"""The expressions of a forward: what stands on the right of each line."""

# What a step and its arguments are written as:
#
#     torch.nn.functional.relu, Ref(3)       F.relu(x)              a function by the name that a reader knows
#     torch.Tensor.add, Ref(3), Ref(1)       x + identity           a method as an operator, where there is one
#     SizeOp("floordiv", SizeOf(Ref(3), 2))  x.size(2) // 2         a size, read again
#     DtypeOf(x), device of the recording    dtype, x.device        what another dtype or device would change
#     any other constant                     as literal.py has it

from __future__ import annotations

import ast
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seqify.emit.layers import Writer
from seqify.emit.layout import Node, call
from seqify.emit.literal import CannotWrite
from seqify.flow import AttrRef, DtypeOf, Flow, InputRef, Loose, Made, Ref, SizeOf, SizeOp, Step, training_argument
from seqify.tracing import Applied

__all__ = ["IN_PLACE", "Expressions", "here"]

_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "true_divide": "/", "floor_divide": "//", "pow": "**",
          "matmul": "@", "remainder": "%", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
          "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^", "__and__": "&", "__or__": "|",
          "__xor__": "^"}  # fmt: skip
_REFLECTED = {"__radd__": "+", "__rsub__": "-", "__rmul__": "*", "__rdiv__": "/", "__rtruediv__": "/",
              "__rfloordiv__": "//", "__rpow__": "**", "__rmatmul__": "@", "__rmod__": "%"}  # fmt: skip
IN_PLACE = {"__iadd__": "+=", "__isub__": "-=", "__imul__": "*=", "__idiv__": "/=", "__itruediv__": "/=",
             "__ifloordiv__": "//=", "__ipow__": "**=", "__iand__": "&=", "__ior__": "|="}  # fmt: skip
_ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "floordiv": "//", "mod": "%", "truediv": "/", "pow": "**"}
_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


class Expressions:
    """
    The writer of expressions in one forward.

    Args:
        flow: the recording that the steps are of.
        places: for each path in the module, submodule or tensor, the expression that reaches it (`self.conv1`).
        writer: of constants, whose imports are the file's.
    """

    def __init__(self, flow: Flow, places: Mapping[str, str], writer: Writer) -> None:
        self.flow, self.places, self.writer = flow, places, writer
        self.owner: dict[Ref | InputRef, Ref | InputRef] = {}  # a value changed in place keeps the name it had
        self.last: dict[Ref | InputRef, int] = {}  # the last step that reads a value
        self.names: dict[Ref | InputRef, str] = {}
        self.size_names: dict[SizeOf, str] = {}
        self.dtype = ""
        self.now = -1

    def _owner(self, value: Ref | InputRef) -> Ref | InputRef:
        whole = Ref(value.step) if isinstance(value, Ref) else InputRef(value.name)
        while whole in self.owner:
            whole = self.owner[whole]
        return whole

    def _call(self, step: Step) -> tuple[Node, bool]:
        """The expression of a step; True when it is a statement of its own, without a value."""
        args = [self._value(item) for item in step.args]
        kwargs = {name: self._value(item) for name, item in step.kwargs.items()}
        if step.kind == "module":
            if step.target.startswith("?"):
                raise CannotWrite(step.target[1:] or "forward", "it is a module that is registered nowhere")
            return call(self._place(step.target), args, kwargs), False
        name = step.target.rpartition(".")[2]
        if step.follows_training:
            self._follow(step, args, kwargs)
        if step.target.startswith("torch.Tensor."):
            found = self._method(step, name, args, kwargs)
            if found is not None:
                return found
        return call(self._function(step, name), args, kwargs), False

    def _method(self, step: Step, name: str, args: list[Node], kwargs: dict[str, Node]) -> tuple[Node, bool] | None:
        if getattr(step.function, "__name__", "") == "__get__":
            return Node(f"{_atom(args[0])}.{name}"), False
        if name == "__getitem__":
            return Node(f"{_atom(args[0])}[{self._index(step.args[1])}]"), False
        if name == "__setitem__":
            return Node(f"{_atom(args[0])}[{self._index(step.args[1])}] = {args[2].flat}"), True
        if not kwargs and len(args) == 2:
            if name in _INFIX:
                return Node(f"{_atom(args[0])} {_INFIX[name]} {_atom(args[1])}"), False
            if name in _REFLECTED:
                return Node(f"{_atom(args[1])} {_REFLECTED[name]} {_atom(args[0])}"), False
            if name in IN_PLACE:
                return Node(f"{_atom(args[0])} {IN_PLACE[name]} {args[1].flat}"), True
        if name == "neg" and len(args) == 1:
            return Node(f"-{_atom(args[0])}"), False
        if name in ("__invert__", "bitwise_not") and len(args) == 1:
            return Node(f"~{_atom(args[0])}"), False
        if args and hasattr(Tensor, name) and isinstance(step.args[0], Ref | InputRef | AttrRef | Loose):
            return call(f"{_atom(args[0])}.{name}", args[1:], kwargs), False
        return None

    def _follow(self, step: Step, args: list[Node], kwargs: dict[str, Node]) -> None:
        """Write `self.training` for the flag that followed it."""
        place = training_argument(step)
        if place is None:
            raise CannotWrite(here(step), f"which argument of `{step.target}` follows `self.training` is not clear")
        if isinstance(place, str):
            kwargs[place] = Node("self.training")
        else:
            args[place] = Node("self.training")

    def _function(self, step: Step, name: str) -> str:
        function, imports = step.function, self.writer.imports
        if isinstance(function, Applied):
            return f"{self.writer.reference(function.kind, here(step), step.target)}.apply"
        if vars(F).get(name) is function or _same_name(F, name, step):
            return f"{imports.name('torch.nn.functional', alias='F')}.{name}"
        for inside in ("", "special", "linalg", "fft", "amp"):
            space = getattr(torch, inside) if inside else torch
            if vars(space).get(name) is function or (not inside and _same_name(torch, name, step)):
                imports.name("torch")
                return ".".join(part for part in ("torch", inside, name) if part)
        if step.target == "torch.vmap":
            raise CannotWrite(here(step), "it calls `torch.vmap`")
        text = str(function)
        if type(function).__name__ in ("OpOverload", "OpOverloadPacket"):
            imports.name("torch")
            return f"torch.ops.{text}"
        if callable(function) and hasattr(function, "__qualname__"):
            return self.writer.reference(function, here(step), name)
        raise CannotWrite(here(step), f"`{step.target}` has no name that a file could import")

    def _place(self, path: str) -> str:
        known = path
        while known and known not in self.places:
            known = known.rpartition(".")[0]
        if not known:
            raise CannotWrite(path, "it is not where the written file could reach it")
        rest = path[len(known) + 1 :].split(".") if path != known else []
        return self.places[known] + "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in rest)

    def _value(self, value: Any) -> Node:
        if isinstance(value, Ref | InputRef):
            text = self.names[self._owner(value)]
            for key in value.item:
                text += key if isinstance(key, str) and key.startswith(".") else f"[{self._value(key).flat}]"
            return Node(text)
        if isinstance(value, AttrRef):
            return Node(self._place(value.path))
        if isinstance(value, Loose):
            raise CannotWrite(value.description or "forward", "it is a tensor that is registered nowhere")
        if isinstance(value, SizeOf | SizeOp):
            return Node(self._size(value))
        if isinstance(value, DtypeOf):
            torch_ = self.writer.imports.name("torch") if value.limit else ""
            return Node(f"{torch_}.finfo({self.dtype}).{value.limit}" if value.limit else self.dtype)
        if isinstance(value, Made) and issubclass(value.kind, OrderedDict):
            kind = self.writer.reference(value.kind, "forward", value.kind.__name__)
            pairs = [Node("(", (self._value(key), self._value(item)), ")") for key, item in value.parts.items()]
            return call(kind, [Node("[", tuple(pairs), "]")])
        if isinstance(value, Made) and not _takes_its_parts(value):
            raise CannotWrite("forward", f"it makes a `{value.kind.__name__}`, which is not made of its parts alone")
        if isinstance(value, Made):
            kind = self.writer.reference(value.kind, "forward", value.kind.__name__)
            return call(kind, (), {key: self._value(item) for key, item in value.parts.items()})
        if type(value) in (tuple, list):
            opening, closing = "()" if isinstance(value, tuple) else "[]"
            lone = "," if isinstance(value, tuple) and len(value) == 1 else ""
            return Node(opening, tuple(self._value(item) for item in value), closing, lone=lone)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            kind = self.writer.reference(type(value), "forward", type(value).__name__)
            return call(kind, [self._value(item) for item in value])
        if isinstance(value, dict):
            items = [self._value(item).after(f"{key!r}: ".replace("'", '"')) for key, item in value.items()]
            return Node("{", tuple(items), "}")
        if isinstance(value, slice) and any(isinstance(part, SizeOf | SizeOp) for part in _bounds(value)):
            return call("slice", [self._value(part) for part in _bounds(value)])
        if isinstance(value, torch.device) and value == self.flow.device:
            return Node(f"{self._anchor()}.device")
        return self.writer.node(value, "forward", "an argument")

    def _anchor(self) -> str:
        """A tensor that is where the computation is."""
        whole: set[Ref | InputRef] = {Ref(step.index) for step in self.flow.steps if step.shape is not None}
        whole |= {InputRef(name) for name in self.flow.inputs if type(self.flow.given.get(name)) is tuple}
        live = [name for value, name in self.names.items() if self.last.get(value, -1) >= self.now and value in whole]
        if live:
            return live[-1]
        raise CannotWrite("forward", "it names a device where no tensor is at hand")

    def _index(self, value: Any) -> str:
        items = value if type(value) is tuple else (value,)
        texts = []
        for item in items:
            if isinstance(item, slice):
                start, stop, step = ("" if part is None else self._value(part).flat for part in _bounds(item))
                texts.append(f"{start}:{stop}" + (f":{step}" if step else ""))
            else:
                texts.append("..." if item is Ellipsis else self._value(item).flat)
        return ", ".join(texts) + ("," if type(value) is tuple and len(value) == 1 else "") or "()"

    def _size(self, value: Any) -> str:
        if isinstance(value, SizeOf):
            known = self.size_names.get(value)
            read = "dim()" if value.dim is None else f"size({value.dim})"
            return known or f"{_atom(self._value(value.value))}.{read}"
        if not isinstance(value, SizeOp):
            return repr(value)
        operands = [self._size(item) for item in value.operands]
        if value.op in _COMPARISONS:
            return f" {_COMPARISONS[value.op]} ".join(operands)
        if value.op in _ARITHMETIC:
            if value.op == "mul" and value.operands[0] == 1:
                return operands[1]
            pair = (
                f"({text})" if isinstance(item, SizeOp) and (item.op in _ARITHMETIC or item.op == "neg") else text
                for item, text in zip(value.operands, operands, strict=True)
            )
            return f" {_ARITHMETIC[value.op]} ".join(pair)
        if value.op in ("ceil", "floor"):
            return f"{self.writer.imports.name('math')}.{value.op}({operands[0]})"
        names = {"trunc": "int", "round": "round", "abs": "abs"}
        return f"-({operands[0]})" if value.op == "neg" else f"{names[value.op]}({', '.join(operands)})"


def _bounds(value: slice) -> tuple[Any, Any, Any]:
    return value.start, value.stop, value.step


def _takes_its_parts(value: Made) -> bool:
    """Whether calling the class with the parts by name gives the object again."""
    made_by_class = getattr(value.kind, "__dataclass_params__", None)
    named = all(isinstance(key, str) and key.isidentifier() for key in value.parts)
    return named and (made_by_class is None or made_by_class.init or issubclass(value.kind, dict))


def _atom(node: Node) -> str:
    """An operand: what is not a name, a call or a literal goes into brackets."""
    text = node.flat
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return f"({text})"
    simple = isinstance(tree, ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.Constant | ast.List)
    return text if simple else f"({text})"


def _same_name(space: Any, name: str, step: Step) -> bool:
    """Whether a namespace offers a function under the name that the recorder saw."""
    return step.target == f"{space.__name__}.{name}" and callable(getattr(space, name, None))


def here(step: Step) -> str:
    return step.scope or "forward"
