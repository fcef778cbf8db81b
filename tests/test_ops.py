"""The functions-to-modules table: every row in every spelling, and the conditions of the rows."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn

import seqify
from seqify.ops import HELPERS, OPS, Op
from seqify.ops.table import Signature, _resolve, lookup
from seqify.report import Report

IMAGE = "4,4,8,8"
MATRIX = "4,8"
SEQUENCE = "4,4,16"
VOLUME = "4,4,4,4,4"

# What a layer in front of the call takes and gives, by the shape of the call's input.
FRONT = {
    MATRIX: "nn.Linear(8, 8)",
    SEQUENCE: "nn.Conv1d(4, 4, 1)",
    IMAGE: "nn.Conv2d(4, 4, 1)",
    VOLUME: "nn.Conv3d(4, 4, 1)",
}

# Typical arguments by parameter name, as a user writes them.
ARGUMENTS = {
    "alpha": "alpha=0.5",
    "negative_slope": "0.2",
    "min_val": "-0.5",
    "max_val": "0.5",
    "approximate": "approximate='tanh'",
    "beta": "beta=2",
    "lambd": "0.3",
    "kernel_size": "2",
    "output_size": "2",
    "norm_type": "2.0",
    "normalized_shape": "(8,)",
    "size": "size=3",
    "dim": "1",
    "sizes": "(2, -1)",
    "dim0": "0",
    "dim1": "1",
    "upscale_factor": "2",
    "downscale_factor": "2",
    "groups": "2",
    "min": "min=-0.5",
    "max": "max=0.5",
    "value": "0.5",
    "exponent": "2",
    "*dims": "1, 0",
    "*shape": "2, -1",
    "pad": "(1, 1, 1, 1)",
    "p": "p=0.3",
}
LEFT_OUT = {
    "inplace", "stride", "padding", "dilation", "ceil_mode", "return_indices", "count_include_pad", "divisor_override",
    "_stacklevel", "dtype", "weight", "bias", "eps", "k", "out", "start_dim", "end_dim", "keepdim", "memory_format",
    "mode", "align_corners", "recompute_scale_factor", "antialias", "scale_factor", "training", "train",
}  # fmt: skip

# Rows whose typical arguments differ from the above, or whose input does.
SPECIAL = {
    "nn.Threshold": ("0.1, -1.0", MATRIX),
    "nn.GLU": ("1", MATRIX),
    "nn.Softplus": ("2, 10", MATRIX),
    "nn.LocalResponseNorm": ("2, alpha=0.1", IMAGE),
    "Normalize": ("p=2.0, dim=1", MATRIX),
    "nn.Flatten": ("1", IMAGE),
    "nn.Unflatten": ("1, (2, 4)", MATRIX),
    "nn.ZeroPad2d": ("(1, 1, 1, 1)", IMAGE),
    "nn.Upsample": ("scale_factor=2", IMAGE),
    "nn.PixelShuffle": ("2", IMAGE),
    "nn.PixelUnshuffle": ("2", IMAGE),
    "nn.ChannelShuffle": ("2", IMAGE),
    "nn.Unfold": ("2", IMAGE),
    "nn.Fold": ("(4, 4), kernel_size=2, stride=2", "4,8,4"),
    "nn.FeatureAlphaDropout": ("p=0.3", IMAGE),
    "Squeeze": ("1", MATRIX),
    "Unsqueeze": ("1", MATRIX),
    "Mean": ("1", IMAGE),
    "Sum": ("(2, 3)", IMAGE),
    "Permute": ("1, 0", MATRIX),
    "Log": ("", MATRIX),
    "Sqrt": ("", MATRIX),
}

# Spellings that are known not to give "equivalent" by themselves, each with the reason.
KNOWN = {
    "torch.adaptive_max_pool1d": ("SQ203", "returns the indices too, whatever it is asked"),
}


def spelling(op: Op, signature: Signature) -> tuple[str, str]:
    """A call of a function on `x`, and the shape of its input."""
    rank = re.search(r"([123])d$", op.module)
    shape = {"1": SEQUENCE, "2": IMAGE, "3": VOLUME}[rank[1]] if rank else MATRIX
    if op.module in SPECIAL:
        arguments, shape = SPECIAL[op.module]
    else:
        arguments = ", ".join(ARGUMENTS[name] for name in signature.parameters if name not in LEFT_OUT)
    if op.builder == "dropout":
        flag = "train" if "train" in signature.parameters else "training"
        arguments = f"0.3, {flag}=self.training"
    if (op.module, signature.function) == ("Reshape", "torch.reshape"):
        arguments = "(2, -1)"
    if (op.module, signature.function) == ("Permute", "torch.permute"):
        arguments = "(1, 0)"
    space, _, name = signature.function.partition(".")
    if name in OPERATORS:
        return OPERATORS[name], shape
    if space == "Tensor":
        return f"x.{name}({arguments})", shape
    return f"{space}.{name}(x{', ' if arguments else ''}{arguments})", shape


OPERATORS = {
    "__neg__": "-x",
    "__add__": "x + 0.5",
    "__radd__": "0.5 + x",
    "__sub__": "x - 0.5",
    "__rsub__": "0.5 - x",
    "__mul__": "x * 0.5",
    "__rmul__": "0.5 * x",
    "__truediv__": "x / 0.5",
    "__pow__": "x ** 2",
}


def net(call: str, shape: str = MATRIX, extra: str = "", before: str = "x = self.layer(x)") -> str:
    front = FRONT.get(shape, "nn.Linear(4, 4)")
    return f"""
