"""The dataflow of one module's forward, as it was seen to run."""

# Glossary
#
#   step     one call that forward made: a submodule, or a torch function or method
#   value    what a step takes or gives: a reference to where it came from
#   site     the expression in the user's file that made the call
#
#   x ── step 0 (conv) ──►Ref(0)── step 1 (relu) ──►Ref(1)──┬── step 2 (add) ──► output
#   └──────────────────────── InputRef("x") ────────────────┘
#
# Steps are numbered in the order in which they ran, so every reference points backwards.

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from seqify.diagnostics import Location

__all__ = [
    "AXES",
    "Ambient",
    "AttrRef",
    "DtypeOf",
    "Flow",
    "Guard",
    "InputRef",
    "Kept",
    "Loose",
    "Made",
    "Ref",
    "Site",
    "SizeOf",
    "SizeOp",
    "Step",
    "is_plain_data",
    "leaves",
    "size_leaves",
    "training_argument",
    "walk",
]


# What the recordings that are compared differ in, in words.
AXES = {"mode": "mode", "shape": "batch size", "extent": "size", "dtype": "dtype", "values": "values"}


@dataclass(frozen=True)
class Ref:
    """
    The output of a step, or with `item` one part of it: `Ref(3, (0,))` is the first of a tuple, `Ref(3, ("low",))` what
    a mapping holds under that key, `Ref(3, (".low",))` an attribute.
    """

    step: int
    item: tuple[int | str, ...] = ()


@dataclass(frozen=True)
class InputRef:
    """An argument of forward, or with `item` one part of it."""

    name: str
    item: tuple[int | str, ...] = ()


@dataclass(frozen=True)
class AttrRef:
    """A parameter or buffer, by its dotted path."""

    path: str


@dataclass(frozen=True)
class Loose:
    """A tensor that is neither input, parameter, buffer nor made in forward."""

    description: str


@dataclass(frozen=True)
class Made:
    """An object with named parts, some of them tensors: a dataclass, a ModelOutput, an OrderedDict."""

    kind: type
    parts: dict[str, Any]


@dataclass(frozen=True)
class DtypeOf:
    """
    The dtype of a tensor, as `x.dtype`, or with `limit` a number of its `torch.finfo`.

    It stands for what was a constant in the recording, and another one when the model had another dtype.
    """

    value: InputRef | AttrRef
    limit: str = ""


@dataclass(frozen=True)
class SizeOf:
    """The size of a value along one dimension, as `x.size(0)` or `x.shape[0]`; without a dimension, `x.dim()`."""

    value: Ref | InputRef | AttrRef | Loose
    dim: int | None


@dataclass(frozen=True)
class SizeOp:
    """Arithmetic on sizes; `op` is a name in `sizes.OPERATIONS`."""

    op: str
    operands: tuple[Any, ...]


@dataclass(frozen=True)
class Site:
    """Where a call stands: file, rows from 1, columns in bytes from 0; and the function that holds it."""

    filename: str
    row: int
    column: int
    end_row: int
    end_column: int
    function: str
    function_row: int

    def location(self) -> Location:
        return Location(self.filename, self.row, self.column + 1, self.end_row, self.end_column + 1)


@dataclass(frozen=True)
class Guard:
    """
    A decision that was taken on a size, or a size taken as a plain number: the trace holds where it is the same.

    `test` is true wherever that is so, None where no expression on sizes says it; `step` is the first step that may
    rest on it.
    """

    condition: str
    value: Any
    site: Site | None
    test: SizeOp | None = None
    step: int = 0
    implied: bool = False  # by how many parts a call gave, not written as a condition


@dataclass(frozen=True)
class Ambient:
    """
    What forward itself has put around a call. Whatever surrounds forward as a whole does not count.

    `grad` is None where gradients are on or off as outside; `autocast` lists the blocks around the call, outermost
    first, as device type, dtype and whether it is switched on.
    """

    grad: bool | None = None
    inference: bool = False
    autocast: tuple[tuple[str, Any, bool], ...] = ()
    saving: bool = False  # `torch.utils.checkpoint`, or other hooks on what is saved for backward


@dataclass(frozen=True)
class Kept:
    """A submodule that was not opened though it might have been, and why."""

    path: str
    reason: str
    site: Site | None = None


@dataclass(frozen=True)
class Step:
    """One call, with what it took and gave."""

    index: int
    kind: str  # "module" or "function"
    target: str  # a submodule's path, or a function's name as `torch.nn.functional.relu`
    function: Callable[..., Any] | None = field(compare=False)
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    site: Site | None = field(compare=False)
    shapes: tuple[tuple[int, ...], ...] = ()  # of the tensors taken, in order
    shape: tuple[int, ...] | None = None  # of the one tensor given; None when there is not just one
    dtype: str | None = None
    mutates: bool = False
    ambient: Ambient = Ambient()
    scope: str = ""  # the opened submodule whose forward made the call; the target itself is ""
    draws: bool = False  # takes random numbers, outside of a submodule
    follows_training: bool = False  # `training=` was False in eval and True in train
    varies: str | None = None  # "shape" or "mode", when a plain argument changed between the traces

    def values(self) -> Iterator[Ref | InputRef | AttrRef | Loose]:
        """The tensors that this step takes, each use once; sizes do not count."""
        return leaves((self.args, self.kwargs))


