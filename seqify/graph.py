"""A recorded flow as a `torch.fx` graph, which runs with the module's own weights."""

# Glossary
#
#   step of the flow                    node of the graph
#   submodule kept whole                call_module layer1.0.conv1
#   torch.nn.functional.relu            call_function relu
#   torch.Tensor.view                   call_method view
#   x.shape[0] * 4 among arguments      call_method size, call_function mul: sizes are computed again, for any input
#   change of gradient mode, autocast   call_function _enter_grad, _enter_autocast, ...
#
#   x ─► conv1 ─► relu ─► view(·, -1) ─► fc ─► output
#                   └─ size(0) ─┘
#
# Nothing is ever eliminated: an unused node may change a tensor in place, draw random numbers or check something.

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx, nn
from torch.amp.autocast_mode import _enter_autocast, _exit_autocast
from torch.autograd.grad_mode import _enter_inference_mode, _exit_inference_mode

from seqify.diagnostics import Diagnostic, Location
from seqify.errors import Refusal
from seqify.flow import (
    Ambient,
    AttrRef,
    DtypeOf,
    Flow,
    Guard,
    InputRef,
    Loose,
    Made,
    Ref,
    SizeOf,
    SizeOp,
    Step,
    is_plain_data,
    training_argument,
)
from seqify.sizes import OPERATIONS

__all__ = ["make_graph"]


def make_graph(flow: Flow, module: nn.Module) -> fx.GraphModule:
    """
    The graph of a flow over a module's weights.

    Args:
        flow: a recording of `module`, at any depth.
        module: whose submodules, parameters and buffers the graph uses; they are shared with it, not copied.

    Returns:
        A GraphModule that takes the inputs of the flow by name; those that are no tensors are taken as they were.

    Raises:
        Refusal: SQ108, when something changes with the batch size, the mode or the values; SQ104, when a step takes a
            tensor that was made where nothing was seen.
    """
    return _Writer(flow, module).write()