import math
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.functional import relu


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = {front}
        {extra or "pass"}

    def forward(self, x):
        {before}
        return {call}
""".replace("        pass\n", "")


@pytest.fixture
def convert(write) -> Callable[..., Report]:
    """`convert(call, shape)` converts a class whose forward is one layer and then the call."""

    def run(call: str, shape: str = MATRIX, layout: str = "flat", **options: str) -> Report:
        path = write(net(call, shape, **options))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own, about deprecated spellings
            return seqify.convert(f"{path}:Net", [shape], layout=layout, dtypes=[torch.float32], devices=["cpu"])

    return run


def layers(report: Report) -> list[str]:
    return [layer.constructor for chain in report.chains for layer in chain.layers]


def codes(report: Report) -> list[str]:
    return [item.code for item in report.diagnostics if item.code not in ("SQ607", "SQ604", "SQ501")]


ROWS = [
    pytest.param(op, signature, id=f"{op.module}-{signature.function}")
    for op in OPS
    if not op.module.startswith("nn.") or hasattr(nn, op.module[3:])
    for signature in op.signatures
    if _resolve(signature.function) is not None
]


@pytest.mark.parametrize(("op", "signature"), ROWS)
def test_every_spelling_of_every_row_converts(convert, op, signature):
    call, shape = spelling(op, signature)
    before = "x = self.layer(x)"
    if op.module in ("Log", "Sqrt"):
        before = "x = F.softplus(self.layer(x))"
    if signature.function in KNOWN:
        with pytest.raises(seqify.Refusal, match=KNOWN[signature.function][0]):
            convert(call, shape, before=before)
        return
    report = convert(call, shape, before=before)

    assert report.status == "equivalent", [item for item in report.checks if not item.ok]
    made = layers(report)[-1].partition("(")[0]
    if op.module not in ("View", "Reshape"):
        assert made == op.module


def test_every_row_is_found_by_its_functions():
    for op in OPS:
        for signature in op.signatures:
            function = _resolve(signature.function)
            if function is not None and (not op.module.startswith("nn.") or hasattr(nn, op.module[3:])):
                found = lookup(function)
                assert found is not None and found[0].module == op.module, signature.function


def test_every_module_of_the_table_exists():
    for op in OPS:
        known = op.module in HELPERS or hasattr(nn, op.module.removeprefix("nn."))
        assert known or op.module == "nn.RMSNorm", op.module


def test_an_unhashable_function_has_no_row():
    assert lookup([]) is None
    assert lookup(print) is None


@pytest.mark.parametrize("name", HELPERS)
def test_helpers_are_modules_of_their_name(name):
    helper = HELPERS[name]
    space = {"torch": torch, "nn": nn}
    exec(helper.text, space)

    assert issubclass(space[name], nn.Module)
    assert space[name].__doc__
    assert "seqify" not in helper.text


# -- arguments


@pytest.mark.parametrize(
    ("call", "shape", "layer"),
    [
        ("F.max_pool2d(x, 2)", IMAGE, "nn.MaxPool2d(2)"),
        ("F.max_pool2d(x, 2, stride=1)", IMAGE, "nn.MaxPool2d(2, stride=1)"),
        ("F.max_pool2d(x, kernel_size=(2, 2), stride=2)", IMAGE, "nn.MaxPool2d(kernel_size=(2, 2), stride=2)"),
        ("F.max_pool2d(x, 3, 2, 1, 1, True)", IMAGE, "nn.MaxPool2d(3, 2, 1, 1, ceil_mode=True)"),
        ("F.max_pool2d(input=x, kernel_size=2)", IMAGE, "nn.MaxPool2d(kernel_size=2)"),
        ("F.avg_pool2d(x, 2, 2, 0, False, False)", IMAGE, "nn.AvgPool2d(2, 2, 0, False, False)"),
        ("F.leaky_relu(x, 0.2, True)", MATRIX, "nn.LeakyReLU(0.2, True)"),
        ("F.relu(x, inplace=True)", MATRIX, "nn.ReLU(inplace=True)"),
        ("F.relu(x, False)", MATRIX, "nn.ReLU(False)"),
        ("relu(x)", MATRIX, "nn.ReLU()"),
        ("F.elu(x, alpha=math.pi / 4)", MATRIX, "nn.ELU(alpha=math.pi / 4)"),
        ("F.hardtanh(x, max_val=2., min_val=-1.)", MATRIX, "nn.Hardtanh(max_val=2., min_val=-1.)"),
        ("F.gelu(x, approximate='tanh')", MATRIX, "nn.GELU(approximate='tanh')"),
        ("F.softmax(x, dim=-1)", MATRIX, "nn.Softmax(dim=-1)"),
        ("x.softmax(1)", MATRIX, "nn.Softmax(1)"),
        ("F.layer_norm(x, (8,), eps=1e-3)", MATRIX, "nn.LayerNorm((8,), eps=1e-3, elementwise_affine=False)"),
        ("F.interpolate(x, scale_factor=2, mode='bilinear', align_corners=False)", IMAGE,
         "nn.Upsample(scale_factor=2, mode='bilinear', align_corners=False)"),
        ("F.interpolate(x, (4, 4))", IMAGE, "nn.Upsample((4, 4))"),
        ("F.dropout(x, 0.3, self.training)", MATRIX, "nn.Dropout(0.3)"),
        ("F.dropout(x, training=self.training)", MATRIX, "nn.Dropout()"),
        ("F.dropout(x, 0.3, self.training, True)", MATRIX, "nn.Dropout(0.3, inplace=True)"),
        ("F.dropout(x, p=0.3, training=self.training, inplace=True)", MATRIX, "nn.Dropout(p=0.3, inplace=True)"),
        ("torch.flatten(x, 1)", IMAGE, "nn.Flatten()"),
        ("torch.flatten(x, start_dim=1)", IMAGE, "nn.Flatten()"),
        ("torch.flatten(x, 1, -1)", IMAGE, "nn.Flatten()"),
        ("torch.flatten(x, 2)", IMAGE, "nn.Flatten(2)"),
        ("x.flatten(1, 2)", IMAGE, "nn.Flatten(1, 2)"),
        ("x.flatten()", IMAGE, "nn.Flatten(0)"),
        ("x.flatten(end_dim=1)", IMAGE, "nn.Flatten(0, end_dim=1)"),
        ("x.permute((0, 2, 3, 1))", IMAGE, "Permute(0, 2, 3, 1)"),
        ("x.permute([0, 2, 3, 1])", IMAGE, "Permute(0, 2, 3, 1)"),
        ("x.transpose(dim0=1, dim1=2)", IMAGE, "Transpose(dim0=1, dim1=2)"),
        ("x.mean([2, 3])", IMAGE, "Mean((2, 3))"),
        ("x.mean([1])", IMAGE, "Mean((1,))"),
        ("x.mean(dim=(2, 3), keepdim=True)", IMAGE, "Mean(dim=(2, 3), keepdim=True)"),
        ("torch.mean(x, dim=1)", IMAGE, "Mean(dim=1)"),
        ("x.clamp(0, 6)", MATRIX, "Clamp(0, 6)"),
        ("x.clamp(max=1)", MATRIX, "Clamp(max=1)"),
        ("x ** 2", MATRIX, "Power(2)"),
        ("1 - x", MATRIX, "SubtractFrom(1)"),
        ("2 * x", MATRIX, "Multiply(2)"),
        ("x * (3 / 2)", MATRIX, "Multiply(3 / 2)"),
        ("x / math.sqrt(8)", MATRIX, "Divide(math.sqrt(8))"),
        ("-x", MATRIX, "Negative()"),
    ],
)  # fmt: skip
def test_arguments_are_kept_as_written(convert, call, shape, layer):
    report = convert(call, shape)

    assert report.status == "equivalent"
    assert layers(report)[-1] == layer


@pytest.mark.parametrize("call", ["torch.relu(input=x)", "torch.sigmoid(input=x)"])
def test_the_input_by_keyword(convert, call):
    assert convert(call).status == "equivalent"


@pytest.mark.parametrize(
    ("call", "layer"), [("F.relu(input=x)", "nn.ReLU()"), ("torch.mean(input=x, dim=1)", "Mean(dim=1)")]
)
def test_the_input_by_keyword_where_it_is_known(convert, call, layer):
    assert layers(convert(call))[-1] == layer


def test_a_plain_attribute_of_the_class_may_be_read(convert):
    report = convert("F.leaky_relu(x, self.slope)", extra="self.slope = 0.2")

    assert layers(report)[-1] == "nn.LeakyReLU(self.slope)"
    assert report.status == "equivalent"


@pytest.mark.parametrize(
    ("call", "shape", "extra", "message"),
    [
        ("F.leaky_relu(x, 0.1 * x.dim())", MATRIX, "", "`0.1 * x.dim()` is computed in forward"),
        ("F.leaky_relu(x, slope)", MATRIX, "", "`slope` is computed in forward"),
        ("F.leaky_relu(x, self.layer.slope)", MATRIX, "self.layer.slope = 0.1",
         "`self.layer.slope` reads `self.layer`, which is not a plain constant of the class"),
        ("F.max_pool2d(x, x.size(2))", IMAGE, "", "`x.size(2)` is computed from a tensor's size"),
        ("F.max_pool2d(x, *args)", IMAGE, "", "arguments are unpacked with `*`"),
        ("F.max_pool2d(x, **options)", IMAGE, "", "arguments are unpacked with `*`"),
    ],
)  # fmt: skip
def test_arguments_that_forward_computes_stay_in_forward(convert, call, shape, extra, message):
    before = "x = self.layer(x)\n        slope, args, options = 0.1 * x.dim(), (2,), {'kernel_size': 2}"
    with pytest.raises(seqify.Refusal) as error:
        convert(call, shape, before=before, extra=extra)

    assert (error.value.diagnostic.code, error.value.diagnostic.message) == ("SQ308", message)


@pytest.mark.parametrize(
    ("call", "shape", "code", "message"),
    [
        ("F.max_pool2d(x, 2, return_indices=True)[0]", IMAGE, "SQ203", "`F.max_pool2d(x, 2, return_indices=True)` returns several values"),
        ("F.interpolate(x, scale_factor=2, mode='bilinear', antialias=True)", IMAGE, "SQ301", "`nn.Upsample` does not do `antialias`"),
        ("x.mean()", MATRIX, "SQ301", "`Tensor.mean` over all dimensions, the batch too"),
        ("x.mean(1, dtype=torch.float64)", MATRIX, "SQ301", "`Mean` does not do `dtype`"),
        ("F.softmax(x, 1, dtype=torch.float64)", MATRIX, "SQ301", "`nn.Softmax` does not do `dtype`"),
        ("torch.cumsum(x, 1)", MATRIX, "SQ301", "`torch.cumsum` has no module in torch.nn"),
        ("torch.add(x, x)", MATRIX, "SQ202", "`torch.add(x, x)` takes 2 tensors"),
        ("F.linear(x, self.layer.weight)", MATRIX, "SQ307", "`F.linear(x, self.layer.weight)` takes a tensor of the class itself"),
        ("F.layer_norm(x, (8,), self.layer.bias)", MATRIX, "SQ307", "`F.layer_norm(x, (8,), self.layer.bias)` takes a tensor of the class itself"),
        ("x.squeeze((0, 1))", MATRIX, "SQ301", "`squeeze` of several dimensions has no module"),
    ],
)  # fmt: skip
def test_what_no_row_can_do(convert, call, shape, code, message):
    with pytest.raises(seqify.Refusal) as error:
        convert(call, shape)

    assert (error.value.diagnostic.code, error.value.diagnostic.message) == (code, message)


@pytest.mark.parametrize("call", ["torch.add(x, 1, alpha=2)", "x.sub(1, alpha=2)", "x.div(2, rounding_mode='floor')"])
def test_arithmetic_with_a_further_argument_has_no_helper(convert, call):
    with pytest.raises(seqify.Refusal, match="SQ301"):
        convert(call)


def test_a_function_that_the_class_holds_is_not_taken_for_another(convert):
    with pytest.raises(seqify.Refusal) as error:
        convert("self.act(x)", extra="self.act = F.relu")

    assert error.value.diagnostic.message == ("`self.act` is a function that the class holds, which may be another one")


def test_a_name_that_hides_a_module_is_not_followed(convert):
    with pytest.raises(seqify.Refusal, match="SQ301"):
        convert("torch.sigmoid(x)", before="x = self.layer(x)\n        torch = F")


# -- dropout and softmax


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("F.dropout(x)", "`F.dropout` drops in eval too: `training=True`"),
        ("F.dropout(x, 0.5)", "`F.dropout` drops in eval too: `training=True`"),
        ("F.dropout(x, training=True)", "`F.dropout` drops in eval too: `training=True`"),
        ("torch.dropout(x, 0.5, True)", "`torch.dropout` drops in eval too: `training=True`"),
    ],
)
def test_dropout_that_is_always_on(convert, call, message):
    with pytest.raises(seqify.Refusal) as error:
        convert(call)

    assert (error.value.diagnostic.code, error.value.diagnostic.message) == ("SQ303", message)


@pytest.mark.parametrize(
    ("call", "extra", "flag"),
    [
        ("F.dropout(x, training=False)", "", "False"),
        ("F.dropout(x, 0.5, self.flag)", "self.flag = False", "self.flag"),
        ("F.dropout(x, 0.5, self.layer.training)", "", "self.layer.training"),
        ("F.dropout(x, 0.5, not self.training)", "", None),
        ("F.dropout(x, 0.5, self.training and True)", "", "self.training and True"),
    ],
)
def test_dropout_that_follows_another_flag(convert, call, extra, flag):
    with pytest.raises(seqify.Refusal) as error:
        convert(call, extra=extra)

    if flag is None:
        assert error.value.diagnostic.code in ("SQ304", "SQ308")
    else:
        assert error.value.diagnostic.code == "SQ304"
        assert error.value.diagnostic.message == f"`F.dropout` follows `{flag}`, not `self.training`"


@pytest.mark.parametrize("call", ["F.softmax(x)", "F.log_softmax(x)", "F.softmin(x)", "F.softmax(x, dim=None)"])
def test_softmax_without_dim(convert, call):
    with pytest.raises(seqify.Refusal) as error:
        convert(call)

    name = call.partition("(")[0]
    assert error.value.diagnostic.code == "SQ305"
    assert error.value.diagnostic.message == f"`{name}` without `dim` chooses a dimension by rank"


# -- shapes


@pytest.mark.parametrize(
    "call",
    [
        "torch.flatten(x, 1)",
        "x.flatten(1)",
        "x.view(x.size(0), -1)",
        "x.view(x.shape[0], -1)",
        "x.view(len(x), -1)",
        "x.reshape(x.size(0), -1)",
        "x.reshape((x.shape[0], -1))",
        "torch.reshape(x, (x.size(0), -1))",
        "x.view((x.size(0), -1))",
        "x.view([x.size(0), -1])",
        "x.view(x.size(0), x.size(1) * x.size(2) * x.size(3))",
        "x.view(-1, x.size(1) * x.size(2) * x.size(3))",
        "x.view(x.size(0), 4 * 8 * 8)",
    ],
)
def test_spellings_of_flatten(convert, call):
    report = convert(call, IMAGE)

    assert report.status == "equivalent"
    assert layers(report)[-1] == "nn.Flatten()"
    assert "SQ302" not in codes(report)


def test_a_view_by_a_product_that_a_helper_computes(convert):
    """The tutorial's `num_flat_features` is a plain method; what it returns is the product of the sizes."""
    text = """self.size = 1

    def num_flat_features(self, x):
        size = x.size()[1:]
        num_features = 1
        for s in size:
            num_features *= s
        return num_features"""
    report = convert("x.view(-1, self.num_flat_features(x))", IMAGE, extra=text)

    assert report.status == "equivalent"
    assert layers(report)[-1] == "nn.Flatten()"
    assert "SQ302" not in codes(report)