_TRAINING = {"dropout": 2, "alpha_dropout": 2, "dropout1d": 2, "dropout2d": 2, "dropout3d": 2, "batch_norm": 5,
             "feature_alpha_dropout": 2, "rrelu": 3, "instance_norm": 5}  # fmt: skip


def training_argument(step: Step) -> str | int | None:
    """Which argument of a step follows `self.training`: its keyword, or its place; None when that is not clear."""
    for key in ("training", "train", "use_input_stats"):
        if step.kwargs.get(key) is False:
            return key
    index = _TRAINING.get(step.target.rpartition(".")[2], len(step.args))
    if index < len(step.args) and step.args[index] is False:
        return index
    flags: list[str | int] = [key for key, value in step.kwargs.items() if value is False]
    flags += [index for index, value in enumerate(step.args) if value is False]
    return flags[0] if len(flags) == 1 else None


@dataclass(frozen=True)
class Flow:
    """
    All calls of one forward, in order.

    `written` lists the attributes that forward assigned; `strays` the modules registered nowhere, by what holds them;
    `kept` the submodules that were not opened. `fixed` names what no other size was seen to agree on.
    """

    inputs: tuple[str, ...]
    steps: tuple[Step, ...]
    output: Any
    guards: tuple[Guard, ...] = ()
    written: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()
    kept: tuple[Kept, ...] = ()
    dtype: Any = None  # of the first floating-point input, else parameter; `typed` is that tensor
    typed: InputRef | AttrRef | None = None
    device: Any = None  # of the recording: what names it among the arguments means "where the inputs are"
    given: Mapping[str, Any] = field(
        default_factory=dict, compare=False
    )  # a torch.Size for a tensor; else the input itself
    opened: tuple[str, ...] = ()
    results: Mapping[str, Any] = field(default_factory=dict, compare=False)  # what each opened submodule gave
    ragged: bool = False  # a shape depends on values
    moving: frozenset[SizeOf] = frozenset()  # the sizes that another recording saw change
    reads_dtype: bool = False
    reads_rank: bool = False
    rebound: tuple[str, ...] = ()  # of `written`, what holds another tensor afterwards
    odd: tuple[str, ...] = ()  # axes along which a plain value in the output changes
    fixed: tuple[Guard, ...] = ()
    sizes: Mapping[SizeOf, int] = field(default_factory=dict, compare=False, repr=False)  # every size that was read

    def checks(self) -> Iterator[Guard]:
        """The guards that other inputs may not pass, each once: those on sizes that depend on the inputs."""
        seen: set[SizeOp] = set()
        for guard in self.guards:
            if guard.implied and not any(size in self.moving for size in size_leaves(guard.test)):
                continue  # a dimension that no other input was seen to change
            if guard.test is not None and guard.test not in seen and any(size_leaves(guard.test)):
                seen.add(guard.test)
                yield guard

    @property
    def fixed_dtype(self) -> bool:
        """Whether forward was seen to do other things in another dtype."""
        return any(guard.condition.startswith("the dtype") for guard in self.fixed)

    @property
    def fixed_sizes(self) -> bool:
        """Whether it was seen to do other things at other sizes than the batch's."""
        return any(guard.condition.startswith("the sizes") for guard in self.fixed)

    def doubts(self) -> Iterator[tuple[str, Site | None]]:
        """Why what is made of this flow would not hold for every input of the same shape, in train as in eval."""
        for axis in self.odd:
            yield f"a plain value in what forward returns changes with the {axis}", None
        for step in self.steps:
            if step.varies in ("shape", "mode", "values"):
                yield f"an argument of `{step.target}` changes with the {AXES[step.varies]}", step.site
        for guard in self.guards:
            if guard.test is None and guard.value is not None and guard.condition.endswith(("()", "requires_grad")):
                yield f"forward asks `{guard.condition}`", guard.site
        for name in self.rebound:
            yield f"forward puts another tensor into `self.{name}`", None

    def users(self) -> dict[int, list[int]]:
        """For each step, the steps that take its value, one entry a use; the output counts as step `len(steps)`."""
        users: dict[int, list[int]] = {step.index: [] for step in self.steps}
        for step in self.steps:
            for value in step.values():
                if isinstance(value, Ref):
                    users[value.step].append(step.index)
        for value in leaves(self.output):
            if isinstance(value, Ref):
                users[value.step].append(len(self.steps))
        return users


def is_plain_data(value: Any) -> bool:
    """Whether a value is a number, a text or the like, or nothing but such in tuples, lists and dicts."""
    return all(isinstance(item, bool | int | float | str | None) for item in walk(value))


def walk(value: Any) -> Iterator[Any]:
    """The atoms of nested tuples, lists, dicts, slices and made objects, in order; a size expression is one atom."""
    if isinstance(value, tuple | list):
        for item in value:
            yield from walk(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, Made):
        yield from walk(value.parts)
    elif isinstance(value, slice):
        yield from (value.start, value.stop, value.step)
    else:
        yield value


def leaves(value: Any) -> Iterator[Ref | InputRef | AttrRef | Loose]:
    """The tensor references among the atoms."""
    return (item for item in walk(value) if isinstance(item, Ref | InputRef | AttrRef | Loose))


def size_leaves(value: Any) -> Iterator[SizeOf]:
    """The sizes among the atoms, and in their expressions, that depend on the inputs."""
    for item in walk(value):
        if isinstance(item, SizeOp):
            yield from size_leaves(item.operands)
        elif isinstance(item, SizeOf) and isinstance(item.value, Ref | InputRef):
            yield item
