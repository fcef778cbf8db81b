"""The recorder: what it writes down of each call that forward makes."""

# forward runs for real, so every Python construct works. Observers see what it does:
#
#   forward ──► module call ──► call_module     a submodule: one step, or opened (see openness.py)
#          ├──► torch call ───► __torch_function__   a function or method: one step
#          ├──► Function.apply, TorchScript, vmap ───► call_opaque   what torch hides from the mode: one step
#          └──► x.size(0) ────► TracedInt      a plain number that remembers the size behind it
#
# What a decision may rest on:
#
#   sizes and constants        a guard: the recording holds where they are the same
#   inputs, weights, random    SQ101 in the target's own forward; a submodule that does it is kept whole. A yes-or-no
#                              question passes where both answers lead to the same calls, as before a warning

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seqify.diagnostics import Diagnostic
from seqify.errors import Refusal
from seqify.flow import Guard, InputRef, Kept, Ref, Site, SizeOf, SizeOp, Step
from seqify.looks import (
    alias,
    ambient,
    chance,
    changed_chance,
    flatten,
    held_by,
    makeup,
    name_of,
    property_of,
    state,
    storage_of,
    version_of,
)
from seqify.openness import Openness
from seqify.references import LIBRARIES, References
from seqify.sizes import TracedFloat, TracedInt, evaluate, size_product

__all__ = ["KeepWhole", "NeedsNumbers", "Recorder", "Undecided"]

_READS_VALUES = {"__bool__", "item", "__int__", "__float__", "__index__", "__complex__", "__contains__", "equal",
                 "allclose", "is_nonzero"}  # fmt: skip
_YES_OR_NO = {"__bool__", "__contains__", "equal", "allclose", "is_nonzero"}
_LEAVES_TORCH = {"tolist", "numpy", "__array__", "__dlpack__", "data_ptr", "storage", "untyped_storage"}
_HANGS_ON = {"register_hook", "register_post_accumulate_grad_hook", "backward", "set_", "resize_", "__set__"}
_DTYPES = {"dtype", "element_size", "itemsize", "is_floating_point", "type", "nbytes"}
_CHECKS = {"_assert", "_assert_async"}
_DRAWS = {"dropout", "dropout1d", "dropout2d", "dropout3d", "dropout_", "alpha_dropout", "feature_alpha_dropout",
          "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "bernoulli", "bernoulli_",
          "multinomial", "normal", "normal_", "uniform_", "exponential_", "geometric_", "cauchy_", "log_normal_",
          "random_", "poisson", "rrelu", "rrelu_", "gumbel_softmax", "fractional_max_pool2d"}  # fmt: skip
# the shape of what these give depends on values
_RAGGED = {"nonzero", "argwhere", "masked_select", "unique", "unique_consecutive", "bincount", "_unique2",
           "one_hot", "repeat_interleave", "_nnz", "_values", "_indices", "values", "indices", "to_sparse"}  # fmt: skip


class KeepWhole(BaseException):
    """An opened submodule does what only a whole one may; not an Exception, so that forward does not catch it."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        super().__init__(kept.reason)


class Undecided(Refusal):
    """The target's own forward asks a yes-or-no question about values; `site` is None where it cannot be answered."""

    def __init__(self, site: Site | None, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic)
        self.site = site


class NeedsNumbers(BaseException):
    """A constant is read while the recording runs on shapes alone."""


