"""The forward of a recorded flow, as source."""

# One step, one line; a value's name is free again when nothing reads it any more:
#
#     step 0   conv1   (x)              x = self.conv1(x)
#     step 1   relu    Ref(0)           identity = F.relu(x)           the name that the original source gave it
#     step 2   conv2   Ref(1)           x = self.conv2(identity)
#     step 3   add     Ref(2), Ref(1)   x = x + identity
#     step 4   view    x.size(0) ...    x = x.view(batch, -1)          read while the tensor was at hand:
#                                       batch = x.size(0)              this line stands where x was made
#
# Steps without an effect whose value nobody reads are left out: what a size or a warning was computed from.

from __future__ import annotations

import ast
import functools
import keyword
import linecache
from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seqify.emit.layers import Writer
from seqify.emit.layout import Node, call
from seqify.emit.literal import CannotWrite
from seqify.flow import (
    Ambient,
    AttrRef,
    DtypeOf,
    Flow,
    InputRef,
    Loose,
    Made,
    Ref,
    Site,
    SizeOf,
    SizeOp,
    Step,
    leaves,
    size_leaves,
    walk,
)
from seqify.tracing import Applied

__all__ = ["ForwardWriter"]

_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "true_divide": "/", "floor_divide": "//", "pow": "**",
          "matmul": "@", "remainder": "%", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
          "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^", "__and__": "&", "__or__": "|",
          "__xor__": "^"}  # fmt: skip
_REFLECTED = {"__radd__": "+", "__rsub__": "-", "__rmul__": "*", "__rdiv__": "/", "__rtruediv__": "/",
              "__rfloordiv__": "//", "__rpow__": "**", "__rmatmul__": "@", "__rmod__": "%"}  # fmt: skip
_IN_PLACE = {"__iadd__": "+=", "__isub__": "-=", "__imul__": "*=", "__idiv__": "/=", "__itruediv__": "/=",
             "__ifloordiv__": "//=", "__ipow__": "**=", "__iand__": "&=", "__ior__": "|="}  # fmt: skip
_ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "floordiv": "//", "mod": "%", "truediv": "/", "pow": "**"}
_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_TRAINING = {"dropout": 2, "alpha_dropout": 2, "dropout1d": 2, "dropout2d": 2, "dropout3d": 2, "batch_norm": 5,
             "feature_alpha_dropout": 2, "rrelu": 3}  # fmt: skip