class _Writer:
    """The graph as far as it is written."""

    def __init__(self, flow: Flow, module: nn.Module) -> None:
        self.flow = flow
        self.module = module
        self.kept: dict[str, Any] = {}  # objects that no graph can write down, by the attribute that holds them
        self.graph = fx.Graph()
        self.values: dict[Any, fx.Node] = {}
        self.ambient = Ambient()
        self.place: Location | None = None  # of the step that is being written
        self.anchor: fx.Node | None = None  # a tensor that is where the graph runs
        self.entered: list[tuple[Callable[..., Any], fx.Node]] = []

    def write(self) -> fx.GraphModule:
        for name in self.flow.inputs:
            self.values[InputRef(name)] = self.graph.placeholder(name)
        for reason, site in self.flow.doubts():
            raise Refusal(Diagnostic("SQ108", reason, site.location() if site else None))
        self.check_given()
        tensors = [value.name for step in self.flow.steps for value in step.values() if isinstance(value, InputRef)]
        self.anchor = self.values[InputRef(tensors[0])] if tensors else None
        checks = sorted(self.flow.checks(), key=lambda guard: guard.step)
        for step in self.flow.steps:
            while checks and checks[0].step <= step.index:
                self.check(checks.pop(0))
            self.surround(step.ambient)
            self.values[Ref(step.index)] = self.call(step)
        for guard in checks:
            self.check(guard)
        self.surround(Ambient())
        self.graph.output(self.argument(self.flow.output))
        made = fx.GraphModule(_Holder(self.kept, self.module), self.graph, type(self.module).__name__)
        made.train(self.module.training)
        return made

    def check_given(self) -> None:
        """Inputs that are no tensors were taken as they were, and so were all sizes where they matter."""
        fixed = self.flow.fixed_sizes
        if self.flow.fixed_dtype and self.flow.typed is not None:
            dtype = self.graph.call_function(getattr, (self.argument(self.flow.typed), "dtype"))
            same = self.graph.call_function(_is_same, (dtype, self.flow.dtype))
            self.claim(same, f"the dtype is {self.flow.dtype}")
        for name, value in self.flow.given.items():
            node = self.values[InputRef(name)]
            if isinstance(value, torch.Size):
                if self.flow.reads_rank:
                    rank = self.graph.call_method("dim", (node,))
                    same = self.graph.call_function(operator.eq, (rank, len(value)))
                    self.claim(same, f"{name} has rank {len(value)}")
                if fixed and len(value) > 1:
                    sizes = tuple(value[1:])
                    self.claim(self.graph.call_function(_has_sizes, (node, sizes)), f"{name} has the sizes {sizes}")
            elif is_plain_data(value):
                self.claim(self.graph.call_function(_is_same, (node, value)), f"{name} is {value!r}")

    def claim(self, same: Any, text: str) -> None:
        self.graph.call_function(torch._assert, (same, f"this graph holds where {text}"))

    def check(self, guard: Guard) -> None:
        """Where a decision on sizes would come out otherwise, the graph does not hold, and says so."""
        self.claim(self.size(guard.test), f"`{guard.condition}` gives {guard.value}")

    def call(self, step: Step) -> fx.Node:
        self.place = step.site.location() if step.site else None
        args = tuple(self.argument(item) for item in step.args)
        kwargs = {name: self.argument(item) for name, item in step.kwargs.items()}
        if step.follows_training:
            place = training_argument(step)
            if place is None:
                raise Refusal(_unseen(step, f"which argument of `{step.target}` follows `self.training`"))
            flag = self.graph.get_attr("training")
            if isinstance(place, str):
                kwargs[place] = flag
            else:
                args = (*args[:place], flag, *args[place + 1 :])
        if step.kind == "module":
            path = step.target
            if path.startswith("?"):
                if not path[1:]:
                    raise Refusal(_unseen(step, "a module that forward makes"))
                path = self.constant(eval(path[1:], {"self": self.module}))
            return self.graph.call_module(path, args, kwargs)
        name = step.target.rpartition(".")[2]
        if getattr(step.function, "__name__", "") == "__get__":
            return self.graph.call_function(getattr, (args[0], name))
        if name in ("__getitem__", "__setitem__"):
            return self.graph.call_function(getattr(operator, name.strip("_")), args)
        if step.target.startswith("torch.Tensor.") and args and hasattr(torch.Tensor, name):
            return self.graph.call_method(name, args, kwargs)
        assert step.function is not None
        if step.target.startswith("torch.") and not step.target.startswith("torch.jit."):
            return self.graph.call_function(step.function, args, kwargs)
        return self.graph.call_function(operator.call, (self.held(step.function), *args), kwargs)

    def held(self, value: Any) -> fx.Node:
        """An object that no graph can write down, held by the module instead."""
        return self.graph.get_attr(self.constant(value))

    def constant(self, value: Any) -> str:
        name = f"_held_{len(self.kept)}"
        self.kept[name] = value
        return name

    def argument(self, value: Any) -> Any:
        if isinstance(value, Ref | InputRef):
            return self.part(value)
        if isinstance(value, AttrRef):
            return self.graph.get_attr(value.path)  # read each time: a buffer may have been replaced in between
        if isinstance(value, Loose):
            if not value.description:
                text = "forward takes a tensor, or an object with tensors, that was made where nothing is seen"
                raise Refusal(Diagnostic("SQ104", text, self.place))
            return self.held(eval(value.description, {"self": self.module}))
        if isinstance(value, SizeOf | SizeOp):
            return self.size(value)
        if isinstance(value, DtypeOf):
            dtype = self.graph.call_function(getattr, (self.argument(value.value), "dtype"))
            return self.graph.call_function(_limit, (dtype, value.limit)) if value.limit else dtype
        if isinstance(value, slice):
            return slice(*(self.argument(item) for item in (value.start, value.stop, value.step)))
        if isinstance(value, tuple | list):
            items = [self.argument(item) for item in value]
            if hasattr(value, "_fields"):
                return type(value)(*items)
            return tuple(items) if isinstance(value, tuple) else items
        if isinstance(value, Made):
            return self.graph.call_function(value.kind, (), self.argument(value.parts))
        if isinstance(value, Mapping):
            return {key: self.argument(item) for key, item in value.items()}
        if isinstance(value, torch.device) and value == self.flow.device and self.anchor is not None:
            return self.graph.call_function(getattr, (self.anchor, "device"))
        if value is None or isinstance(value, _WRITABLE) or value is Ellipsis:
            return value
        return self.held(value)

    def part(self, value: Ref | InputRef) -> fx.Node:
        if value not in self.values:
            whole = type(value)(value.step) if isinstance(value, Ref) else InputRef(value.name)
            node = self.values[whole]
            for key in value.item:
                node = self.graph.call_function(operator.getitem if isinstance(key, int) else _item, (node, key))
            self.values[value] = node
        return self.values[value]

    def size(self, value: Any) -> Any:
        if isinstance(value, SizeOf):
            if value.dim is None:
                return self.graph.call_method("dim", (self.argument(value.value),))
            return self.graph.call_method("size", (self.argument(value.value), value.dim))
        if isinstance(value, SizeOp):
            operands = tuple(self.size(item) for item in value.operands)
            return self.graph.call_function(OPERATIONS[value.op], operands)
        return value

    def surround(self, ambient: Ambient) -> None:
        """Leave what the step before ran under, as far as the next one does not, and enter what is new."""
        if ambient == self.ambient:
            return
        while self.entered:
            leave, node = self.entered.pop()
            self.graph.call_function(leave, (node,))
        if ambient.inference:
            node = self.graph.call_function(_enter_inference_mode, (True,))
            self.entered.append((_exit_inference_mode, node))
        elif ambient.grad is not None:
            node = self.graph.call_function(_enter_grad, (ambient.grad,))
            self.entered.append((_exit_grad, node))
        for kind, dtype, enabled in ambient.autocast:
            node = self.graph.call_function(_enter_autocast, (kind, dtype, enabled, True))
            self.entered.append((_exit_autocast, node))
        self.ambient = ambient


