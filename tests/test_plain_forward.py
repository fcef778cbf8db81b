"""What a recorded forward is written as: one line a call, in the names that the source gave."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from seqify.constructed import recording
from seqify.emit.literal import CannotWrite
from seqify.inputs import Inputs, from_values, parse_inputs
from seqify.load import load_target
from seqify.observe import observe
from seqify.plain import PlainClass, write_class

LINEARS = "self.a = nn.Linear(4, 4)\nself.b = nn.Linear(4, 4)"

# name: inputs, forward, what its body becomes, and where needed what stands in `__init__` and before the class
CASES: dict[str, tuple[Any, ...]] = {
    "residual": (
        "2,4",
        """
        def forward(self, x):
            identity = x
            out = F.relu(self.a(x))
            out = self.b(out)
            return F.relu(out + identity)
        """,
        """
        x2 = self.a(x)
        out = F.relu(x2, inplace=False)
        out = self.b(out)
        out = out + x
        return F.relu(out, inplace=False)
        """,
    ),
    "concat": (
        "2,4",
        """
        def forward(self, x):
            left, right = self.a(x), self.b(x)
            return torch.cat([left, right], dim=1)
        """,
        """
        x2 = self.a(x)
        x = self.b(x)
        return torch.cat([x2, x], dim=1)
        """,
    ),
    "a size that is read before its tensor is gone": (
        "2,4",
        """
        def forward(self, x):
            n = x.size(0)
            x = self.a(x)
            x = self.b(x.flatten(1))
            return x.view(n, 2, -1)
        """,
        """
        batch = x.size(0)
        x = self.a(x)
        x = x.flatten(1)
        x = self.b(x)
        return x.view(batch, 2, -1)
        """,
    ),
    "arithmetic with sizes": (
        "2,3,6",
        """
        def forward(self, x):
            h = x.shape[2]
            x = self.a(x)
            x = x[:, :, : (h + 1) // 2] * (h / 4)
            return x.repeat(1, 1, 2 * h - 1)
        """,
        """
        size2 = x.size(2)
        x = self.a(x)
        x = x[:, :, :(size2 + 1) // 2]
        x = x * (size2 / 4)
        return x.repeat(1, 1, (2 * size2) - 1)
        """,
        "self.a = nn.Conv1d(3, 3, 1)",
    ),
    "item assignment": (
        "2,4",
        """
        def forward(self, x):
            x = self.a(x) * 1
            x[:, 0] = 0
            x[..., -1:] = x[..., :1] * 2
            return self.b(x)
        """,
        """
        x = self.a(x)
        x = x * 1
        x[:, 0] = 0
        x2 = x[..., :1]
        x2 = x2 * 2
        x[..., -1:] = x2
        return self.b(x)
        """,
    ),
    "indexing": (
        "2,4",
        """
        def forward(self, x):
            x = self.a(x)
            return x[0], x[1:, ::2], x[None], x[..., None, 1], x[:, [0, 2]], x[-1:, :, None]
        """,
        """
        x = self.a(x)
        x2 = x[0]
        x3 = x[1:, ::2]
        x4 = x[None]
        x5 = x[..., None, 1]
        x6 = x[:, [0, 2]]
        x = x[-1:, :, None]
        return (x2, x3, x4, x5, x6, x)
        """,
    ),
    "an index that is a tensor": (
        "2,4; int64:3",
        """
        def forward(self, x, index):
            x = self.a(x)
            return x[index], x[x > 0], x[:, index]
        """,
        """
        x = self.a(x)
        x2 = x[index]
        x3 = x > 0
        x3 = x[x3]
        x = x[:, index]
        return (x2, x3, x)
        """,
    ),
    "operators with one side": (
        "2,4",
        """
        def forward(self, x):
            x = self.a(x)
            return -x, ~(x > 0)
        """,
        """
        x = self.a(x)
        x2 = -x
        x = x > 0
        x = ~x
        return (x2, x)
        """,
    ),
    "operators with two sides": (
        "2,4; 2,4",
        """
        def forward(self, x, y):
            x = self.a(x)
            return x + y, x - 1, x * y, x / 2, x % 2, x**2, x @ y.T, (x > 0) & (y > 0) | (x != y)
        """,
        """
        x = self.a(x)
        x2 = x + y
        x3 = x - 1
        x4 = x * y
        x5 = x / 2
        x6 = x % 2
        x7 = x ** 2
        x8 = y.T
        x8 = x @ x8
        x9 = x > 0
        x10 = y > 0
        x9 = x9 & x10
        x = x != y
        x9 = x9 | x
        return (x2, x3, x4, x5, x6, x7, x8, x9)
        """,
    ),
    "operators with the tensor on the right": (
        "2,4",
        """
        def forward(self, x):
            x = self.a(x)
            return 1 + x, 2 - x, 3 * x, 4 / x, 5 // x, 2**x, 7 % x
        """,
        """
        x = self.a(x)
        x2 = x + 1
        x3 = 2 - x
        x4 = x * 3
        x5 = 4 / x
        x6 = 5 // x
        x7 = 2 ** x
        x = 7 % x
        return (x2, x3, x4, x5, x6, x7, x)
        """,
    ),
    "a tuple in a tuple": (
        "2,4",
        """
        def forward(self, x):
            return self.a(x), (self.b(x),)
        """,
        """
        x2 = self.a(x)
        x = self.b(x)
        return (x2, (x,))
        """,
    ),
    "a dict": (
        "2,4",
        """
        def forward(self, x):
            return {"a": self.a(x), "more": [self.b(x), 3, None]}
        """,
        """
        x2 = self.a(x)
        x = self.b(x)
        return {"a": x2, "more": [x, 3, None]}
        """,
    ),
    "an OrderedDict": (
        "2,4",
        """
        def forward(self, x):
            return OrderedDict([("a", self.a(x)), ("b", self.b(x))])
        """,
        """
        x2 = self.a(x)
        x = self.b(x)
        return OrderedDict([("a", x2), ("b", x)])
        """,
        LINEARS,
        "from collections import OrderedDict",
    ),
    "a namedtuple": (
        "2,4",
        """
        def forward(self, x):
            return Out(self.a(x), b=self.b(x))
        """,
        """
        x2 = self.a(x)
        x = self.b(x)
        return Out(x2, x)
        """,
        LINEARS,
        "from typing import Any, NamedTuple\n\nclass Out(NamedTuple):\n    a: Any\n    b: Any",
    ),
    "a dataclass": (
        "2,4",
        """
        def forward(self, x):
            return Out(self.a(x))
        """,
        """
        x = self.a(x)
        return Out(a=x, b=None)
        """,
        LINEARS,
        "from dataclasses import dataclass\n\n@dataclass\nclass Out:\n    a: object\n    b: object = None",
    ),
    "several inputs": (
        "2,4; bool:2,4; 4",
        """
        def forward(self, query, mask, scale):
            x = self.a(query).masked_fill(mask, 0.0)
            return self.b(x) * scale
        """,
        """
        query = self.a(query)
        x = query.masked_fill(mask, 0.0)
        x = self.b(x)
        return x * scale
        """,
    ),
    "several outputs of a layer": (
        "2,3,4",
        """
        def forward(self, x):
            out, (h, c) = self.rnn(x)
            values, places = out.max(dim=1)
            return values + h[0] + c[0], places
        """,
        """
        x = self.rnn(x)
        x2 = x[0].max(dim=1)
        x3 = x[1][0][0]
        x3 = x2[0] + x3
        x = x[1][1][0]
        x3 = x3 + x
        return (x3, x2[1])
        """,
        "self.rnn = nn.LSTM(4, 4, batch_first=True)",
    ),
    "without gradients": (
        "2,4",
        """
        def forward(self, x):
            with torch.no_grad():
                teacher = self.a(x)
                teacher = teacher.softmax(1)
            return self.b(x) * teacher
        """,
        """
        with torch.no_grad():
            teacher = self.a(x)
            teacher = teacher.softmax(1)
        x = self.b(x)
        return x * teacher
        """,
    ),
    "training as a flag": (
        "2,4",
        """
        def forward(self, x):
            x = F.dropout(self.a(x), 0.25, self.training)
            x = F.batch_norm(x, self.mean, self.var, training=self.training)
            return F.dropout(x)
        """,
        """
        x = self.a(x)
        x = F.dropout(x, p=0.25, training=self.training, inplace=False)
        x = F.batch_norm(
            x,
            self.mean,
            self.var,
            weight=None,
            bias=None,
            training=self.training,
            momentum=0.1,
            eps=1e-05,
        )
        return F.dropout(x, p=0.5, training=True, inplace=False)
        """,
        'self.a = nn.Linear(4, 4)\nself.register_buffer("mean", torch.zeros(4))\n'
        'self.register_buffer("var", torch.ones(4))',
    ),
    "parameters and buffers": (
        "2,4",
        """
        def forward(self, x):
            return F.linear(self.a(x), self.a.weight, self.b.bias) * self.scale + self.shift
        """,
        """
        x = self.a(x)
        x = F.linear(x, self.a.weight, self.b_bias)
        x = x * self.scale
        return x + self.shift
        """,
        LINEARS + '\nself.scale = nn.Parameter(torch.ones(4))\nself.register_buffer("shift", torch.zeros(4))',
    ),
    "a decision on a size": (
        "2,4",
        """
        def forward(self, x):
            if x.size(1) > 3:
                x = self.a(x)
            return self.b(x)
        """,
        """
        torch._assert(x.size(1) > 3, "this class was written for x.size(1) > 3")
        x = self.a(x)
        return self.b(x)
        """,
    ),
    "variables that are called like an import": (
        "2,4",
        """
        def forward(self, x):
            nn = self.a(x)
            torch_ = nn.relu()
            return self.b(torch_) + nn
        """,
        """
        nn2 = self.a(x)
        torch_ = nn2.relu()
        torch_ = self.b(torch_)
        return torch_ + nn2
        """,
    ),
    "an input that is called like a builtin": (
        "2,4",
        """
        def forward(self, input):
            return self.b(self.a(input)) + input
        """,
        """
        x = self.a(input)
        x = self.b(x)
        return x + input
        """,
    ),
    "values that nobody reads": (
        "2,4",
        """
        def forward(self, x):
            y = x.mean() * 2
            x = self.a(x)
            assert y.dim() == 0
            return self.b(x)
        """,
        """
        torch._assert(x.dim() == 2, "this class was written for x.dim() == 2")
        x = self.a(x)
        return self.b(x)
        """,
    ),
    "the inputs' device": (
        "2,4",
        """
        def forward(self, x):
            x = self.a(x)
            return x + torch.arange(x.size(1), device=x.device)
        """,
        """
        x = self.a(x)
        x2 = torch.arange(x.size(1), device=x.device)
        return x + x2
        """,
    ),
    "loops": (
        "2,4",
        """
        def forward(self, x):
            for layer, gain in zip([self.a, self.b], (1.5, 2.0), strict=True):
                x = layer(x) * gain if gain else x
            return x
        """,
        """
        x = self.a(x)
        x = x * 1.5
        x = self.b(x)
        return x * 2.0
        """,
    ),
    "functions of the user's": (
        "2,4",
        """
        def forward(self, x):
            return Double.apply(self.a(x)) + helper(x)
        """,
        """
        x2 = self.a(x)
        x2 = Double.apply(x2)
        x = x * 2
        return x2 + x
        """,
        LINEARS,
        """
def helper(x):
    return x * 2

class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2
""",
    ),
    "a long line": (
        "2,4",
        """
        def forward(self, x):
            a_result_with_a_long_name = self.a(x)
            another_result_with_a_long_name = self.b(x)
            y = torch.cat([a_result_with_a_long_name, another_result_with_a_long_name, a_result_with_a_long_name], dim=1)
            return y, a_result_with_a_long_name, another_result_with_a_long_name
        """,
        """
        a_result_with_a_long_name = self.a(x)
        another_result_with_a_long_name = self.b(x)
        y = torch.cat(
            [a_result_with_a_long_name, another_result_with_a_long_name, a_result_with_a_long_name],
            dim=1,
        )
        return (y, a_result_with_a_long_name, another_result_with_a_long_name)
        """,
    ),
}


def source(forward: str, init: str = LINEARS, head: str = "") -> str:
    lines = ["import torch", "import torch.nn.functional as F", "from torch import nn", "", head.strip("\n"), ""]
    lines += ["class Net(nn.Module):", "    def __init__(self):", "        super().__init__()"]
    lines += [textwrap.indent(init, " " * 8), textwrap.indent(textwrap.dedent(forward).strip("\n"), " " * 4)]
    return "\n".join(lines) + "\n"


def written(path: Path, inputs: Any, depth: int | str = 0) -> tuple[nn.Module, Inputs, PlainClass]:
    """The class `Net` of a file, built, its inputs, and the plain class that is written for it."""
    model = load_target(f"{path}:Net")
    assert model.build is not None
    texts = isinstance(inputs, str)
    example = parse_inputs(model.instance, inputs.split("; ")) if texts else from_values(model.instance, inputs)
    with recording() as made:
        net = model.build(0)
    shapes = {name: tuple(item.shape) for name, item in example.values.items() if isinstance(item, torch.Tensor)}
    return net, example, write_class(net, observe(net, example, depth), made, "Net", shapes)


def body(plain: PlainClass) -> str:
    """The lines of the written forward."""
    return textwrap.dedent(plain.text.partition("    def forward(")[2].partition("\n")[2])


def rebuilt(plain: PlainClass, net: nn.Module) -> nn.Module:
    """The written class, with the weights of the module that it was written for."""
    space: dict[str, Any] = {"__name__": "written"}
    exec(compile(plain.text, "<written>", "exec"), space)
    new: nn.Module = space["Net"]()
    state = dict(net.state_dict(keep_vars=True))
    for path, name in sorted(plain.paths.items(), key=lambda item: -len(item[0])):
        for key in [key for key in state if key == path or key.startswith(f"{path}.")]:
            state[name + key.removeprefix(path)] = state.pop(key)
    new.load_state_dict(state, strict=True)
    return new


@pytest.mark.parametrize("name", CASES)
def test_forward_as_it_is_written(name: str, write: Callable[..., Path]) -> None:
    inputs, forward, expected, *rest = CASES[name]
    _, _, plain = written(write(source(forward, *rest)), inputs)

    assert body(plain) == textwrap.dedent(expected).lstrip("\n")


@pytest.mark.parametrize("name", CASES)
def test_the_written_forward_does_the_same(name: str, write: Callable[..., Path]) -> None:
    inputs, forward, _, *rest = CASES[name]
    net, example, plain = written(write(source(forward, *rest)), inputs)
    with torch.no_grad():
        for tensor in net.state_dict().values():
            tensor.add_(torch.rand_like(tensor)) if tensor.is_floating_point() else None
    new = rebuilt(plain, net)
    for training in (False, True):
        for batch in (example.batch, 5):
            seen = []
            for module in (net, new):
                torch.manual_seed(1)
                seen.append(module.train(training)(**example.with_batch(batch).values))

            assert alike(*seen)
            assert alike(list(net.buffers()), list(new.buffers()))


def alike(left: Any, right: Any) -> bool:
    if isinstance(left, torch.Tensor):
        return left.dtype == right.dtype and left.requires_grad == right.requires_grad and torch.equal(left, right)
    if isinstance(left, dict):
        return type(left) is type(right) and list(left) == list(right) and all(alike(left[k], right[k]) for k in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(alike, left, right))
    return alike(vars(left), vars(right)) if hasattr(left, "__dict__") else bool(left == right)


@pytest.mark.parametrize(
    ("forward", "value"),
    [
        ("x = self.a(x) * 1\n    x += 1\n    x -= x.mean()\n    return self.b(x)", [2, 4]),
        ("x = self.a(x) * 1\n    x *= 2\n    x /= 3\n    return self.b(x), x", [2, 4]),
        ("kept = x\n    x = x * 1\n    x += 1\n    return self.b(x) + kept", [2, 4]),
        ("x = x * 1\n    view = x[:, :2]\n    view += 1\n    view.mul_(2)\n    return self.b(x)", [2, 4]),
        ("x = x * 1\n    x[0] += 1\n    x[:, 1:] *= 2\n    return self.b(x)", [2, 4]),
        ("x = self.a(x)\n    F.relu(x, inplace=True)\n    return self.b(x)", [2, 4]),
        ("x = x * 1\n    x.unsqueeze_(1).transpose_(1, 2)\n    return x * x.size(1)", [2, 4]),
        ("x = x * 1\n    x[x > 0] = 0\n    return self.b(x)", [2, 4]),
        ("y = torch.empty_like(x)\n    torch.add(x, 1, out=y)\n    return self.b(y)", [2, 4]),
        ("return x == 0, x < 1, x // 3, abs(x), +x, x.ne(1)", [2, 4]),
    ],
)
def test_what_is_changed_in_place_is_changed_alike(forward: str, value: list[int], write: Callable[..., Path]) -> None:
    net, _, plain = written(write(source(f"def forward(self, x):\n    {forward}")), torch.randn(value))
    example = torch.randn(5, *value[1:])
    given = [example.clone(), example.clone()]
    with torch.no_grad():
        seen = [module(item) for module, item in zip((net, rebuilt(plain, net)), given, strict=True)]

    assert alike(*seen)
    assert torch.equal(*given)


def test_blocks_follow_one_another(write: Callable[..., Path]) -> None:
    forward = """
    def forward(self, x):
        with torch.no_grad():
            scale = x.mean()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                x = self.a(x)
        return self.b(x.float()) * scale
    """
    _, _, plain = written(write(source(forward)), "2,4")
    lines = body(plain).splitlines()

    assert "with torch.no_grad():" in lines
    assert '    with torch.autocast("cpu", dtype=torch.bfloat16):' in lines
    assert "        x = self.a(x)" in lines


def test_a_decision_that_no_longer_holds_raises(write: Callable[..., Path]) -> None:
    forward = """
    def forward(self, x):
        x = self.a(x)
        y = x.flatten(1)
        if y.shape[1] % 2 == 0:
            x = x * 2
        return self.b(x)
    """
    init = "self.a = nn.Conv1d(3, 3, 1)\nself.b = nn.Conv1d(3, 3, 1)"
    net, _, plain = written(write(source(forward, init)), "2,3,4")
    new = rebuilt(plain, net)

    assert torch.equal(new(torch.ones(2, 3, 8)), net(torch.ones(2, 3, 8)))
    with pytest.raises(AssertionError, match="this class was written for"):
        new(torch.ones(2, 3, 5))


@pytest.mark.parametrize(
    ("forward", "init", "head", "message"),
    [
        ("return self.a(x) + CONSTANT", LINEARS, "CONSTANT = torch.ones(4)", "a tensor that is registered nowhere"),
        ("return self.a(x) + self.c", LINEARS + "\nself.c = torch.ones(4)", "", "`self.c`: it is a tensor that"),
        ("return self.a(x) + self.c[1]", LINEARS + "\nself.c = [1, torch.ones(4)]", "", r"`self.c\[1\]`: it is"),
        ("return nn.ReLU()(self.a(x))", LINEARS, "", "it is a module that is registered nowhere"),
        ("return self.c[0](self.a(x))", LINEARS + "\nself.c = [nn.ReLU()]", "", r"`self.c\[0\]`: it is a module"),
        (
            "return checkpoint(self.b, self.a(x), use_reentrant=False)",
            LINEARS,
            "import numpy.random\nfrom torch.utils.checkpoint import checkpoint",
            "it runs a part under `torch.utils.checkpoint`",
        ),
        (
            "return F.dropout(self.a(x), 0.5 if self.training else 0.1, True)",
            LINEARS,
            "",
            "an argument of `torch.nn.functional.dropout` changes with the mode",
        ),
        (
            "return torch.std(self.a(x), 1, self.training, False)",
            LINEARS,
            "",
            "which argument of `torch.std` follows `self.training` is not clear",
        ),
    ],
)
def test_what_no_forward_can_say(forward: str, init: str, head: str, message: str, write: Callable[..., Path]) -> None:
    path = write(source(f"def forward(self, x):\n    {forward}", init, head))

    with pytest.raises(CannotWrite, match=message):
        written(path, "2,4")