def test_a_view_by_another_product_of_sizes_is_not_flatten(convert):
    with pytest.raises(seqify.Refusal, match="SQ308"):
        convert("x.view(-1, x.size(1) * x.size(2))", IMAGE)


@pytest.mark.parametrize("call", ["x.view(-1, 256)", "x.view(-1, 4 * 8 * 8)", "x.reshape(-1, 256)"])
def test_a_view_that_may_regroup_the_batch_stays_a_view(convert, call):
    """Nothing behind it would raise where Flatten gives other numbers."""
    report = convert(call, IMAGE)

    assert report.status == "equivalent"
    assert layers(report)[-1] == ("Reshape" if "reshape" in call else "View") + call[call.index("(") :]
    assert "SQ302" not in codes(report)


def test_a_view_that_may_regroup_the_batch_is_told(write):
    """In front of a Linear of that width, Flatten raises where the view regrouped."""
    path = write(
        """
        from torch import nn
        import torch.nn.functional as F

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(3, 4, 3)
                self.fc = nn.Linear(144, 2)

            def forward(self, x):
                x = F.relu(self.conv(x)).view(-1, 144)
                return self.fc(F.dropout(x, 0.2, self.training))
        """
    )
    report = seqify.convert(f"{path}:Net", ["2,3,8,8"], dtypes=[torch.float32])

    assert report.status == "equivalent"
    assert [layer.constructor for layer in report.chains[0].layers][2] == "nn.Flatten()"
    (note,) = (item for item in report.diagnostics if item.code == "SQ302")
    assert note.message == "`-1, 144` is Flatten now: another input size raises where it regrouped the batch"


