"""Where kinds of change apply: classes of layers, and calls, operators and statements of a source."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ..edit import Edit
from ..source import Source, callee, dotted

__all__ = [
    "ACTIVATIONS",
    "BATCH_NORMS",
    "BLOCKS",
    "CONVS",
    "DRAWING",
    "DROPOUTS",
    "FUNCTIONS",
    "INSTANCE_NORMS",
    "NORMALISED",
    "NORMS",
    "SHAPED",
    "Edits",
    "buffers",
    "entries",
    "even",
    "layer_calls",
    "made",
    "mentions",
    "operators",
    "renamed_method",
    "returns",
    "setup",
    "unwrapped",
]

Edits = Sequence[Edit]

BATCH_NORMS = tuple(f"nn.BatchNorm{n}d" for n in (1, 2, 3))
INSTANCE_NORMS = tuple(f"nn.InstanceNorm{n}d" for n in (1, 2, 3))
CONVS = tuple(f"nn.Conv{n}d" for n in (1, 2, 3))
DROPOUTS = ("nn.Dropout", "nn.Dropout1d", "nn.Dropout2d", "nn.Dropout3d", "nn.AlphaDropout")
SHAPED = ("F.relu", "F.gelu", "F.silu", "F.elu", "F.selu", "F.softplus", "F.hardsigmoid", "F.leaky_relu", "F.hardtanh")
FUNCTIONS = (*SHAPED, "torch.tanh", "torch.sigmoid", "torch.relu", "torch.exp", "torch.abs", "torch.sqrt")
NORMALISED = ("F.softmax", "torch.softmax", "F.log_softmax", "F.normalize", "F.layer_norm", "F.local_response_norm")
LAYERS = "ReLU ReLU6 LeakyReLU GELU SiLU ELU Tanh Softplus Hardswish PReLU LogSoftmax"
ACTIVATIONS = tuple(f"nn.{name}" for name in LAYERS.split())
NORMS = (*BATCH_NORMS, *INSTANCE_NORMS, "nn.GroupNorm", "nn.LayerNorm")
BLOCKS = ("nn.Conv1d", "nn.Conv2d", "nn.Conv3d", "nn.Linear", *NORMS)
DRAWING = ("nn.Linear", *CONVS, "nn.Embedding", "nn.Bilinear", "nn.LSTM", "nn.GRU", "nn.LSTMCell", "nn.GRUCell")


def layer_calls(source: Source, *kinds: str) -> Iterator[ast.Call]:
    """Calls of layers of these classes by their attribute."""
    for node in source.nodes:
        if isinstance(node, ast.Call) and node.args and source.computing(node) and source.layer(node) is not None:
            if source.kind(node) in kinds:
                yield node


def entries(source: Source) -> Iterator[list[ast.expr]]:
    """The arguments of each nn.Sequential that lists its layers."""
    for call in source.calls("nn.Sequential"):
        if call.args and not any(isinstance(item, ast.Starred) for item in call.args):
            yield call.args


def unwrapped(source: Source, call: ast.Call) -> Edit:
    """The first argument instead of the call."""
    return source.replace(call, source.atom(call.args[0]))


def operators(source: Source, *signs: type[ast.operator]) -> Iterator[ast.BinOp]:
    """Operators that run at each call, on tensors as far as can be seen: neither side is a number."""
    for node in source.nodes:
        if isinstance(node, ast.BinOp) and isinstance(node.op, signs) and source.computing(node):
            if not any(isinstance(side, ast.Constant) for side in (node.left, node.right)):
                yield node


def even(source: Source, node: ast.BinOp) -> bool:
    """Whether a difference is squared, or its sign taken away: then it can be turned."""
    parent = source.parent[node]
    if isinstance(parent, ast.Attribute):
        return parent.attr == "pow"
    if isinstance(parent, ast.BinOp):
        return isinstance(parent.op, ast.Pow)
    return callee(parent) == "torch.abs"


def returns(source: Source) -> Iterator[ast.Return]:
    """The return statements of the network's own forward."""
    forward = source.method(source.classes[-1], "forward")
    for node in source.inside(forward):
        if isinstance(node, ast.Return) and node.value is not None:
            yield node


def made(source: Source, owner: ast.ClassDef) -> list[tuple[str, ast.Assign]]:
    """The statements of a constructor that make a layer, in order."""
    return [(name, item) for name, item in source.attributes(owner).items() if isinstance(item.value, ast.Call)]


def setup(source: Source) -> Iterator[ast.stmt]:
    """All simple statements of constructors."""
    for function in source.constructors():
        for node in source.inside(function):
            if isinstance(node, ast.Expr | ast.Assign):
                yield node


def buffers(source: Source) -> Iterator[tuple[ast.Expr, ast.Call, str]]:
    for node in setup(source):
        if isinstance(node, ast.Expr) and callee(node.value) == "self.register_buffer":
            yield node, node.value, node.value.args[0].value


def mentions(source: Source, owner: ast.ClassDef, name: str) -> list[ast.Attribute]:
    """Where a class, or a class made of it, says `self.name`."""
    return [
        node
        for node in source.nodes
        if isinstance(node, ast.Attribute) and dotted(node) == f"self.{name}" and source.owner(node) is owner
    ]


def renamed_method(source: Source, call: ast.Call, name: str) -> Edit:
    end = source.end(call.func)
    return Edit(end - len(call.func.attr), end, name)
