"""A recorded flow, run again as a graph: the same numbers at every size, or an exception."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import math
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.utils.checkpoint import checkpoint

from seqify.api import trace
from seqify.errors import Refusal
from seqify.looks import flatten
from seqify.tracing import copied

X, X3 = torch.randn(8, 4), torch.randn(3, 4)
IMAGE, IMAGE3, WIDE = torch.randn(2, 3, 8, 8), torch.randn(3, 3, 8, 8), torch.randn(2, 3, 12, 10)


class Layer(nn.Module):
    """The base of the toys here: one linear layer, and what a test wants besides."""

    def __init__(self, **parts: Any) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        for name, part in parts.items():
            setattr(self, name, part)


def made(forward: Any, **parts: Any) -> nn.Module:
    """A module with this forward."""
    return type("Net", (Layer,), {"forward": forward})(**parts)


def call(function: Any, values: dict[str, Any], state: dict[str, Any] | None = None) -> list[Any]:
    torch.manual_seed(1)
    taken = {name: value.clone() if isinstance(value, Tensor) else value for name, value in values.items()}
    return [*flatten(function(**taken)), *flatten(taken)]


def assert_same(left: list[Any], right: list[Any]) -> None:
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        if isinstance(one, Tensor):
            assert isinstance(other, Tensor) and one.dtype == other.dtype and one.requires_grad == other.requires_grad
            torch.testing.assert_close(other, one, rtol=0, atol=0, equal_nan=True)
        else:
            assert one == other


def gradients(values: list[Any], module: nn.Module) -> list[Any]:
    """Of the squares of all outputs, for each parameter; None where it has none."""
    floats = [value for value in values if isinstance(value, Tensor) and value.requires_grad]
    parameters = [item for item in module.parameters() if item.requires_grad]
    if not floats or not parameters:
        return []
    return list(torch.autograd.grad(sum(item.square().sum() for item in floats), parameters, allow_unused=True))


def assert_replays(net: nn.Module, *inputs: Any, depth: int | str = "full") -> fx.GraphModule:
    """The graph of the first inputs gives what the module gives, on all of them, in eval and in train."""
    named = [values if isinstance(values, dict) else {first_name(net): values} for values in inputs]
    graph = trace(net, named[0], depth=depth)
    for training in (False, True):
        for values in named:
            reference = copied(net).train(training)
            shared = {name: value.clone() for name, value in net.state_dict().items()}
            expected = call(lambda reference=reference, **taken: type(reference).forward(reference, **taken), values)
            given = call(graph.train(training), values)
            assert_same(expected, given)
            assert_same(list(reference.state_dict().values()), list(net.state_dict().values()))
            assert_same(gradients(expected, reference), gradients(given, net))
            net.load_state_dict(shared)
    return graph


def first_name(net: nn.Module) -> str:
    return type(net).forward.__code__.co_varnames[1]


SIZES = {
    "unpacking": lambda self, x: x.view((n := x.shape)[0], n[1], n[2] * n[3]),
    "iteration": lambda self, x: x.reshape([size for size in x.shape if size]),
    "tuple": lambda self, x: torch.ones(x.shape[:2] + x.shape[2:3] + (1,)) + x,
    "star": lambda self, x: torch.zeros(*x.shape) + x,
    "prod": lambda self, x: x.reshape(x.shape[0], math.prod(x.shape[1:])),
    "sum": lambda self, x: x * sum(x.shape),
    "halves": lambda self, x: x[:, :, : x.shape[2] // 2, -(x.shape[3] // 2) :],
    "floats": lambda self, x: x * (x.shape[2] / 2 + 1) * x.shape[3] ** -0.5,
    "ceil": lambda self, x: x * math.ceil(x.shape[2] / 3) + math.floor(x.shape[3] / 3),
    "round": lambda self, x: x * round(x.shape[2] / 3) - x.shape[3] % 3,
    "new": lambda self, x: x + x.new_ones(x.size()) + x.new_full((x.size(0), 1, 1, 1), 3.0),
    "arange": lambda self, x: x + torch.arange(x.shape[3], device=x.device) + torch.linspace(0, 1, x.shape[3]),
    "full": lambda self, x: x + torch.full((x.shape[2], x.shape[3]), 2.0) + torch.empty(x.shape).fill_(1),
    "eye": lambda self, x: x + torch.eye(x.shape[2], x.shape[3]) + torch.zeros_like(x),
    "tensor": lambda self, x: x * torch.tensor(x.shape[2]) + torch.tensor([x.shape[2], x.shape[3]]).sum(),
    "mask": lambda self, x: x.masked_fill(torch.ones(x.shape[2:], dtype=torch.bool).triu(1), -math.inf),
    "pad": lambda self, x: F.pad(x, (0, (16 - x.shape[3] % 16) % 16)),
    "resize": lambda self, x: F.interpolate(x, size=(x.shape[2] * 2, x.shape[3] * 3)),
    "pool": lambda self, x: F.avg_pool2d(x, x.shape[2:]),
    "expand": lambda self, x: torch.ones(1, 3, 1, 1).expand(x.size(0), -1, x.size(2), -1) + x,
    "coordinates": lambda self, x: (
        x + torch.stack(torch.meshgrid(torch.arange(x.shape[2]), torch.arange(x.shape[3]), indexing="ij")).sum(0)
    ),
    "draws": lambda self, x: x + torch.randn(x.shape[0], 1, 1, 1) * torch.rand_like(x),
}


@pytest.mark.parametrize("forward", SIZES.values(), ids=SIZES)
def test_sizes_stay_sizes(forward):
    graph = assert_replays(made(forward), IMAGE, IMAGE3, WIDE)

    assert not graph.meta["flow"].fixed
    assert not any(step.varies for step in graph.meta["flow"].steps)


def loop(self, x):
    for index in range(3):
        x = getattr(self, f"layer{index}")(x)
    return x


def in_place(self, x):
    y = self.fc(x)
    view = y[:, :2]
    y += 1
    y[:, -1] = 5
    y[x > 0] = 0
    view *= 2
    return y


def nested_functions(self, x):
    scale = x.mean()

    def inner(value):
        return value * scale

    return inner(self.fc(x)) + (lambda value: value - scale)(x)


def checkpointed(self, x):
    return checkpoint(lambda value: F.dropout(self.fc(value), 0.5), self.fc(x), use_reentrant=False)


def blocks(self, x):
    with torch.no_grad():
        y = self.fc(x)
        with torch.enable_grad():
            z = self.fc(x)
    with torch.inference_mode():
        w = self.fc(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        v = self.fc(x)
        with torch.autocast("cpu", enabled=False):
            return self.fc(v.float()) + y + z + w


def einsum(self, x):
    einops = pytest.importorskip("einops")
    return einops.einsum(x, self.fc.weight, "b i, o i -> b o") + einops.reduce(x, "b c -> b 1", "mean")


def asserts(self, x):
    torch._assert(x.shape[1] == 4, "four features")
    assert isinstance(x, Tensor) and x.dim() == 2 and len(x.shape) == 2
    return self.fc(x)


@torch.no_grad()
def frozen(layer, x):
    return layer(x)


@torch.jit.script
def scripted(x: Tensor) -> Tensor:
    return x * 2 if bool(x.sum() > 0) else x * 3


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x * factor

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.factor, None


LAYERS = {f"layer{index}": nn.Linear(4, 4) for index in range(3)}
FORWARDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "getattr": (loop, LAYERS),
    "module list": (lambda self, x: [x := layer(x) for layer in self.layers][-1], {"layers": nn.ModuleList(LAYERS.values())}),
    "module dict": (lambda self, x: sum(layer(x) for layer in self.layers.values()), {"layers": nn.ModuleDict(LAYERS)}),
    "parameters": (lambda self, x: x * self.scales[0] + self.scales[1] + self.fc.weight.sum(), {"scales": nn.ParameterList([torch.ones(4), torch.ones(4)])}),
    "in place": (in_place, {}),
    "input changed": (lambda self, x: self.fc(x.add_(1)) + x, {}),
    "closures": (nested_functions, {}),
    "checkpoint": (checkpointed, {}),
    "grad and autocast": (blocks, {}),
    "decorated": (lambda self, x: frozen(self.fc, x) + self.fc(x).detach(), {}),
    "einops": (einsum, {}),
    "assert": (asserts, {}),
    "batch walk": (lambda self, x: sum(part * index for index, part in enumerate(x.unbind(1))), {}),
    "len": (lambda self, x: self.fc(x).view(len(x), -1, 2), {}),
    "script": (lambda self, x: scripted(self.fc(x)), {}),
    "script module": (lambda self, x: self.part(x), {"part": torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.ReLU()))}),
    "function": (lambda self, x: Double.apply(self.fc(x), 3.0), {}),
    "vmap": (lambda self, x: torch.vmap(lambda row: row * row.sum())(self.fc(x)), {}),
    "multi": (lambda self, x: self.two(x, self.fc(x)), {"two": nn.Bilinear(4, 4, 2)}),
    "attention": (lambda self, x: self.mha(x[:, None], x[:, None], x[:, None])[0], {"mha": nn.MultiheadAttention(4, 2, dropout=0.5)}),
    "complex": (lambda self, x: torch.view_as_real(torch.fft.fft(self.fc(x)) * 1j), {}),
    "data": (lambda self, x: x + [self.fc.weight.data.mul_(0.5), self.fc(x)][1], {}),
    "masked": (lambda self, x: x[x > 0], {}),
}  # fmt: skip


@pytest.mark.parametrize("name", FORWARDS)
def test_what_forward_may_do(name):
    forward, parts = FORWARDS[name]
    assert_replays(made(forward, **parts), X, X3, X[:1])
    assert_replays(made(forward, **parts), X, X3, depth=0)


def test_buffers_that_forward_writes_in_place_are_written():
    def forward(self, x):
        self.norm.running_mean.lerp_(x.detach().mean(0), 0.1)
        return self.norm(self.fc(x))

    assert_replays(made(forward, norm=nn.BatchNorm1d(4)), X, X3)


def test_methods_and_properties_of_self():
    class Net(Layer):
        @property
        def scale(self):
            return self.fc.bias.exp()

        def body(self, x):
            return self.fc(x) * self.scale

        def forward(self, x):
            return self.body(self.body(x))

    assert_replays(Net(), X, X3)


class Pair(NamedTuple):
    first: Tensor
    second: Tensor


@dataclasses.dataclass
class Record:
    first: Tensor
    second: Tensor


@pytest.mark.parametrize("kind", [Pair, Record, collections.OrderedDict, dict, "ModelOutput", tuple])
def test_results_keep_their_kind(kind):
    if kind == "ModelOutput":
        kind = pytest.importorskip("transformers.modeling_outputs").BaseModelOutputWithPooling
        names = ["last_hidden_state", "pooler_output"]
    else:
        names = ["first", "second"]

    def forward(self, x):
        parts = dict(zip(names, (self.fc(x), x), strict=True))
        return tuple(parts.values()) if kind is tuple else kind(**parts)

    graph = assert_replays(made(forward), X, X3)

    assert type(graph(X)) is kind


def test_arguments_of_every_kind():
    class Net(Layer):
        def forward(self, x, pair, mask=None, *, scale, **more):
            y = self.fc(x) if mask is None else self.fc(x) * mask
            return y * scale + pair[0] - pair[1]["a"] + more["bias"]

    def inputs(x):
        return {"x": x, "pair": (x, {"a": x + 1}), "scale": x * 2, "bias": x.mean(0)}

    assert_replays(Net(), inputs(X), inputs(X3))
    assert_replays(Net(), {**inputs(X), "mask": X > 0}, {**inputs(X3), "mask": X3 > 0})


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", torch.bfloat16)])
def test_what_surrounds_the_graph_counts(around):
    def forward(self, x):
        with torch.autocast("cpu", enabled=False):
            y = self.fc(x)
        return self.fc(y) @ self.fc.weight

    net = made(forward)
    graph = trace(net, X)
    with around():
        expected, given = net.forward(X3), graph(X3)

    assert_same([expected], [given])


def test_hooks_weight_norm_parametrizations_and_lazy_layers():
    with contextlib.suppress(FutureWarning), pytest.warns(FutureWarning):
        old = torch.nn.utils.weight_norm(nn.Linear(4, 4))
    parts = {
        "old": old,
        "new": torch.nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)),
        "spectral": torch.nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)),
        "lazy": nn.LazyLinear(4),
    }
    parts["lazy"](X)
    net = made(lambda self, x: self.old(self.new(self.lazy(self.fc(x)))), **parts)
    net.fc.register_forward_pre_hook(lambda module, args: (args[0] * 2,))
    net.fc.register_forward_hook(lambda module, args, output: output + 1)

    assert_replays(net, X, X3)


def test_weights_are_shared_with_the_module():
    net = made(lambda self, x: self.fc(x) + self.other(x) @ self.fc.weight, other=nn.Linear(4, 4))
    net.other.weight = net.fc.weight
    graph = assert_replays(net, X, X3)
    with torch.no_grad():
        net.fc.weight.mul_(2)
        net.fc.bias.data = torch.ones(4)

    assert_same([net.forward(X3)], [graph(X3)])
    assert_same([net.double().forward(X3.double())], [graph(X3.double())])


@pytest.mark.parametrize(
    "decide",
    [
        lambda x: x.shape[2] % 2,
        lambda x: int(x.shape[2]),
        lambda x: float(x.shape[2] / 3),
        lambda x: min(x.shape[2], 9),
        lambda x: 2 if x.shape[2:] == (8, 8) else 3,
        lambda x: {8: 2}.get(x.shape[2], 5),
        lambda x: 2 if x.shape[2] in {8, 16} else 3,
        lambda x: x.shape[2] // 9 or 7,
    ],
)
def test_a_size_that_was_decided_on_is_checked_when_the_graph_runs(decide):
    net = made(lambda self, x: x * decide(x))
    graph = trace(net, IMAGE)

    for values in (IMAGE3, WIDE, torch.randn(1, 3, 7, 9)):
        try:
            given = graph(values)
        except AssertionError as error:
            assert "this graph holds where" in str(error)
        else:
            assert_same([net.forward(values)], [given])


class Decoder(nn.Module):
    """A small decoder, as llamas are: RMS norms, rotary positions, grouped attention, gated layers."""

    class Block(nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.norms = nn.ModuleList([nn.RMSNorm(width), nn.RMSNorm(width)])
            self.q, self.k, self.v, self.o, self.gate, self.up, self.down = (
                nn.Linear(width, width, bias=False) for _ in range(7)
            )
            self.heads = heads

        def turn(self, x, cos, sin):
            left, right = x.chunk(2, -1)
            return x * cos + torch.cat((-right, left), -1) * sin

        def forward(self, x, cos, sin):
            y = self.norms[0](x)
            q, k, v = (f(y).view(*y.shape[:2], self.heads, -1).transpose(1, 2) for f in (self.q, self.k, self.v))
            y = F.scaled_dot_product_attention(self.turn(q, cos, sin), self.turn(k, cos, sin), v, is_causal=True)
            x = x + self.o(y.transpose(1, 2).reshape(x.shape))
            y = self.norms[1](x)
            return x + self.down(F.silu(self.gate(y)) * self.up(y))

    def __init__(self, width=32, heads=4, layers=2):
        super().__init__()
        self.embed = nn.Embedding(50, width)
        self.blocks = nn.ModuleList(self.Block(width, heads) for _ in range(layers))
        self.head = nn.Linear(width, 50, bias=False)
        self.head.weight = self.embed.weight
        self.size = width // heads

    def forward(self, ids):
        rates = 1e4 ** -(torch.arange(0, self.size, 2, device=ids.device) / self.size)
        angles = torch.outer(torch.arange(ids.shape[1], device=ids.device), rates).repeat(1, 2)
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x, angles.cos(), angles.sin())
        return self.head(x)


def test_a_decoder_on_meta_is_traced_without_numbers():
    with torch.device("meta"):
        net = Decoder()
    graph = trace(net, torch.ones(2, 6, dtype=torch.int64), depth="full")

    assert graph.meta["flow"].opened == ("blocks.0", "blocks.1")
    assert not graph.meta["flow"].fixed
    assert graph(torch.ones(3, 9, dtype=torch.int64, device="meta")).shape == (3, 9, 50)
    assert all(item.is_meta for item in net.parameters())


def test_a_decoder_gives_the_same_numbers_and_gradients():
    ids = torch.randint(0, 50, (2, 6))

    assert_replays(Decoder(), ids, ids[:1], torch.randint(0, 50, (3, 11)))


# What is wrong today, each with the smallest model that shows it.


def force(self, x):
    with torch.enable_grad():
        return self.fc(x)


WRONG: dict[str, tuple[Any, dict[str, Any], tuple[Any, ...]]] = {
    "training= is followed": (lambda self, x: F.dropout(self.fc(x), 0.5, self.training), {}, (X,)),
    "training as a number": (lambda self, x: self.fc(x) * int(self.training), {}, (X,)),
    "another slope in train": (lambda self, x: F.leaky_relu(self.fc(x), 0.2 if self.training else 0.1), {}, (X,)),
    "a size that depends on values": (lambda self, x: self.fc(x) * x[x > 0].shape[0], {}, (X, -X.abs())),
    "a question about gradients": (lambda self, x: self.fc(x) * 2 if torch.is_grad_enabled() else self.fc(x), {}, (X,)),
    "a block of enable_grad": (force, {}, (X,)),
    "a layer set to eval": (lambda self, x: self.drop.eval()(self.fc(x)), {"drop": nn.Dropout()}, (X,)),
    "a rate that is set": (lambda self, x: [setattr(self.drop, "p", 0.1), self.drop(x)][1], {"drop": nn.Dropout()}, (X,)),
    "data that is set": (lambda self, x: [y := self.fc(x) * 1, setattr(y, "data", x), y + 1][2], {}, (X,)),
    "a seed that is set": (lambda self, x: [torch.manual_seed(5), self.fc(x) + torch.rand(4)][1], {}, (X,)),
    "a generator": (lambda self, x: x + torch.rand(4, generator=torch.Generator().manual_seed(5)), {}, (X,)),
    "chunks of the batch": (lambda self, x: torch.cat([self.fc(part) for part in x.split(16)]), {}, (X, torch.randn(20, 4))),
    "a bit of a size": (lambda self, x: self.fc(x) * (1 + (x.shape[0] >> 4)), {}, (X, torch.randn(20, 4))),
    "a number among the results": (lambda self, x: (self.fc(x), 0.5 * len(x.shape * x.shape[0])), {}, (X, X3)),
    "a mode among the results": (lambda self, x: (self.fc(x), self.training), {}, (X,)),
    "a tensor held by a function": (lambda self, x: torch.vmap(lambda row, y=x: row * y.sum())(self.fc(x)), {}, (X, X3)),
    "a weight inside vmap": (lambda self, x: torch.vmap(lambda row: self.fc(row))(x), {}, (X,)),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_other_numbers_are_never_given(name):
    forward, parts, inputs = WRONG[name]
    around = torch.no_grad if "grad" in name else contextlib.nullcontext
    net = made(forward, **parts)
    with contextlib.suppress(Refusal, AssertionError):
        graph = trace(net, inputs[0])
        for training in (False, True):
            for values in inputs:
                with around():
                    reference = copied(net).train(training)
                    expected = call(reference.forward, {"x": values})
                    given = call(graph.train(training), {"x": values})
                if not matches(expected, given) or not matches(gradients(expected, reference), gradients(given, net)):
                    pytest.fail("other numbers")


def matches(left: list[Any], right: list[Any]) -> bool:
    try:
        assert_same(left, right)
    except AssertionError:
        return False
    return True


def test_a_plain_tuple_given_as_input_is_no_shape():
    def forward(self, x, size=(2, 2)):
        return self.fc(x).view(-1, *size)

    net = made(forward)
    graph = trace(net, {"x": X, "size": (2, 2)})

    assert torch.equal(graph(X3, (2, 2)), net(X3, (2, 2)))
    with pytest.raises(AssertionError, match="holds where size is"):
        graph(X3, (1, 4))