@pytest.mark.parametrize(
    ("call", "shape", "layer"),
    [
        ("x.view(-1, 128)", IMAGE, "View(-1, 128)"),
        ("x.view(-1, 2, 4)", MATRIX, "View(-1, 2, 4)"),
        ("x.view(x.size(0), 2, 4)", MATRIX, "nn.Unflatten(1, (2, 4))"),
        ("x.reshape(-1, 2, 4)", MATRIX, "Reshape(-1, 2, 4)"),
        ("x.view(-1, 4)", MATRIX, "View(-1, 4)"),
        ("x.reshape(-1)", MATRIX, "Reshape(-1)"),
        ("x.view((-1, 4, 64))", IMAGE, "View(-1, 4, 64)"),
    ],
)
def test_other_shapes(convert, call, shape, layer):
    report = convert(call, shape)

    assert report.status == "equivalent"
    assert layers(report)[-1] == layer


@pytest.mark.parametrize("call", ["x.view(x.size(0) * 2, -1)", "x.view(2, x.size(0), -1)", "x.view(x.shape)"])
def test_shapes_that_depend_on_sizes_stay_in_forward(convert, call):
    with pytest.raises(seqify.Refusal, match="SQ308"):
        convert(call, IMAGE)


@pytest.mark.parametrize("call", ["x.squeeze()", "torch.squeeze(x)"])
def test_squeeze_is_not_flatten(convert, call):
    """At a batch of one it takes the batch dimension too, as the original does."""
    report = convert(call, "4,4,8,8", before="x = F.adaptive_avg_pool2d(self.layer(x), 1)")

    assert report.status == "equivalent"
    assert layers(report)[-1] == "SqueezeAll()"
    model = report.module()
    assert model(torch.randn(1, 4, 8, 8)).shape == (4,)