class ForwardWriter:
    """
    The writer of one forward.

    Args:
        flow: what is to be written.
        places: for each path in the module, submodule or tensor, the expression that reaches it (`self.conv1`).
        writer: of values, whose imports are the file's.
        shapes: of the inputs that are tensors, as they were given.
    """

    def __init__(
        self, flow: Flow, places: Mapping[str, str], writer: Writer, shapes: Mapping[str, tuple[int, ...]]
    ) -> None:
        self.shapes = shapes
        self.flow, self.places, self.writer = flow, places, writer
        self.owner: dict[Ref | InputRef, Ref | InputRef] = {}  # a value changed in place keeps the name it had
        self.last: dict[Ref | InputRef, int] = {}
        self.size_uses: dict[SizeOf, int] = {}
        self.names: dict[Ref | InputRef, str] = {}
        self.free_at: dict[str, int] = {}  # from which step on a name may be given to another value
        self.size_names: dict[SizeOf, str] = {}
        self.lines: list[str] = []
        self.ambient = Ambient()
        self.dtype = ""
        self.now = -1
        self.last_lines = 0  # how many the last statement takes
        self.end = flow.steps[-1].index + 1 if flow.steps else 0

    def write(self) -> tuple[str, ...]:
        """
        The lines of the body, indented from the function's own column.

        Raises:
            CannotWrite: a step that no source can say, or that is not the same for other inputs.
        """
        self.checks = sorted(self.flow.checks(), key=lambda guard: guard.step)
        steps = self._needed()
        self._count(steps)
        for name in self.flow.inputs:
            self.names[InputRef(name)] = name
            self.free_at[name] = self.last.get(InputRef(name), -1)
            self._read_sizes(InputRef(name))
        self._read_dtype(steps)
        self._check_extent()
        for step in steps:
            self._check(step.index)
            self.now = step.index
            self._surround(step.ambient)
            self._step(step)
        self._check(self.end)
        self.now = self.end
        self._surround(Ambient())
        self._return(steps[-1] if steps else None)
        return tuple(self.lines)

    def _return(self, last: Step | None) -> None:
        """`return self.fc(x)`, where the last line would only give a name to what is returned."""
        if last is not None and self.flow.output == Ref(last.index) and last.ambient == Ambient():
            lead = f"{self.names.get(Ref(last.index), '')} = "
            if self.lines[-self.last_lines].startswith(lead):
                start = len(self.lines) - self.last_lines
                self.lines[start] = "return " + self.lines[start].removeprefix(lead)
                return
        self._write_line(self._value(self.flow.output).after("return "))

    # -- what is needed, and for how long

    def _needed(self) -> list[Step]:
        tests = [guard.test for guard in self.checks]
        wanted = {value.step for value in self._reads((self.flow.output, tests)) if isinstance(value, Ref)}
        kept = []
        for step in reversed(self.flow.steps):
            pure = step.kind == "function" and not step.mutates and not step.draws and _may_go(step)
            if step.index in wanted or not pure:
                kept.append(step)
                wanted |= {value.step for value in self._reads((step.args, step.kwargs)) if isinstance(value, Ref)}
        return kept[::-1]

    def _count(self, steps: list[Step]) -> None:
        for step in steps:
            reads = (step.args, step.kwargs)
            first = next((value for value in leaves(step.args) if isinstance(value, Ref | InputRef)), None)
            if first is not None and step.target.rpartition(".")[2] in _IN_PLACE:
                self.owner[Ref(step.index)] = self._owner(first)
            self._use(reads, step.index)
        for guard in self.checks:
            self._use(guard.test, guard.step)
        self._use(self.flow.output, self.end)

    def _use(self, value: Any, index: int) -> None:
        for leaf in leaves(value):
            if isinstance(leaf, Ref | InputRef):
                self.last[self._owner(leaf)] = index
        for size in size_leaves(value):
            if isinstance(size.value, Ref | InputRef):
                self.size_uses[size] = max(index, self.size_uses.get(size, index))

    def _owner(self, value: Ref | InputRef) -> Ref | InputRef:
        whole = Ref(value.step) if isinstance(value, Ref) else InputRef(value.name)
        while whole in self.owner:
            whole = self.owner[whole]
        return whole

    def _reads(self, value: Any) -> Iterator[Any]:
        yield from leaves(value)
        for size in size_leaves(value):
            yield size.value

    # -- names

    def _name(self, value: Ref | InputRef, wanted: str) -> str:
        taken = self.writer.imports
        name, number = wanted, 1
        given = self.flow.inputs
        while (name in taken and name not in given) or keyword.iskeyword(name) or self.free_at.get(name, -1) > self.now:
            number += 1
            name = f"{wanted}{number}"
        self.names[self._owner(value)] = name
        self.free_at[name] = self.last.get(self._owner(value), self.now)
        return name

    def _wanted(self, step: Step) -> str:
        hint = _assigned(step.site) if step.site is not None else None
        if hint is not None:
            return hint
        for value in leaves((step.args, step.kwargs)):
            if isinstance(value, Ref | InputRef) and self.last[self._owner(value)] == step.index:
                return self.names[self._owner(value)]
        return "x"

    def _read_sizes(self, value: Ref | InputRef) -> None:
        """Read now what is needed of a value's size after its name has gone to another."""
        for size, index in self.size_uses.items():
            if size in self.size_names or self._owner(size.value) != self._owner(value):  # type: ignore[arg-type]
                continue
            if _whole(size.value) != value or index <= self.last.get(self._owner(value), -1):
                continue
            wanted = "batch" if size.dim == 0 else f"size{size.dim}"
            name, number = wanted, 1
            while name in self.writer.imports or name in self.free_at:
                number += 1
                name = f"{wanted}{number}"
            self.free_at[name] = self.end + 1
            self._write_line(Node(f"{name} = {self._value(size.value).flat}.size({size.dim})"))
            self.size_names[size] = name

    def _read_dtype(self, steps: list[Step]) -> None:
        """Read the dtype of an input now, if a later line wants it."""
        wanted = [item for step in steps for item in walk((step.args, step.kwargs)) if isinstance(item, DtypeOf)]
        if not wanted:
            return
        text = f"{self._value(wanted[0].value).flat}.dtype"
        if isinstance(wanted[0].value, AttrRef):
            self.dtype = text
            return
        name, number = "dtype", 1
        while name in self.writer.imports or name in self.free_at:
            number += 1
            name = f"dtype{number}"
        self.free_at[name] = self.end + 1
        self._write_line(Node(f"{name} = {text}"))
        self.dtype = name

    # -- lines

    def _write_line(self, node: Node) -> None:
        indent = 4 * len(_blocks(self.ambient))
        first, *rest = (" " * indent + node.lay_out(8 + indent)).split("\n")
        written = [first, *(line.removeprefix(" " * 8) for line in rest)]
        self.lines += written
        self.last_lines = len(written)

    def _surround(self, ambient: Ambient) -> None:
        if ambient == self.ambient:
            return
        if ambient.saving:
            raise CannotWrite("forward", "it runs a part under `torch.utils.checkpoint`")
        self.ambient = ambient
        for depth, block in enumerate(_blocks(ambient)):
            text = block if isinstance(block, str) else self._autocast(*block)
            self.lines.append(" " * 4 * depth + f"with {text}:")
            self.writer.imports.name("torch")

    def _autocast(self, kind: str, dtype: Any, enabled: bool) -> str:
        switched = "" if enabled else ", enabled=False"
        return f'torch.autocast("{kind}", dtype={dtype}{switched})'

    def _check(self, index: int) -> None:
        """What was decided on sizes up to a step: the class was written for this way and says so where it ends."""
        while self.checks and self.checks[0].step <= index:
            test = self.checks.pop(0).test
            names, self.size_names = self.size_names, {}
            text = self._size(test)
            self.size_names = names
            self._assert(self._size(test), text)

    def _check_extent(self) -> None:
        if any(guard.condition.startswith("the sizes") for guard in self.flow.fixed):
            for name in self.flow.inputs:
                shape = self.shapes.get(name)
                if shape is not None and len(shape) > 1:
                    self._assert(f"tuple({name}.shape[1:]) == {shape[1:]}", f"inputs of shape (N, {str(shape[1:])[1:]}")

    def _assert(self, test: str, text: str) -> None:
        torch_ = self.writer.imports.name("torch")
        self._write_line(call(f"{torch_}._assert", [Node(test), Node(f'"this class was written for {text}"')]))

    def _step(self, step: Step) -> None:
        if step.varies in _AXES:
            raise CannotWrite(_here(step), f"an argument of `{step.target}` changes with the {_AXES[step.varies]}")
        node, statement = self._call(step)
        if statement:
            self._write_line(node)
            return
        reference = Ref(step.index)
        read = reference in self.last or any(_whole(size.value) == reference for size in self.size_uses)
        if self._owner(reference) != reference:  # written as a call, not as `+=`
            self._write_line(node.after(f"{self.names[self._owner(reference)]} = "))
            return
        if not read:
            self._write_line(node)
            return
        name = self._name(reference, self._wanted(step))
        self._write_line(node.after(f"{name} = "))
        self._read_sizes(reference)

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
            self._follow(step, name, args, kwargs)
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
            if name in _IN_PLACE:
                return Node(f"{_atom(args[0])} {_IN_PLACE[name]} {args[1].flat}"), True
        if name == "neg" and len(args) == 1:
            return Node(f"-{_atom(args[0])}"), False
        if name in ("__invert__", "bitwise_not") and len(args) == 1:
            return Node(f"~{_atom(args[0])}"), False
        if args and hasattr(Tensor, name) and isinstance(step.args[0], Ref | InputRef | AttrRef | Loose):
            return call(f"{_atom(args[0])}.{name}", args[1:], kwargs), False
        return None

    def _follow(self, step: Step, name: str, args: list[Node], kwargs: dict[str, Node]) -> None:
        """Write `self.training` for the flag that followed it."""
        for key in ("training", "train"):
            if step.kwargs.get(key) is False:
                kwargs[key] = Node("self.training")
                return
        index = _TRAINING.get(name, len(args))
        if index < len(args) and step.args[index] is False:
            args[index] = Node("self.training")
            return
        flags = [key for key, value in step.kwargs.items() if value is False]
        if len(flags) != 1 or any(value is False for value in step.args):
            raise CannotWrite(_here(step), f"which argument of `{step.target}` follows `self.training` is not clear")
        kwargs[flags[0]] = Node("self.training")

    def _function(self, step: Step, name: str) -> str:
        function, imports = step.function, self.writer.imports
        if isinstance(function, Applied):
            return f"{self.writer.reference(function.kind, _here(step), step.target)}.apply"
        if vars(F).get(name) is function or _same_name(F, name, step):
            return f"{imports.name('torch.nn.functional', alias='F')}.{name}"
        for inside in ("", "special", "linalg", "fft", "amp"):
            space = getattr(torch, inside) if inside else torch
            if vars(space).get(name) is function or (not inside and _same_name(torch, name, step)):
                imports.name("torch")
                return ".".join(part for part in ("torch", inside, name) if part)
        text = str(function)
        if type(function).__name__ in ("OpOverload", "OpOverloadPacket"):
            imports.name("torch")
            return f"torch.ops.{text}"
        if callable(function) and hasattr(function, "__qualname__"):
            return self.writer.reference(function, _here(step), name)
        raise CannotWrite(_here(step), f"`{step.target}` has no name that a file could import")

    # -- values

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
            mapping = isinstance(value, InputRef)
            for key in value.item:
                text += f"[{key!r}]" if isinstance(key, int) or mapping else f".{key}"
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
        live = [name for value, name in self.names.items() if self.last.get(value, -1) >= self.now]
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
            return known or f"{_atom(self._value(value.value))}.size({value.dim})"
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


