"""Refactors of single calls: the same operations, spelled otherwise."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ..edit import Edit
from ..mutant import kind
from ..source import Source, callee, dotted, names_in
from .sites import ACTIVATIONS, BATCH_NORMS, CONVS, Edits, layer_calls, operators

__all__: list[str] = []

MODULES = {
    "F.relu": "nn.ReLU",
    "F.gelu": "nn.GELU",
    "F.silu": "nn.SiLU",
    "F.elu": "nn.ELU",
    "F.selu": "nn.SELU",
    "F.softplus": "nn.Softplus",
    "F.leaky_relu": "nn.LeakyReLU",
    "F.hardsigmoid": "nn.Hardsigmoid",
    "torch.tanh": "nn.Tanh",
    "torch.sigmoid": "nn.Sigmoid",
    "F.softmax": "nn.Softmax",
    "F.log_softmax": "nn.LogSoftmax",
    "F.max_pool2d": "nn.MaxPool2d",
    "F.avg_pool2d": "nn.AvgPool2d",
    "F.adaptive_avg_pool2d": "nn.AdaptiveAvgPool2d",
    "F.interpolate": "nn.Upsample",
    "F.local_response_norm": "nn.LocalResponseNorm",
}


def as_module(source: Source, call: ast.Call, module: str) -> Edits | None:
    """A call of a function replaced by one of a module, which the constructor makes last."""
    owner, function = source.owner(call), source.function(call)
    constructor = source.method(owner, "__init__") if owner is not None else None
    if constructor is None or function is None or not source.computing(call):
        return None
    arguments = ", ".join(source.of(item) for item in [*call.args[1:], *call.keywords])
    if re.search(r"self\.|x\.size", arguments):
        return None
    name = source.fresh(module.removeprefix("nn.").lower())
    return [
        source.after(constructor.body[-1], f"self.{name} = {module}({arguments})"),
        source.replace(call, f"self.{name}({source.of(call.args[0])})"),
    ]


@kind("function as a module", "equivalent")
def function_as_module(source: Source) -> Iterator[Edits]:
    for name, module in MODULES.items():
        for call in source.calls(name):
            found = as_module(source, call, module)
            if found:
                yield found


@kind("F.dropout as a module", "equivalent")
def dropout_as_module(source: Source) -> Iterator[Edits]:
    for call in source.calls("F.dropout"):
        value = source.argument(call, "training", 2)
        owner = source.owner(call)
        constructor = source.method(owner, "__init__")
        given = source.of(source.argument(call, "p", 1))
        if value is not None and constructor is not None and "self." not in given:
            name = source.fresh("dropped")
            yield [
                source.after(constructor.body[-1], f"self.{name} = nn.Dropout({given})"),
                source.replace(call, f"self.{name}({source.of(call.args[0])})"),
            ]


@kind("module as a function", "equivalent")
def module_as_function(source: Source) -> Iterator[Edits]:
    functions = {module: name for name, module in MODULES.items() if module in ACTIVATIONS}
    for call in layer_calls(source, *functions):
        layer = source.layer(call)
        text = ", ".join(source.of(item) for item in [call.args[0], *layer.args, *layer.keywords])
        function = functions[callee(layer)].replace("F.", "nn.functional.")
        if not any(isinstance(item, ast.Name) for item in layer.args):
            yield [source.replace(call, f"{function}({text})")]
    for call in layer_calls(source, "nn.Dropout"):
        given = source.argument(source.layer(call), "p", 0)
        if isinstance(given, ast.Constant):
            arguments = f"{source.of(call.args[0])}, {source.of(given)}, self.training"
            yield [source.replace(call, f"nn.functional.dropout({arguments})")]


@kind("flatten for view", "equivalent")
def flatten(source: Source) -> Iterator[Edits]:
    for call in source.calls("torch.flatten"):
        name = source.of(call.args[0])
        if name.isidentifier():
            yield [source.replace(call, f"{name}.reshape({name}.size(0), -1)")]
            yield [source.replace(call, f"{name}.flatten(1)")]
    for call in source.methods("view", "reshape"):
        receiver = source.receiver(call)
        if [source.of(item) for item in call.args] in ([f"{receiver}.size(0)", "-1"], [f"{receiver}.shape[0]", "-1"]):
            yield [source.replace(call, f"torch.flatten({receiver}, 1)")]
    for call in source.methods("flatten"):
        if source.computing(call):
            arguments = ", ".join(source.of(item) for item in call.args)
            yield [source.replace(call, f"torch.flatten({source.receiver(call)}, {arguments})")]


@kind("keywords for positions", "equivalent")
def keywords(source: Source) -> Iterator[Edits]:
    names = {
        **dict.fromkeys(CONVS, ("in_channels", "out_channels", "kernel_size")),
        **dict.fromkeys(BATCH_NORMS, ("num_features",)),
        "nn.Linear": ("in_features", "out_features"),
        "nn.LayerNorm": ("normalized_shape",),
        "nn.Embedding": ("num_embeddings", "embedding_dim"),
        "F.max_pool2d": ("input", "kernel_size"),
        "torch.flatten": ("input", "start_dim"),
        "torch.cat": ("tensors",),
    }
    for call in source.calls(*names):
        parts = names[source.of(call.func)]
        if call.args and len(call.args) <= len(parts) and not any(isinstance(item, ast.Starred) for item in call.args):
            given = zip(parts, call.args, strict=False)
            yield [Edit(source.start(item), source.start(item), f"{name}=") for name, item in given]


@kind("function for an operator", "equivalent")
def operator_function(source: Source) -> Iterator[Edits]:
    functions = {ast.Add: "add", ast.Mult: "mul", ast.Sub: "sub", ast.MatMult: "matmul"}
    for node in operators(source, *functions):
        left, right = source.operands(node)
        # what comes first must be a tensor: not a sum of numbers, and no name that is one
        if names_in(node.left) and not left.startswith(("self.scale", "weight", "math.")):
            yield [source.replace(node, f"torch.{functions[type(node.op)]}({left}, {right})")]


@kind("nested call taken apart", "equivalent")
def apart(source: Source) -> Iterator[Edits]:
    """`y = f(g(x))` becomes two statements."""
    for node in source.running(ast.Assign, ast.Return):
        if callee(node.value) and node.value.args and isinstance(node.value.args[0], ast.Call):
            inner, name = node.value.args[0], source.fresh("step")
            yield [source.before(node, f"{name} = {source.of(inner)}"), source.replace(inner, name)]


@kind("statements joined", "equivalent")
def joined(source: Source) -> Iterator[Edits]:
    """`y = g(x); y = f(y)` becomes one statement."""
    for node in source.running(ast.Assign):
        following, name = source.following(node), dotted(node.targets[0])
        call = following.value if isinstance(following, ast.Assign | ast.Return) else None
        if not (isinstance(node.value, ast.Call) and isinstance(call, ast.Call) and call.args):
            continue
        ends = isinstance(following, ast.Return) or dotted(following.targets[0]) == name
        once = len(re.findall(rf"\b{name}\b", source.of(call))) == 1
        if ends and once and dotted(call.args[0]) == name != "":
            yield [source.deleted(node), source.replace(call.args[0], source.of(node.value))]


@kind("function of another namespace", "equivalent")
def namespace(source: Source) -> Iterator[Edits]:
    others = {
        "F.relu": "torch.relu",
        "F.softmax": "torch.softmax",
        "torch.softmax": "nn.functional.softmax",
        "torch.cat": "torch.concat",
        "torch.sigmoid": "torch.special.expit",
        "torch.flatten": "torch.Tensor.flatten",
        "F.log_softmax": "torch.log_softmax",
    }
    for call in source.calls(*others):
        if not any(keyword.arg == "inplace" for keyword in call.keywords):
            yield [source.replace(call.func, others[callee(call)])]
    for call in source.calls("torch.tanh", "torch.sqrt", "torch.exp", "torch.sigmoid", "F.relu"):
        if len(call.args) == 1 and not call.keywords and source.computing(call):
            yield [source.replace(call, f"{source.atom(call.args[0])}.{source.of(call.func).split('.')[1]}()")]
    for call in source.methods("mean", "sum", "transpose", "masked_fill", "squeeze", "unsqueeze"):
        if source.computing(call):
            rest = source.text[source.end(call.func) + 1 : source.end(call)]
            yield [source.replace(call, f"torch.{call.func.attr}({source.receiver(call)}, {rest}")]


@kind("number with a name", "equivalent")
def named_number(source: Source) -> Iterator[Edits]:
    start = source.start(source.classes[0])
    for node in source.nodes:
        if isinstance(node, ast.Constant) and type(node.value) in (int, float) and source.owner(node) is not None:
            if not isinstance(source.statement(node), ast.FunctionDef):
                name = source.fresh("NUMBER")
                yield [Edit(start, start, f"{name} = {source.of(node)}\n\n\n"), source.replace(node, name)]


@kind("result named before it is returned", "equivalent")
def named_result(source: Source) -> Iterator[Edits]:
    for node in source.running(ast.Return):
        if not isinstance(node.value, ast.Name | None):
            name = source.fresh("result")
            yield [source.replace(node, f"{name} = {source.of(node.value)}\n{source.indent(node)}return {name}")]


@kind("condition turned with its branches", "equivalent")
def turned(source: Source) -> Iterator[Edits]:
    for node in source.nodes:
        if isinstance(node, ast.IfExp):
            body, test, orelse = (source.of(item) for item in (node.body, node.test, node.orelse))
            yield [source.replace(node, f"{orelse} if not ({test}) else {body}")]
        elif isinstance(node, ast.If) and source.computing(node) and not node.orelse:
            yield [source.replace(node.test, f"not (not ({source.of(node.test)}))")]