@pytest.mark.parametrize(
    ("call", "shape", "layer"),
    [
        ("F.pad(x, (1, 2))", SEQUENCE, "nn.ZeroPad1d((1, 2))"),
        ("F.pad(x, [1, 2, 3, 4])", IMAGE, "nn.ZeroPad2d((1, 2, 3, 4))"),
        ("F.pad(x, (1, 1, 1, 1, 1, 1))", VOLUME, "nn.ZeroPad3d((1, 1, 1, 1, 1, 1))"),
        ("F.pad(x, (1, 1, 1, 1), value=0.0)", IMAGE, "nn.ZeroPad2d((1, 1, 1, 1))"),
        ("F.pad(x, (1, 1, 1, 1), value=2.0)", IMAGE, "nn.ConstantPad2d((1, 1, 1, 1), 2.0)"),
        ("F.pad(x, (1, 1, 1, 1), 'constant', 2.0)", IMAGE, "nn.ConstantPad2d((1, 1, 1, 1), 2.0)"),
        ("F.pad(x, (1, 1, 1, 1), mode='reflect')", IMAGE, "nn.ReflectionPad2d((1, 1, 1, 1))"),
        ("F.pad(x, (1, 1, 1, 1), 'replicate')", IMAGE, "nn.ReplicationPad2d((1, 1, 1, 1))"),
        ("F.pad(x, (1, 1, 1, 1), mode='circular')", IMAGE, "nn.CircularPad2d((1, 1, 1, 1))"),
        ("F.pad(x, (1, 1), mode='reflect')", SEQUENCE, "nn.ReflectionPad1d((1, 1))"),
    ],
)
def test_padding(convert, call, shape, layer):
    report = convert(call, shape)

    assert report.status == "equivalent"
    assert layers(report)[-1] == layer