def _enter_grad(enabled: bool) -> bool:
    """Switch gradients; what is returned says how they were."""
    before = torch.is_grad_enabled()
    torch._C._set_grad_enabled(enabled)
    return before


def _exit_grad(before: bool) -> None:
    torch._C._set_grad_enabled(before)


_WRITABLE = (bool, int, float, complex, str, bytes, torch.dtype, torch.device, torch.memory_format, torch.layout)


class _Holder(nn.Module):
    """The module's own parts, and what the graph holds besides, under the paths that its nodes name."""

    def __init__(self, kept: Mapping[str, Any], module: nn.Module) -> None:
        super().__init__()
        for name, value in module._modules.items():
            self.add_module(name, value)
        for name, parameter in module._parameters.items():
            self.register_parameter(name, parameter)
        for name, buffer in module._buffers.items():
            self.register_buffer(name, buffer, persistent=name not in module._non_persistent_buffers_set)
        for name, value in kept.items():
            setattr(self, name, value)


def _is_same(given: Any, known: Any) -> bool:
    return type(given) is type(known) and bool(given == known)


def _has_sizes(given: torch.Tensor, sizes: tuple[int, ...]) -> bool:
    return tuple(given.shape[1:]) == tuple(sizes)


def _limit(dtype: torch.dtype, name: str) -> float:
    return float(getattr(torch.finfo(dtype), name))


def _item(value: Any, key: str) -> Any:
    return getattr(value, key[1:]) if key.startswith(".") else value[key]


def _unseen(step: Step, what: str) -> Diagnostic:
    return Diagnostic("SQ104", f"{what} cannot be written into a graph", step.site.location() if step.site else None)
