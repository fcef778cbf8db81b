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

from seqify.emit.layers import Writer
from seqify.emit.layout import Node, call
from seqify.emit.literal import CannotWrite
from seqify.flow import (
    Ambient,
    AttrRef,
    DtypeOf,
    Flow,
    InputRef,
    Ref,
    Site,
    SizeOf,
    Step,
    is_plain_data,
    leaves,
    size_leaves,
    walk,
)
from seqify.names import fresh
from seqify.plain.expressions import IN_PLACE, Expressions

__all__ = ["ForwardWriter"]


# names that the file may come to import
_IMPORTED = ("F", "math", "nn", "partial", "torch")


class ForwardWriter(Expressions):
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
        super().__init__(flow, places, writer)
        self.shapes = shapes
        self.size_uses: dict[SizeOf, int] = {}
        self.free_at: dict[str, int] = {}  # from which step on a name may be given to another value
        self.lines: list[str] = []
        self.ambient = Ambient()
        self.last_lines = 0  # how many the last statement takes
        self.end = flow.steps[-1].index + 1 if flow.steps else 0

    def write(self) -> tuple[str, ...]:
        """
        The lines of the body, indented from the function's own column.

        Raises:
            CannotWrite: a step that no source can say, or that is not the same for other inputs.
        """
        for reason, _ in self.flow.doubts():
            raise CannotWrite("forward", reason)
        self.checks = sorted(self.flow.checks(), key=lambda guard: guard.step)
        steps = self._needed()
        self._count(steps)
        for name in self.flow.inputs:
            self.names[InputRef(name)] = name
            self.free_at[name] = self.last.get(InputRef(name), -1)
            self._read_sizes(InputRef(name))
        self._read_dtype(steps)
        self._check_given()
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
            if first is not None and step.target.rpartition(".")[2] in IN_PLACE:
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
            self.size_uses[size] = max(index, self.size_uses.get(size, index))

    def _reads(self, value: Any) -> Iterator[Any]:
        yield from leaves(value)
        for size in size_leaves(value):
            yield size.value

    # -- names

    def _name(self, value: Ref | InputRef, wanted: str) -> str:
        taken = self.writer.imports
        name, number = wanted, 1
        given = self.flow.inputs
        while (
            ((name in taken or name in _IMPORTED) and name not in given)
            or keyword.iskeyword(name)
            or self.free_at.get(name, -1) > self.now
        ):
            number += 1
            name = f"{wanted}{number}"
        self.names[self._owner(value)] = name
        self.free_at[name] = self.last.get(self._owner(value), self.now)
        return name

    def _lasting(self, wanted: str) -> str:
        """A name that no value has had, and none will get."""
        name = fresh(wanted, self.writer.imports.taken | self.free_at.keys())
        self.free_at[name] = self.end + 1
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
            wanted = "batch" if size.dim == 0 else "rank" if size.dim is None else f"size{size.dim}"
            name = self._lasting(wanted)
            read = "dim()" if size.dim is None else f"size({size.dim})"
            self._write_line(Node(f"{name} = {self._value(size.value).flat}.{read}"))
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
        self.dtype = self._lasting("dtype")
        self._write_line(Node(f"{self.dtype} = {text}"))

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

    def _check_given(self) -> None:
        """What the class was written for besides sizes: inputs that are no tensors, and all sizes where they matter."""
        fixed = self.flow.fixed_sizes
        if self.flow.fixed_dtype:
            raise CannotWrite("forward", f"it does other things in another dtype than {self.flow.dtype}")
        for name in self.flow.inputs:
            shape = self.shapes.get(name)
            if shape is not None:
                if self.flow.reads_rank:
                    self._assert(f"{name}.dim() == {len(shape)}", f"{name}.dim() == {len(shape)}")
                if fixed and len(shape) > 1:
                    self._assert(f"tuple({name}.shape[1:]) == {shape[1:]}", f"inputs of shape (N, {str(shape[1:])[1:]}")
                continue
            value = self.flow.given.get(name)
            if value is None or isinstance(value, bool):
                self._assert(f"{name} is {value}", f"{name} = {value}")
            elif isinstance(value, int | float | str):
                self._assert(f"{name} == {value!r}", f"{name} = {value!r}".replace('"', "'"))
            elif is_plain_data(value):
                self._assert(f"{name} == {self._value(value).flat}", f"{name} as it was given")
            elif not isinstance(value, tuple | list | dict):
                raise CannotWrite("forward", f"its input `{name}` is neither a tensor nor a plain value")

    def _assert(self, test: str, text: str) -> None:
        torch_ = self.writer.imports.name("torch")
        self._write_line(call(f"{torch_}._assert", [Node(test), Node(f'"this class was written for {text}"')]))

    def _step(self, step: Step) -> None:
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


def _may_go(step: Step) -> bool:
    return step.target.startswith("torch.") and not step.target.rpartition(".")[2].startswith("_assert")


def _whole(value: Any) -> Any:
    if isinstance(value, Ref):
        return Ref(value.step)
    return InputRef(value.name) if isinstance(value, InputRef) else value


def _blocks(ambient: Ambient) -> list[Any]:
    """The `with` blocks of an ambient state, outermost first."""
    blocks: list[Any] = []
    if ambient.inference:
        blocks.append("torch.inference_mode()")
    elif ambient.grad is not None:
        blocks.append("torch.enable_grad()" if ambient.grad else "torch.no_grad()")
    return [*blocks, *ambient.autocast]


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
