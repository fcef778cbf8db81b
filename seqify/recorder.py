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

import itertools
import os
import sys
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seqify.diagnostics import Diagnostic
from seqify.errors import Refusal
from seqify.flow import AttrRef, Guard, InputRef, Kept, Loose, Made, Ref, Site, SizeOf, SizeOp, Step
from seqify.looks import alias, ambient, chance, flatten, name_of, property_of, state, storage_of, version_of
from seqify.openness import Openness
from seqify.sizes import TracedFloat, TracedInt, size_product

__all__ = ["KeepWhole", "NeedsNumbers", "Recorder", "Undecided"]

_TORCH = os.path.dirname(torch.__file__) + os.sep
_HERE = os.path.dirname(__file__) + os.sep
_LIBRARIES = f"{os.sep}einops{os.sep}"
_READS_VALUES = {"__bool__", "item", "__int__", "__float__", "__index__", "__complex__", "__contains__", "equal",
                 "allclose", "is_nonzero"}  # fmt: skip
_YES_OR_NO = {"__bool__", "__contains__", "equal", "allclose", "is_nonzero"}
_LEAVES_TORCH = {"tolist", "numpy", "__array__", "__dlpack__", "data_ptr", "storage", "untyped_storage"}
_HANGS_ON = {"register_hook", "register_post_accumulate_grad_hook", "backward"}
_CHECKS = {"_assert", "_assert_async"}
_DRAWS = {"dropout", "dropout1d", "dropout2d", "dropout3d", "dropout_", "alpha_dropout", "feature_alpha_dropout",
          "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "bernoulli", "bernoulli_",
          "multinomial", "normal", "normal_", "uniform_", "exponential_", "geometric_", "cauchy_", "log_normal_",
          "random_", "poisson", "rrelu", "rrelu_", "gumbel_softmax", "fractional_max_pool2d"}  # fmt: skip
# the shape of what these give depends on values
_RAGGED = {"nonzero", "argwhere", "masked_select", "unique", "unique_consecutive", "bincount", "_unique2"}


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