def test_padding_of_more_dimensions_than_a_module_has(convert):
    with pytest.raises(seqify.Refusal) as error:
        convert("F.pad(x, (0, 0, 0, 0, 0, 0, 1, 1))", IMAGE)

    assert error.value.diagnostic.message == "this padding has no module in torch.nn"


# -- in place


@pytest.mark.parametrize(
    ("call", "layer"),
    [
        ("F.relu_(x)", "nn.ReLU(inplace=True)"),
        ("torch.relu_(x)", "nn.ReLU(inplace=True)"),
        ("x.relu_()", "nn.ReLU(inplace=True)"),
        ("F.leaky_relu_(x, 0.2)", "nn.LeakyReLU(0.2, inplace=True)"),
    ],
)
def test_in_place_forms_stay_in_place(convert, call, layer):
    report = convert(call)

    assert report.status == "equivalent"
    assert layers(report)[-1] == layer


@pytest.mark.parametrize("call", ["x.sigmoid_()", "x.add_(1)", "x.clamp_(0, 1)", "x.mul_(2)"])
def test_in_place_forms_without_a_module_stay_in_forward(convert, call):
    with pytest.raises(seqify.Refusal, match="SQ301"):
        convert(call)


@pytest.mark.parametrize("statement", ["x += 1", "x *= 2"])
def test_augmented_assignments_stay_in_forward(convert, statement):
    with pytest.raises(seqify.Refusal):
        convert("x", before=f"x = self.layer(x)\n        {statement}")