class Recorder(TorchFunctionMode, References):
    """The state of one recording."""

    def __init__(
        self, root: nn.Module, arguments: Mapping[str, Any], openness: Openness, watches_chance: bool = False
    ) -> None:
        super().__init__()
        self._start(root)
        self.openness = openness
        self.active = False
        self.inside = 0  # > 0 within a whole submodule or a torch call
        self.steps: list[Step] = []
        self.guards: list[Guard] = []
        self.strays: list[str] = []
        self.kept: dict[str, Kept] = {}
        self.opened: dict[str, None] = {}
        self.scopes: list[tuple[str, nn.Module]] = [("", root)]
        self.sizes: dict[SizeOf, int] = {}
        self.refusal: Refusal | None = None
        # two bound methods, made once: what carries another one is of another recording
        self.hook, self.ragged_hook = self.guard, self._ragged_hook
        self.reads_dtype = self.reads_rank = False
        self.results: dict[str, Any] = {}
        self.enabled = 0  # blocks that switch gradients on
        self.default_dtype = torch.get_default_dtype()
        self.makeups = {id(part): makeup(part) for part in root.modules()}
        self.constant: list[bool] = []  # for each step, whether it is the same for all inputs, weights and seeds
        self.ragged: set[int] = set()  # steps whose shape depends on values
        self.touched: set[int] = set()  # storages that something not constant was written to
        self.watches_chance = watches_chance
        self.chance = chance() if watches_chance else (0, 0)
        self.autocast: tuple[tuple[str, Any, bool], ...] = ()
        self.grad = torch.is_grad_enabled()
        self.asked: set[Site] = set()
        for name, value in arguments.items():
            self.bind(value, InputRef(name))

    # -- where the recording stands

    @property
    def scope(self) -> str:
        return self.scopes[-1][0]

    # -- decisions

    def guard(self, condition: str, value: Any, test: SizeOp) -> None:
        if not self.active or self.inside:
            return
        if sys._getframe(3).f_code.co_filename.find(LIBRARIES) >= 0:
            return  # a cache that is looked up by size
        self.guards.append(Guard(condition, value, self.site(), test, len(self.steps)))

    def refuse(self, code: str, message: str) -> BaseException:
        """What to raise: the target is refused, a submodule is kept whole."""
        site = self.site()
        if self.scope:
            return KeepWhole(Kept(self.scope, message, site))
        self.refusal = self.refusal or Refusal(Diagnostic(code, message, site.location() if site else None))
        return self.refusal

    def is_constant(self, value: Any) -> bool:
        """Whether a tensor was made in forward from sizes and literals alone."""
        reference = self.reference(value)
        if not isinstance(reference, Ref) or not self.constant[reference.step]:
            return False
        return not self.touched or storage_of(value) not in self.touched

    def check_chance(self) -> None:
        """Refuse a forward that has drawn from a generator that is not torch's."""
        if self.watches_chance and changed_chance(self.chance, now := chance()):
            self.chance = now
            raise self.refuse("SQ106", "forward draws random numbers from Python's `random` or from NumPy")

    # -- calls

    def call_module(
        self, original: Callable[..., Any], module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if not self.active or self.inside:
            return original(module, *args, **kwargs)
        path = self.paths.get(id(module))
        if path is None:
            holder = self.holder(module)
            self.strays.append(holder or f"{type(module).__name__} made in forward")
            path = f"?{holder}"
        else:
            reason = self.openness.reason(module, path, len(self.scopes) - 1, self.scopes[-1][1])
            if reason is None:
                return self._open(original, module, path, args, kwargs)
            if reason:
                self.kept.setdefault(path, Kept(path, reason))
        if any(id(tensor) not in self.registered for tensor in module.parameters()) and not path.startswith("?"):
            raise self.refuse("SQ105", f"forward gives `{path}` other parameters before it calls it")
        self.check_chance()
        if any(self.makeups.setdefault(id(part), now := makeup(part)) != now for part in module.modules()):
            raise self.refuse("SQ105", f"forward changes `{path}` before it calls it")
        result = self._step("module", path, module, args, kwargs, lambda: original(module, *args, **kwargs))
        if self.watches_chance:
            self.chance = chance()  # what a whole submodule draws is its own affair
        for part in module.modules():  # and so is what it keeps
            self.makeups[id(part)] = makeup(part)
        return result

    def _open(
        self,
        original: Callable[..., Any],
        module: nn.Module,
        path: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        self.opened[path] = None
        self.scopes.append((path, module))
        before = state(module)
        try:
            result = original(module, *args, **kwargs)
            self.check_chance()
        finally:
            self.scopes.pop()
        if (after := state(module)) != before:
            names = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
            raise KeepWhole(Kept(path, f"its forward changes `{sorted(names)[0]}`"))
        self.results[path] = self.reference(result)
        return result

    def call_opaque(
        self,
        target: str,
        function: Callable[..., Any],
        run: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """A call whose inside torch hides: one step, which `function` can do again and `run` does now."""
        if not self.active or self.inside:
            return run(*args, **kwargs)
        if any(
            isinstance(held, Tensor | nn.Module | TracedInt | TracedFloat)
            for arg in flatten(args)
            for held in flatten(list(held_by(arg)))
        ):
            raise self.refuse("SQ104", f"`{target}` is given a function that holds tensors, modules or sizes")
        return self._step("function", target, function, args, kwargs, lambda: run(*args, **kwargs))

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if not self.active or self.inside:
            return func(*args, **kwargs)
        name = getattr(func, "__name__", str(func))
        if name in _READS_VALUES or name in _LEAVES_TORCH:
            return self._values(func, name, args, kwargs)
        if name in _HANGS_ON:
            raise self.refuse("SQ104", f"forward calls `{name}` on a tensor")
        if kwargs.get("generator") is not None:
            raise self.refuse("SQ106", f"forward draws from a generator of its own (`{name}`)")
        if name == "__iter__":
            return iter(self._iterate(args[0]))
        if name == "__get__" or name in ("size", "numel", "nelement", "__len__", "dim"):
            return self._read(func, name, args, kwargs)
        return self._step("function", name_of(func), func, args, kwargs, lambda: func(*args, **kwargs))

    def _values(self, func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A tensor's numbers, taken out of torch: a plain constant where they follow from sizes alone."""
        tensors = [item for item in flatten((args, kwargs)) if isinstance(item, Tensor)]
        if not all(self.is_constant(tensor) for tensor in tensors):
            if name in _YES_OR_NO and not self.scope:
                return self._answer(name)
            if name in _READS_VALUES:
                raise self.refuse("SQ101", f"forward decides on the value of a tensor (`{name.strip('_')}`)")
            raise self.refuse("SQ104", f"forward takes a tensor's values out of torch (`{name.strip('_')}`)")
        self.inside += 1
        try:
            if any(tensor.is_meta for tensor in tensors):
                args, kwargs = self._on_cpu((args, kwargs))
            result = func(*args, **kwargs)
        finally:
            self.inside -= 1
        self.guards.append(Guard(f"{name.strip('_')} of a constant tensor", _short(result), self.site()))
        return result

    def _on_cpu(self, value: Any) -> Any:
        """A value with its constant tensors computed again, where there are numbers."""
        if isinstance(value, Tensor):
            return self._computed(self.reference(value))
        if isinstance(value, tuple | list):
            return type(value)(self._on_cpu(item) for item in value)
        return {key: self._on_cpu(item) for key, item in value.items()} if isinstance(value, dict) else value

    def _computed(self, value: Any) -> Any:
        if isinstance(value, Ref):
            step = self.steps[value.step]
            if step.mutates or step.function is None:
                raise NeedsNumbers
            with torch.device("cpu"):
                made = step.function(*self._computed(step.args), **self._computed(step.kwargs))
            if any(item.is_meta for item in flatten(made) if isinstance(item, Tensor)):
                raise NeedsNumbers
            for key in value.item:
                made = made[key]
            return made
        if isinstance(value, torch.device) or value == "meta":
            return "cpu"
        if isinstance(value, SizeOf | SizeOp):
            return evaluate(value, self.sizes.__getitem__)
        if type(value) in (tuple, list):
            return type(value)(self._computed(item) for item in value)
        if isinstance(value, slice):
            return slice(*(self._computed(item) for item in (value.start, value.stop, value.step)))
        return {key: self._computed(item) for key, item in value.items()} if isinstance(value, dict) else value

    def _answer(self, name: str) -> bool:
        """The answer that this recording was told to give, once at each place."""
        site = self.site()
        text = f"forward decides on the value of a tensor (`{name.strip('_')}`)"
        if site is None or site not in self.openness.answers or site in self.asked:
            diagnostic = Diagnostic("SQ101", text, site.location() if site else None)
            self.refusal = self.refusal or Undecided(site if site not in self.asked else None, diagnostic)
            raise self.refusal
        self.asked.add(site)
        return self.openness.answers[site]

    def _iterate(self, value: Tensor) -> Any:
        count = int(value.shape[0])
        size = SizeOf(self.reference(value), 0)
        self.sizes[size] = count
        self.guard(f"iterate over {count}", count, SizeOp("eq", (size, count)))
        return self._step("function", "torch.unbind", torch.unbind, (value,), {}, lambda: torch.unbind(value))

    def _count(self, name: str, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """How many parts a call gives may follow from a size."""
        value = args[0] if args else None
        if not isinstance(value, Tensor) or not isinstance(result, tuple | list):
            return
        dim = kwargs.get("dim", args[-1] if len(args) == (2 if name == "unbind" else 3) else 0)
        if not isinstance(dim, int):
            return
        size = SizeOf(self.reference(value), int(dim) % max(value.dim(), 1))
        self.sizes[size] = int(value.shape[size.dim or 0])
        test = SizeOp("eq", (size, len(result)))
        if name == "split":
            part = args[1] if len(args) > 1 else kwargs.get("split_size", kwargs.get("split_size_or_sections"))
            if not isinstance(part, int):
                return
            test = SizeOp("eq", (SizeOp("ceil", (SizeOp("truediv", (size, self.reference(part))),)), len(result)))
        text = f"{name} gives {len(result)} parts"
        self.guards.append(Guard(text, len(result), self.site(), test, len(self.steps), True))

    def _read(self, func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A property or size of a tensor: no step, unless it is a tensor (`x.T`)."""
        result = func(*args, **kwargs)
        if name == "__get__" and isinstance(result, bool | torch.dtype | int):
            asked = property_of(func)
            self.reads_dtype = self.reads_dtype or asked in _DTYPES
            if asked == "requires_grad":
                self.surrounding(asked, result)
        if isinstance(result, Tensor):
            if id(result) in self.values or id(result) in self.registered:
                return result
            return self._step("function", f"torch.Tensor.{property_of(func)}", func, args, kwargs, lambda: result)
        if name == "dim" or (name == "__get__" and property_of(func) == "ndim"):
            source = self.reference(args[0])
            if isinstance(source, InputRef) or (
                isinstance(source, Ref) and self.steps[source.step].target.endswith("squeeze")
            ):
                return self._size(int(result), SizeOf(source, None))
            self.reads_rank = True  # it follows from the rank of the inputs
            return result
        if isinstance(result, torch.Size):
            source = self.reference(args[0])
            return torch.Size([self._size(size, SizeOf(source, dim)) for dim, size in enumerate(result)])
        if name == "size" and isinstance(result, int):
            dim = int.__int__((*args[1:], *kwargs.values())[0])
            return self._size(result, SizeOf(self.reference(args[0]), dim % max(args[0].dim(), 1)))
        if name == "__len__" and isinstance(result, int):
            return self._size(result, SizeOf(self.reference(args[0]), 0))
        if name in ("numel", "nelement"):
            source = self.reference(args[0])
            for dim, size in enumerate(args[0].shape):
                self.sizes[SizeOf(source, dim)] = size
            return TracedInt(result, size_product(source, range(args[0].dim())), self.hook)
        return result

    def surrounding(self, name: str, value: Any) -> None:
        """Note a question whose answer is another one under `no_grad`, `autocast` and the like."""
        if self.scope:
            raise KeepWhole(Kept(self.scope, f"its forward asks `{name}`", self.site()))
        self.guards.append(Guard(name, value, self.site(), None, len(self.steps)))

    def _size(self, value: int, size: SizeOf) -> TracedInt:
        self.sizes[size] = value
        if isinstance(size.value, Ref) and size.value.step in self.ragged:
            return TracedInt(value, size, self.ragged_hook)
        return TracedInt(value, size, self.hook)

    def _ragged_hook(self, condition: str, value: Any, test: SizeOp) -> None:
        if self.active and not self.inside:
            raise self.refuse("SQ101", f"forward decides on how many values a tensor has ({condition})")

    def _step(
        self,
        kind: str,
        target: str,
        function: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        run: Callable[[], Any],
    ) -> Any:
        references = self.reference(args), self.reference(kwargs)
        site = self.site()
        around = ambient(self.autocast, self.grad, self.enabled > 0)
        if torch.get_default_dtype() != self.default_dtype:
            raise self.refuse("SQ104", "forward changes the default dtype")
        tensors = [value for value in flatten((args, kwargs)) if isinstance(value, Tensor)]
        self.inside += 1
        try:
            shapes = tuple(tuple(tensor.shape) for tensor in tensors)
            versions = [version_of(tensor) for tensor in tensors]
            result = run()
            mutates = [version_of(tensor) for tensor in tensors] != versions
            one = result if isinstance(result, Tensor) else None
            if one is not None and not mutates and not target.endswith("_") and any(one is item for item in tensors):
                # the call gave its argument back: another name for it keeps the two apart in the recording
                result = one = alias(one)
            shape = tuple(one.shape) if one is not None else None
            dtype = str(one.dtype) if one is not None else None
            name = target.rpartition(".")[2]
            asks = kind == "function" and not mutates and not (name in _CHECKS and tensors)
            if asks and not any(isinstance(item, Tensor) for item in flatten(result)):
                self.reads_dtype = self.reads_dtype or name in _DTYPES
                return result  # a question about torch or a tensor: torch.is_grad_enabled(), x.is_contiguous()
            if name in ("split", "unbind"):
                self._count(name, result, args, kwargs)
            index = len(self.steps)
            draws = kind == "function" and (name in _DRAWS or bool(kwargs.get("dropout_p")))
            self._learn(kind, name, index, tensors, args, mutates, draws)
        finally:
            self.inside -= 1
        self.steps.append(
            Step(
                index=index,
                kind=kind,
                target=target,
                function=function,
                args=references[0],
                kwargs=references[1],
                site=site,
                shapes=shapes,
                shape=shape,
                dtype=dtype,
                mutates=mutates,
                ambient=around,
                scope=self.scope,
                draws=draws,
            )
        )
        self.bind(result, Ref(index))
        return result

    def _learn(
        self,
        kind: str,
        name: str,
        index: int,
        tensors: list[Tensor],
        args: tuple[Any, ...],
        mutates: bool,
        draws: bool,
    ) -> None:
        """What later decisions need to know of a step."""
        constant = kind == "function" and not draws and all(self.is_constant(tensor) for tensor in tensors)
        self.constant.append(constant and name not in ("empty", "empty_like", "new_empty", "empty_strided"))
        if mutates and not constant:
            self.touched.update(storage_of(tensor) for tensor in tensors)
        if self.ragged or kind == "function":
            masked = name == "__getitem__" and any(
                isinstance(item, Tensor) and item.dtype in (torch.bool, torch.uint8) for item in flatten(args[1:])
            )
            taken = any(
                isinstance(known, Ref) and known.step in self.ragged
                for known in (self.values.get(id(tensor)) for tensor in tensors)
            )
            if taken or masked or name in _RAGGED or (name == "where" and len(args) == 1):
                self.ragged.add(index)


def _short(value: Any) -> Any:
    return value if isinstance(value, int | float | bool) else str(value)[:60]