_AXES = {"shape": "batch size", "mode": "mode", "dtype": "dtype"}


def _may_go(step: Step) -> bool:
    return step.target.startswith("torch.") and not step.target.rpartition(".")[2].startswith("_assert")


def _whole(value: Any) -> Any:
    if isinstance(value, Ref):
        return Ref(value.step)
    return InputRef(value.name) if isinstance(value, InputRef) else value


def _bounds(value: slice) -> tuple[Any, Any, Any]:
    return value.start, value.stop, value.step


def _blocks(ambient: Ambient) -> list[Any]:
    """The `with` blocks of an ambient state, outermost first."""
    blocks: list[Any] = []
    if ambient.inference:
        blocks.append("torch.inference_mode()")
    elif ambient.grad is not None:
        blocks.append("torch.enable_grad()" if ambient.grad else "torch.no_grad()")
    return [*blocks, *ambient.autocast]


def _atom(node: Node) -> str:
    """An operand: what is not a name, a call or a literal goes into brackets."""
    text = node.flat
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return f"({text})"
    simple = isinstance(tree, ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.Constant | ast.List)
    negative = isinstance(tree, ast.UnaryOp) and isinstance(tree.operand, ast.Constant)
    return text if simple or negative else f"({text})"


def _same_name(space: Any, name: str, step: Step) -> bool:
    """Whether a namespace offers a function under the name that the recorder saw."""
    return step.target == f"{space.__name__}.{name}" and callable(getattr(space, name, None))


def _here(step: Step) -> str:
    return step.scope or "forward"


@functools.lru_cache(maxsize=64)
def _assignments(filename: str) -> dict[tuple[int, int, int, int], str]:
    """For each expression that a file assigns to a plain name, the name."""
    try:
        tree = ast.parse("".join(linecache.getlines(filename)))
    except (SyntaxError, ValueError):
        return {}
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            value = node.value
            place = (value.lineno, value.col_offset, value.end_lineno or 0, value.end_col_offset or 0)
            found[place] = node.targets[0].id
    return found


def _assigned(site: Site) -> str | None:
    name = _assignments(site.filename).get((site.row, site.column, site.end_row, site.end_column))
    return name if name is not None and not name.startswith("__") and name != "self" else None