class Recorder(TorchFunctionMode):
    """The state of one recording."""

    def __init__(self, root: nn.Module, arguments: Mapping[str, Any], openness: Openness) -> None:
        super().__init__()
        self.root, self.openness = root, openness
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
        self.hook = self.guard  # one bound method: what carries another one is of another recording
        self.paths: dict[int, str] = {}
        for path, module in root.named_modules():
            self.paths.setdefault(id(module), path)
        self.registered: dict[int, str] = {}
        for path, tensor in itertools.chain(root.named_parameters(), root.named_buffers()):
            self.registered.setdefault(id(tensor), path)
        self.values: dict[int, Ref | InputRef] = {}
        self.alive: list[Any] = []  # an id is only a name while its object lives
        self.constant: list[bool] = []  # for each step, whether it is the same for all inputs, weights and seeds
        self.ragged: set[int] = set()  # steps whose shape depends on values
        self.touched: set[int] = set()  # storages that something not constant was written to
        self.chance = chance()
        self.autocast: tuple[tuple[str, Any, bool], ...] = ()
        self.grad = torch.is_grad_enabled()
        self.asked: set[Site] = set()
        self.positions: dict[CodeType, list[tuple[int | None, ...]]] = {}
        for name, value in arguments.items():
            self.bind(value, InputRef(name))

    # -- names for values

    def bind(self, value: Any, reference: Ref | InputRef) -> None:
        if isinstance(value, Tensor):
            self.values[id(value)] = reference
            self.alive.append(value)
        elif isinstance(value, tuple | list):
            for index, item in enumerate(value):
                self.bind(item, type(reference)(*_first(reference), (*reference.item, index)))
        elif isinstance(value, Mapping):
            for key, item in value.items():
                self.bind(item, type(reference)(*_first(reference), (*reference.item, key)))
        elif fields := getattr(value, "__dataclass_fields__", None):
            for key in fields:
                self.bind(getattr(value, key, None), type(reference)(*_first(reference), (*reference.item, key)))

    def reference(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            known = self.values.get(id(value))
            if known is not None:
                return known
            path = self.registered.get(id(value))
            return AttrRef(path) if path is not None else Loose(self.holder(value))
        if isinstance(value, TracedInt | TracedFloat):
            if value.hook is self.hook:
                return value.expression
            return int.__int__(value) if isinstance(value, int) else float.__float__(value)
        if type(value) in _ATOMS:
            return value
        if isinstance(value, torch.Size | tuple):
            items = [self.reference(item) for item in value]
            return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
        if isinstance(value, list):
            return [self.reference(item) for item in value]
        if isinstance(value, Mapping):
            parts = {key: self.reference(item) for key, item in value.items()}
            return parts if type(value) is dict else Made(type(value), parts)
        if isinstance(value, slice):
            return slice(*(self.reference(item) for item in (value.start, value.stop, value.step)))
        held = getattr(value, "__dict__", None)
        if held and any(isinstance(item, Tensor) for item in flatten(list(held.values()))):
            if hasattr(value, "__dataclass_fields__"):
                return Made(
                    type(value), {key: self.reference(getattr(value, key)) for key in type(value).__dataclass_fields__}
                )
            if not isinstance(value, nn.Module | type) and not callable(value):
                return Loose("")  # an object that forward keeps tensors in
        return value

    def holder(self, value: Any) -> str:
        """Which attribute holds something that is registered nowhere; empty when none does."""
        for path, module in self.root.named_modules():
            for name, held in vars(module).items():
                if name in ("_parameters", "_buffers", "_modules"):
                    continue
                here = f"{path}.{name}" if path else name
                if held is value:
                    return f"self.{here}"
                items = (
                    held.items()
                    if isinstance(held, dict)
                    else enumerate(held)
                    if isinstance(held, list | tuple)
                    else ()
                )
                for key, item in items:
                    if item is value:
                        return f"self.{here}[{key!r}]"
        return ""

    # -- places

    def site(self) -> Site | None:
        """Where the user's code stands now: its innermost frame."""
        frame = sys._getframe(1)
        while frame is not None:
            code = frame.f_code
            name = code.co_filename
            if not name.startswith((_HERE, _TORCH)) and _LIBRARIES not in name:
                table = self.positions.get(code)
                if table is None:
                    table = self.positions[code] = list(code.co_positions())
                row, end_row, column, end_column = table[frame.f_lasti // 2]
                if row is None or end_row is None or column is None or end_column is None:
                    return None
                return Site(name, row, column, end_row, end_column, code.co_qualname, code.co_firstlineno)
            if frame.f_back is None:
                return None
            frame = frame.f_back
        return None

    @property
    def scope(self) -> str:
        return self.scopes[-1][0]

    # -- decisions

    def guard(self, condition: str, value: Any, test: SizeOp) -> None:
        if not self.active or self.inside:
            return
        if sys._getframe(3).f_code.co_filename.find(_LIBRARIES) >= 0:
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
        if (now := chance()) != self.chance:
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
        result = self._step("module", path, module, args, kwargs, lambda: original(module, *args, **kwargs))
        self.chance = chance()  # what a whole submodule draws is its own affair
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
        closures = [cell.cell_contents for arg in flatten(args) for cell in getattr(arg, "__closure__", None) or ()]
        if any(isinstance(held, Tensor) for held in flatten(closures)):
            raise self.refuse("SQ104", f"`{target}` is given a function that holds tensors")
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
        if any(tensor.is_meta for tensor in tensors):
            raise NeedsNumbers
        result = func(*args, **kwargs)
        self.guards.append(Guard(f"{name.strip('_')} of a constant tensor", _short(result), self.site()))
        return result

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

    def _read(self, func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A property or size of a tensor: no step, unless it is a tensor (`x.T`)."""
        result = func(*args, **kwargs)
        if isinstance(result, Tensor):
            if id(result) in self.values or id(result) in self.registered:
                return result
            return self._step("function", f"torch.Tensor.{property_of(func)}", func, args, kwargs, lambda: result)
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

    def _size(self, value: int, size: SizeOf) -> TracedInt:
        self.sizes[size] = value
        if isinstance(size.value, Ref) and size.value.step in self.ragged:
            return TracedInt(value, size, self._ragged_hook)
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
        around = ambient(self.autocast, self.grad)
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
                return result  # a question about torch or a tensor: torch.is_grad_enabled(), x.is_contiguous()
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


_ATOMS = {int, float, bool, str, type(None), torch.dtype, torch.device, complex}


def _first(reference: Ref | InputRef) -> tuple[Any]:
    return (reference.step,) if isinstance(reference, Ref) else (reference.name,)


def _short(value: Any) -> Any:
    return value if isinstance(value, int | float | bool) else str(value)[:60]
