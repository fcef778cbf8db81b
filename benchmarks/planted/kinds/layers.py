"""Layers and functions that are lost, added or of another kind."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..mutant import kind
from ..source import Source, callee
from .sites import ACTIVATIONS, BLOCKS, DROPOUTS, FUNCTIONS, NORMALISED, NORMS, Edits, entries, layer_calls, unwrapped

__all__: list[str] = []


@kind("activation lost")
def lost_function(source: Source) -> Iterator[Edits]:
    for call in source.calls(*FUNCTIONS):
        if source.computing(call):
            yield [unwrapped(source, call)]
    for call in layer_calls(source, *ACTIVATIONS):
        yield [unwrapped(source, call)]


@kind("normalisation lost")
def lost_norm(source: Source) -> Iterator[Edits]:
    for call in source.calls(*NORMALISED):
        if source.computing(call):
            yield [unwrapped(source, call)]
    for call in layer_calls(source, *NORMS):
        yield [unwrapped(source, call)]


@kind("dropout lost")
def lost_dropout(source: Source) -> Iterator[Edits]:
    for call in [*source.calls("F.dropout"), *layer_calls(source, *DROPOUTS)]:
        yield [unwrapped(source, call)]


@kind("layer lost")
def lost_layer(source: Source) -> Iterator[Edits]:
    """A layer that keeps the shape, judged by whether the network still runs."""
    for call in layer_calls(source, "nn.Linear", "nn.Conv1d", "nn.Conv2d", "nn.Conv3d"):
        layer = source.layer(call)
        sizes = [source.of(item) for item in layer.args[:2]]
        if len(sizes) == 2 and sizes[0] == sizes[1]:
            yield [unwrapped(source, call)]


@kind("pooling lost")
def lost_pool(source: Source) -> Iterator[Edits]:
    layers = layer_calls(source, "nn.MaxPool2d", "nn.MaxPool3d", "nn.AvgPool2d")
    for call in [*source.calls("F.max_pool2d", "F.avg_pool2d"), *layers]:
        yield [unwrapped(source, call)]


@kind("entry of a Sequential lost")
def lost_entry(source: Source) -> Iterator[Edits]:
    for layers in entries(source):
        for index, layer in enumerate(layers):
            if callee(layer) in (*ACTIVATIONS, *DROPOUTS):
                yield [source.without(layers, index)]


@kind("activation added")
def added_activation(source: Source) -> Iterator[Edits]:
    for call in layer_calls(source, *BLOCKS):
        parent = source.parent[call]
        if not isinstance(parent, ast.Call) or source.kind(parent) not in (*FUNCTIONS, *ACTIVATIONS):
            yield [source.replace(call, f"torch.tanh({source.of(call)})")]


@kind("relu6 for relu")
def relu6(source: Source) -> Iterator[Edits]:
    for call in source.calls("F.relu", "nn.ReLU"):
        yield [source.replace(call.func, "F.relu6" if source.of(call.func) == "F.relu" else "nn.ReLU6")]


@kind("relu for relu6 or a leaky one")
def plain_relu(source: Source) -> Iterator[Edits]:
    for call in source.calls("nn.ReLU6", "nn.LeakyReLU", "nn.ELU", "nn.PReLU", "nn.SiLU", "nn.Hardswish"):
        yield [source.replace(call, "nn.ReLU()")]
    for call in source.calls("F.leaky_relu", "F.silu", "F.elu", "F.selu"):
        yield [source.replace(call, f"F.relu({source.of(call.args[0])})")]


@kind("leaky relu for relu")
def leaky_relu(source: Source) -> Iterator[Edits]:
    for call in source.calls("F.relu", "nn.ReLU"):
        # nn.ReLU(True) is in place; the first argument of nn.LeakyReLU is something else
        if not call.keywords and not (call.args and callee(call) == "nn.ReLU"):
            yield [source.replace(call.func, "F.leaky_relu" if callee(call) == "F.relu" else "nn.LeakyReLU")]


@kind("another activation")
def other_activation(source: Source) -> Iterator[Edits]:
    others = {
        "F.relu": "F.gelu",
        "F.gelu": "F.relu",
        "F.silu": "F.hardswish",
        "F.selu": "F.elu",
        "F.elu": "F.selu",
        "F.softplus": "torch.exp",
        "F.hardsigmoid": "torch.sigmoid",
        "torch.tanh": "F.softsign",
        "torch.sigmoid": "F.hardsigmoid",
        "F.softmax": "F.softmin",
        "F.log_softmax": "F.softmax",
    }
    for call in source.calls(*others):
        if source.computing(call) and all(keyword.arg == "dim" for keyword in call.keywords):
            yield [source.replace(call.func, others[source.of(call.func)])]
    for call in source.calls("nn.GELU", "nn.Tanh", "nn.LogSoftmax", "nn.Hardswish"):
        found = {"nn.GELU": "nn.SiLU()", "nn.Tanh": "nn.Hardtanh()", "nn.Hardswish": "nn.SiLU()"}
        yield [source.replace(call, found.get(source.of(call.func), "nn.Softmax(dim=-1)"))]


@kind("pooling of another kind")
def other_pool(source: Source) -> Iterator[Edits]:
    for node in source.nodes:
        name = source.of(node) if isinstance(node, ast.Attribute) else ""
        if name.startswith(("nn.MaxPool", "F.max_pool", "F.adaptive_max_pool", "nn.AdaptiveMaxPool")):
            yield [source.replace(node, name.replace("Max", "Avg").replace("max_pool", "avg_pool"))]
        elif name.startswith(("nn.AvgPool", "F.avg_pool", "F.adaptive_avg_pool", "nn.AdaptiveAvgPool")):
            yield [source.replace(node, name.replace("Avg", "Max").replace("avg_pool", "max_pool"))]


@kind("norm of another kind")
def other_norm(source: Source) -> Iterator[Edits]:
    for call in source.calls("nn.BatchNorm2d", "nn.GroupNorm"):
        if "self.frozen" in source.of(source.statement(call)):
            continue
        if source.of(call.func) == "nn.BatchNorm2d":
            size = source.of(call.args[0])
            yield [source.replace(call, f"nn.InstanceNorm2d({size}, affine=True, track_running_stats=True)")]
        elif call.args:
            yield [source.replace(call, f"nn.BatchNorm2d({source.of(call.args[1])})")]


@kind("layer called once more")
def called_again(source: Source) -> Iterator[Edits]:
    """The same layer once more on its own result, where the sizes allow it."""
    for call in layer_calls(source, *BLOCKS):
        layer = source.layer(call)
        sizes = [source.of(item) for item in layer.args[:2]]
        if callee(layer) not in BLOCKS[:4] or (len(sizes) == 2 and sizes[0] == sizes[1]):
            yield [source.replace(call, f"{source.of(call.func)}({source.of(call)})")]
