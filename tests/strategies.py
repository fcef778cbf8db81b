"""Hypothesis strategies: whole programs with a module class in them, as users write them."""

# A program is drawn statement by statement. `_Builder` keeps the shape that the value has reached, so that every program runs:
#
#   state      (C, H, W) or (F,), the batch left out
#   pending    the expression that holds the value so far; a flush gives it a name
#
#   pending:  x ──► self.conv(x) ──► F.relu(self.conv(x)) ──► flush: `x = F.relu(self.conv(x))` ──► x ──► ...
#
# Every comment carries a number of its own, so that the loss of any one shows.

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

__all__ = ["Program", "programs"]

_WIDTH = 6  # the default of the constructor's `width`


@dataclass(frozen=True)
class Program:
    """
    A file with a module class in it.

    `shape` is the input to convert with, `others` are inputs that the model may or may not take; `methods` are the names of
    methods besides forward that take no argument and return tensors.
    """

    text: str
    build: str
    shape: tuple[int, ...]
    others: tuple[tuple[int, ...], ...]
    methods: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Program({self.build}, {self.shape})\n{self.text}"


@dataclass
class _Layer:
    """A submodule: its attribute, what it is an instance of, and its arguments' texts."""

    attribute: str
    kind: str
    arguments: list[str]
    weights: bool
    takes: tuple[int, ...] | None = None  # the shape that a layer with weights takes and gives
    uses: int = 1


@dataclass
class _Builder:
    draw: Callable[..., Any]
    style: str = "nn"
    me: str = "self"
    state: tuple[int, ...] = ()
    pending: str = "x"
    depth: int = 0
    loose: bool = False  # whether `pending` needs brackets before something binds to it
    fresh: bool = False  # whether `pending` is the output of a layer with weights that nobody else has seen
    variable: str = "x"
    comments: int = 0
    talkative: int = 1
    running: bool = False  # whether the first argument of layers is a local that changes between them
    layers: list[_Layer] = field(default_factory=list)
    config: dict[str, str] = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)
    body: list[str] = field(default_factory=list)  # statements of forward, without indentation
    tensors: list[str] = field(default_factory=list)  # parameters and buffers of the class itself, as statements
    skips: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    # drawing

    def one_in(self, odds: int) -> bool:
        return bool(self.draw(st.integers(0, odds - 1)) == odds - 1)

    def pick(self, items: Any) -> Any:
        return self.draw(st.sampled_from(list(items)))

    def comment(self, odds: int = 6) -> str:
        """A comment nobody else has, or nothing."""
        if not self.one_in(max(1, odds // self.talkative)):
            return ""
        self.comments += 1
        form = self.pick(
            ("# note {}", "#note {}", "# größe {} × 2 → ok", "# self.old = nn.Linear(1, 1)  # {}", "## {}: 'x' \"y\"")
        )
        return str(form.format(f"c{self.comments}"))

    def trailing(self, odds: int = 6) -> str:
        text = self.comment(odds)
        return f"  {text}" if text else ""

    # spelling

    def module(self, kind: str) -> str:
        if self.style == "torch":
            return f"torch.nn.{kind}"
        if self.style == "names":
            self.imported.add(kind)
            return kind
        return f"nn.{kind}"

    @property
    def functional(self) -> str:
        return {"torch": "torch.nn.functional", "nn": "F", "from": "F", "names": "F"}[self.style]

    def number(self, value: int) -> str:
        if value == _WIDTH and self.one_in(2):
            return "width"
        if value == 2 * _WIDTH and self.one_in(2):
            return self.pick(("width * 2", "2 * width"))
        return str(value)

    # the value

    def flush(self, statement: str = "", keep: bool = False) -> str:
        """Give the value a name; `keep` forces one that no other value has."""
        if self.depth == 0 and not keep:
            return self.variable
        name = self.variable
        if keep or self.one_in(6):
            free = [
                item for item in ("h", "out", "y", "x1", "hidden_state", "_z", "ü", "input") if item not in self.names
            ]
            if free:
                name = self.pick(free)
                self.names.append(name)
        above = self.comment(8)
        if above:
            self.body.append(above)
        if self.one_in(10):
            self.body.append("")
        annotation = ": torch.Tensor" if self.one_in(12) else ""
        self.body.append(f"{name}{annotation} = {self.pending}{self.trailing()}")
        self.variable, self.pending, self.depth, self.loose = name, name, 0, False
        return name

    def apply(self, template: str, *, loose: bool = False, named: bool = False) -> None:
        """Put an expression around the value: `{x}` is where it goes."""
        if named or self.depth >= 4 or (self.depth and not self.one_in(2)):
            self.flush()
        inner = f"({self.pending})" if self.loose else self.pending
        call = template.replace("{F}", self.functional).replace("self.", f"{self.me}.")
        if self.depth < 2 and call.endswith(")") and call.count("{x}") == 1 and "({x}" in call and self.one_in(14):
            head, _, tail = call.partition("{x}")
            call = f"{head}{self.trailing(1)}\n    {inner}{tail[:-1]},{self.trailing(2)}\n)" if tail == ")" else call
        self.pending = call.replace("{x}", inner)
        self.depth, self.loose, self.fresh = self.depth + 1, loose, False

    # layers

    def attribute(self, stem: str) -> str:
        taken = {layer.attribute for layer in self.layers} | set(self.config)
        odd = (
            "append",
            "features",
            "classifier",
            "layers",
            "body",
            "relu1",
            "flatten",
            "_fc",
            "ünit",
            "pop",
            "main",
            "dropout",
        )
        if self.one_in(8):
            free = [name for name in odd if name not in taken]
            if free:
                return str(self.pick(free))
        index = 1
        while f"{stem}{index}" in taken:
            index += 1
        return f"{stem}{index}"

    def call(self, stem: str, kind: str, arguments: list[str], after: tuple[int, ...], weights: bool) -> None:
        """Call a layer: a new one, or one there is already."""
        known = [
            layer
            for layer in self.layers
            if layer.kind == kind
            and ((not weights and layer.arguments == arguments) or (weights and layer.takes == self.state == after))
        ]
        if known and self.one_in(8 if weights else 2):
            layer = self.pick(known)
            layer.uses += 1
        else:
            layer = _Layer(self.attribute(stem), kind, arguments, weights, self.state if after == self.state else None)
            self.layers.append(layer)
        self.apply(f"self.{layer.attribute}({{x}})")
        self.fresh = weights
        self.state = after


_ACTIVATIONS = (
    "{F}.relu({x})",
    "{F}.relu({x})",
    "{x}.relu()",
    "torch.relu({x})",
    "{F}.relu(input={x})",
    "{F}.relu({x}, inplace=False)",
    "{F}.leaky_relu({x})",
    "{F}.leaky_relu({x}, 0.1)",
    "{F}.leaky_relu({x}, negative_slope=0.2)",
    "{F}.leaky_relu({x}, self.slope)",
    "{F}.elu({x}, alpha=0.5)",
    "{F}.gelu({x})",
    '{F}.gelu({x}, approximate="tanh")',
    "{F}.silu({x})",
    "{F}.mish({x})",
    "{F}.softplus({x}, beta=2)",
    "{F}.hardtanh({x}, -2, 2)",
    "torch.sigmoid({x})",
    "{x}.sigmoid()",
    "{x}.tanh()",
    "torch.tanh(input={x})",
    "torch.sin({x})",
    "{x}.square()",
    "{x}.abs()",
    "{x}.clamp(-2, 2)",
    "{x}.clamp(min=-1.5)",
    "torch.clamp({x}, max=2.0)",
    "{x}.mul(0.5)",
    "{x}.contiguous()",
    "{x}.clone()",
    "torch.sub({x}, 0.5)",
    "torch.div({x}, 2)",
)
_ARITHMETIC = (
    "{x} * 2",
    "0.5 * {x}",
    "{x} + 1",
    "1 + {x}",
    "1 - {x}",
    "{x} - 0.25",
    "{x} / 3",
    "-{x}",
    "{x} ** 2",
    "{x} * self.scale",
    "self.scale * {x}",
    "{x} / (2 * self.scale)",
)
_SOFTMAX = (
    "{F}.softmax({x}, dim=1)",
    "{F}.log_softmax({x}, dim=1)",
    "torch.softmax({x}, 1)",
    "{x}.softmax(dim=-1)",
    "{x}.log_softmax(1)",
    "{F}.normalize({x}, dim=1)",
    "{F}.softmax({x}, dim=self.axis)",
)
_DROPOUT = (
    "{F}.dropout({x}, training=self.training)",
    "{F}.dropout({x}, 0.3, self.training)",
    "{F}.dropout({x}, p=self.p, training=self.training)",
    "{F}.dropout({x}, 0.25, training=self.training, inplace=False)",
)
_LOOSE_DROPOUT = (
    "{F}.dropout({x})",
    "{F}.dropout({x}, 0.2, True)",
    "{F}.dropout({x}, 0.2, training=self.flag)",
    "{F}.dropout({x}, 0.2, False)",
    "{F}.dropout({x}, 0.2, training=not self.training)",
)
_INPLACE = ("{F}.relu({x}, inplace=True)", "{F}.relu({x}, True)", "{F}.relu_({x})", "{x}.relu_()", "torch.relu_({x})")
_CONFIG = {"slope": "0.05", "scale": "1.5", "p": "0.4", "axis": "1", "flag": "True"}
_STATELESS = (
    ("relu", "ReLU", []),
    ("relu", "ReLU", []),
    ("act", "ReLU", ["inplace=False"]),
    ("act", "LeakyReLU", ["0.1"]),
    ("act", "GELU", []),
    ("act", "Tanh", []),
    ("act", "Sigmoid", []),
    ("drop", "Dropout", ["0.2"]),
    ("drop", "Dropout", ["p=0.5"]),
    ("ident", "Identity", []),
    ("soft", "Softmax", ["dim=1"]),
)


def _pointwise(b: _Builder) -> None:
    kind = b.pick(("call", "call", "call", "module", "module", "arithmetic", "dropout", "softmax", "inplace", "rare"))
    if kind == "call":
        b.apply(b.pick(_ACTIVATIONS))
    elif kind == "arithmetic":
        b.apply(b.pick(_ARITHMETIC), loose=True)
    elif kind == "dropout":
        b.apply(b.pick(_DROPOUT))
    elif kind == "softmax":
        b.apply(b.pick(_SOFTMAX))
    elif kind == "inplace":
        # autograd forbids it on a value that a derivative needs, so only right behind a layer with weights
        if b.fresh and b.one_in(2):
            statement = b.one_in(3)
            if statement:
                name = b.flush()
                b.body.append(b.pick(_INPLACE).replace("{F}", b.functional).format(x=name) + b.trailing())
                b.fresh = False
            else:
                b.apply(b.pick(_INPLACE))
    elif kind == "rare":
        if b.one_in(6):
            b.apply(b.pick(_LOOSE_DROPOUT))
    else:
        stem, name, arguments = b.pick(_STATELESS)
        b.call(stem, name, list(arguments), b.state, weights=False)


def _weighted(b: _Builder) -> None:
    size = b.state[0]
    if len(b.state) == 1:
        kind = b.pick(("Linear", "Linear", "Linear", "BatchNorm1d", "LayerNorm"))
        if kind == "Linear":
            out = b.pick((_WIDTH, 2 * _WIDTH, 4, size))
            arguments = [b.number(size), b.number(out)] + (["bias=False"] if b.one_in(5) else [])
            b.call("fc", kind, arguments, (out,), weights=True)
        else:
            stem = "bn" if kind == "BatchNorm1d" else "norm"
            b.call(stem, kind, [b.number(size)], b.state, weights=True)
        return
    kind = b.pick(("Conv2d", "Conv2d", "Conv2d", "BatchNorm2d", "GroupNorm", "PReLU", "Sequential"))
    if kind == "Conv2d":
        out = b.pick((_WIDTH, 2 * _WIDTH, 4, size))
        rest = b.pick(
            (["3", "padding=1"], ["kernel_size=3", "padding=1"], ["1"], ["kernel_size=(3, 3)", "padding='same'"])
        )
        bias = ["bias=False"] if b.one_in(5) else []
        b.call("conv", kind, [b.number(size), b.number(out), *rest, *bias], (out, *b.state[1:]), weights=True)
    elif kind == "BatchNorm2d":
        b.call("bn", kind, [b.number(size)], b.state, weights=True)
    elif kind == "GroupNorm":
        b.call("norm", kind, ["1", b.number(size)], b.state, weights=True)
    elif kind == "PReLU":
        b.call("act", kind, [], b.state, weights=True)
    else:
        arguments = [f"{b.module('Conv2d')}({size}, {size}, 1)", f"{b.module('ReLU')}()"]
        b.call("block", kind, arguments, b.state, weights=True)
        b.fresh = False  # it ends in a ReLU, whose derivative needs what it gave


def _spatial(b: _Builder) -> None:
    channels, height, width = b.state
    kind = b.pick(("pool", "pool", "module pool", "adaptive", "pad", "interpolate", "transpose", "shuffle"))
    if kind in ("pool", "module pool") and height >= 4:
        if kind == "pool":
            b.apply(
                b.pick(
                    (
                        "{F}.max_pool2d({x}, 2)",
                        "{F}.max_pool2d({x}, kernel_size=2, stride=2)",
                        "{F}.max_pool2d({x}, (2, 2))",
                        "{F}.avg_pool2d({x}, 2)",
                        "torch.max_pool2d({x}, 2)",
                        "{F}.max_pool2d({x}, [2, 2], stride=2)",
                    )
                )
            )
        else:
            b.call("pool", b.pick(("MaxPool2d", "AvgPool2d")), ["2"], b.state, weights=False)
        b.state = (channels, height // 2, width // 2)
    elif kind == "adaptive" and height >= 2:
        b.apply(b.pick(("{F}.adaptive_avg_pool2d({x}, 2)", "{F}.adaptive_avg_pool2d({x}, (2, 2))")))
        b.state = (channels, 2, 2)
    elif kind == "pad" and height < 8:
        b.apply(
            b.pick(
                (
                    "{F}.pad({x}, (1, 1, 1, 1))",
                    "{F}.pad({x}, [1, 1, 1, 1], value=0.5)",
                    "{F}.pad({x}, (1, 1, 1, 1), 'replicate')",
                )
            )
        )
        b.state = (channels, height + 2, width + 2)
    elif kind == "interpolate" and height < 6:
        b.apply("{F}.interpolate({x}, scale_factor=2)")
        b.state = (channels, 2 * height, 2 * width)
    elif kind == "transpose":
        b.apply(b.pick(("{x}.transpose(2, 3)", "{x}.permute(0, 1, 3, 2)", "torch.transpose({x}, 2, 3)")))
        b.state = (channels, width, height)
    elif kind == "shuffle" and channels % 4 == 0 and height < 6:
        b.apply("{F}.pixel_shuffle({x}, 2)")
        b.state = (channels // 4, 2 * height, 2 * width)


def _flatten(b: _Builder) -> None:
    channels, height, width = b.state
    total = channels * height * width
    kind = b.pick(range(13))
    if kind == 0:
        b.apply("torch.flatten({x}, 1)")
    elif kind == 1:
        b.apply("{x}.flatten(1)")
    elif kind == 2:
        b.apply("{x}.view({x}.size(0), -1)", named=True)
    elif kind == 3:
        b.apply("{x}.reshape({x}.shape[0], -1)", named=True)
    elif kind == 4:
        b.apply(f"{{x}}.reshape(-1, {total})")
    elif kind == 5:
        b.apply("{x}.flatten(start_dim=1)")
    elif kind == 6:
        b.apply("torch.flatten({x}, start_dim=1)")
    elif kind == 7:
        name = b.flush()
        size = b.pick(("{x}.size(0)", "{x}.shape[0]", "len({x})")).format(x=name)
        b.body.append(f"b = {size}{b.trailing()}")
        b.apply("{x}.reshape(b, -1)")
    elif kind == 8:
        name = b.flush()
        b.body.append(f"n, c, hh, ww = {name}.shape")
        b.apply("{x}.reshape(n, c * hh * ww)")
    elif kind in (9, 10):
        b.apply(
            b.pick(
                (
                    "{x}.mean((2, 3))",
                    "{x}.mean(dim=[2, 3])",
                    "torch.mean({x}, dim=(2, 3))",
                    "{x}.mean([2, 3], keepdim=False)",
                )
            )
        )
        total = channels
    elif kind == 11:
        b.call("flat", "Flatten", [], b.state, weights=False)
    else:
        b.apply("{F}.adaptive_avg_pool2d({x}, 1).flatten(1)")
        total = channels
    b.state = (total,)


def _branch(b: _Builder) -> None:
    kind = b.pick(("inline", "skip", "merge", "merge", "early", "name"))
    if kind == "inline":
        b.apply(
            b.pick(("{x} + {F}.relu({x})", "{x} * torch.sigmoid({x})", "torch.add({x}, torch.tanh({x}))")),
            named=True,
            loose=True,
        )
    elif kind == "skip" and len(b.skips) < 2:
        name = f"identity{len(b.skips) or ''}"
        b.body.append(f"{name} = {b.flush()}{b.trailing()}")
        b.fresh = b.fresh and b.one_in(2)
        b.skips.append((name, b.state))
    elif kind == "name" and len(b.skips) < 2:
        old = b.flush()
        if old != b.variable or b.depth == 0:
            b.skips.append((b.variable, b.state))
            b.fresh = False
            b.apply("{F}.relu({x})")
            b.flush(keep=True)
    elif kind == "merge":
        same = [(name, state) for name, state in b.skips if state == b.state and name != b.variable]
        if same:
            skip = b.pick(same)
            b.skips.remove(skip)
            b.fresh = False
            form = b.pick(("+", "r+", "cat", "add", "+="))
            if form == "+=":
                name = b.flush(keep=True) if b.depth else b.flush()
                if b.body and b.body[-1].startswith(f"{name} = self.conv"):
                    b.body.append(f"{name} += {skip[0]}{b.trailing()}")
                else:
                    b.apply(f"{{x}} + {skip[0]}", loose=True)
            elif form == "cat":
                b.apply(f"torch.cat([{{x}}, {skip[0]}], dim=1)")
                b.state = (2 * b.state[0], *b.state[1:])
            else:
                text = {"+": f"{{x}} + {skip[0]}", "r+": f"{skip[0]} + {{x}}", "add": f"torch.add({{x}}, {skip[0]})"}[
                    form
                ]
                b.apply(text, loose=form != "add")
    elif kind == "early" and len(b.state) == 1 and len(b.skips) < 2:
        name = b.flush()
        layer = _Layer(b.attribute("early"), "Linear", [b.number(b.state[0]), b.number(b.state[0])], True)
        b.layers.append(layer)
        early = f"early{len(b.skips)}"
        b.body.append(f"{early} = {b.me}.{layer.attribute}({name}){b.trailing()}")
        b.fresh = False
        b.skips.append((early, b.state))


def _other(b: _Builder) -> None:
    """What forwards also do: statements, branches, blocks and tensors of the class."""
    kind = b.pick(
        (
            "local",
            "training",
            "assert",
            "parameter",
            "buffer",
            "chained",
            "loop",
            "block",
            "brackets",
            "if",
            "size",
            "del",
            "row",
        )
    )
    if kind == "local":
        name = f"factor{len(b.body)}"
        b.body.append(f"{name} = 0.5{b.trailing()}")
        b.apply(f"{{x}} * {name}", loose=True)
    elif kind == "training" and b.one_in(2):
        name = b.flush()
        b.body += [f"if {b.me}.training:{b.trailing()}", f"    {name} = {name} * 1.5{b.trailing()}"]
    elif kind == "if":
        name = b.flush()
        condition = b.pick(
            (f"{name}.dim() > 1", "True", f"{name}.size(0) > 0", f"{b.me}.flag", f"{name}.shape[-1] == 6")
        )
        b.body += [f"if {condition}:{b.trailing()}", f"    {name} = {b.functional}.relu({name}){b.trailing()}"]
        if b.one_in(2):
            b.body += ["else:", f"    {name} = {name} + 1"]
    elif kind == "assert":
        name = b.flush()
        b.body.append(b.pick((f"assert {name}.dim() == {len(b.state) + 1}", "pass", '"""A string."""')) + b.trailing())
    elif kind in ("parameter", "buffer"):
        name = f"{kind}{len(b.tensors)}"
        if kind == "parameter":
            b.tensors.append(f"{b.me}.{name} = {b.module('Parameter')}(torch.ones(1))")
        else:
            b.tensors.append(f'{b.me}.register_buffer("{name}", torch.ones(1))')
        b.apply(f"{{x}} * self.{name}", loose=True)
    elif kind == "chained":
        name = b.flush()
        other = f"also{len(b.body)}"
        b.body.append(f"{other} = {name} = torch.tanh({name}){b.trailing()}")
        if len(b.skips) < 2:
            b.skips.append((other, b.state))
        b.fresh = False
    elif kind == "loop":
        name = b.flush()
        b.body += [f"for _ in range(2):{b.trailing()}", f"    {name} = {b.functional}.elu({name}){b.trailing()}"]
        b.fresh = False
    elif kind == "block":
        name = b.flush()
        b.body += [f"with torch.enable_grad():{b.trailing()}", f"    {name} = {name}.sigmoid(){b.trailing()}"]
        b.fresh = False
    elif kind == "brackets":
        inner = b.flush()
        b.pending, b.depth, b.fresh = f"(({b.functional}.relu({inner})))", 1, False
    elif kind == "size":
        name = b.flush()
        b.body.append(f"total = {name}.numel(){b.trailing()}")
        if b.one_in(2):
            b.apply("{x} / total", loose=True)
    elif kind == "del":
        name = b.flush()
        b.body += [f"temporary = {name}", f"del temporary{b.trailing()}"]
        b.fresh = False
    elif kind == "row":
        name = b.flush()
        b.body.append(f"{name} = {name} + 0; {name} = {b.functional}.relu({name}){b.trailing()}")
        b.fresh = False


def _definition(b: _Builder, layer: _Layer) -> list[str]:
    """A layer's statement in `__init__`, on one row or several."""
    lines = []
    if b.one_in(12):
        lines.append("")
    above = b.comment(7)
    if above:
        lines.append(above)
    left = f"{b.me}.{layer.attribute}"
    if b.one_in(14):
        left += f": {b.module('Module')}"
    callee = b.module(layer.kind)
    if b.running and layer.kind in ("Linear", "Conv2d"):
        lines.append(f"size = {layer.arguments[0]}{b.trailing(8)}")
        arguments = ["size", *layer.arguments[1:]]
        lines.append(f"{left} = {callee}({', '.join(arguments)}){b.trailing(5)}")
    elif b.one_in(40):
        form = b.pick(
            (
                "{me}.add_module('{a}', {v})",
                "setattr({me}, '{a}', {v})",
                "if True:\n    {me}.{a} = {v}",
                "{me}.{a} = spare = {v}",
            )
        )
        value = f"{callee}({', '.join(layer.arguments)})"
        lines.append(form.format(me=b.me, a=layer.attribute, v=value) + b.trailing())
    elif b.one_in(30):
        lines.append(f"made = {callee}({', '.join(layer.arguments)}){b.trailing()}")
        lines.append(f"{left} = made{b.trailing()}")
    elif len(layer.arguments) >= 2 and b.one_in(6):
        lines.append(f"{left} = {callee}({b.trailing(4)}")
        for argument in layer.arguments:
            if inner := b.comment(8):
                lines.append(f"    {inner}")
            lines.append(f"    {argument},{b.trailing(5)}")
        if inner := b.comment(8):
            lines.append(f"    {inner}")
        lines.append(f"){b.trailing(5)}")
    else:
        lines.append(f"{left} = {callee}({', '.join(layer.arguments)}){b.trailing(5)}")
    if layer.kind in ("Linear", "Conv2d") and b.one_in(30):
        home = "torch.nn" if b.style in ("torch", "names") else "nn"
        form = b.pick(("{nn}.init.normal_({w})", "{w}.data.mul_(0.5)", "{nn}.init.uniform_({w}, -0.1, 0.1)"))
        lines.append(form.format(nn=home, w=f"{b.me}.{layer.attribute}.weight") + b.trailing())
    return lines


def _after_layers(b: _Builder) -> list[str]:
    """Statements that follow the layers in `__init__`."""
    lines = []
    linear = [layer for layer in b.layers if layer.kind == "Linear" and "bias=False" not in layer.arguments]
    convs = [layer for layer in b.layers if layer.kind == "Conv2d"]
    if linear and b.one_in(5):
        layer = b.pick(linear)
        form = b.pick(
            (
                "{nn}.init.zeros_({me}.{a}.bias)",
                "{me}.{a}.bias.data.fill_(0.1)",
                "{nn}.init.constant_({me}.{a}.weight, 0.2)",
            )
        )
        home = "torch.nn" if b.style in ("torch", "names") else "nn"
        lines.append(form.format(nn=home, me=b.me, a=layer.attribute) + b.trailing())
    if (linear or convs) and b.one_in(6):
        home = "torch.nn" if b.style in ("torch", "names") else "nn"
        lines += [
            f"for m in {b.me}.modules():{b.trailing()}",
            f"    if isinstance(m, ({b.module('Linear')}, {b.module('Conv2d')})):",
            f"        {home}.init.{b.pick(('constant_(m.weight, 0.1)', 'normal_(m.weight)'))}{b.trailing()}",
        ]
    if lines and (above := b.comment(4)):
        lines.insert(0, above)
    return lines


def _methods(b: _Builder) -> tuple[list[str], list[str]]:
    """Methods besides forward, as lines of the class, and the names of those that can be called."""
    lines: list[str] = []
    names: list[str] = []
    weighted = [layer for layer in b.layers if layer.kind in ("Linear", "Conv2d")]
    if weighted and b.one_in(5):
        layer = b.pick(weighted)
        form = b.pick(("plain", "property", "norm"))
        comment = b.trailing(3)
        if form == "property":
            lines += [
                "@property",
                f"def first_weight({b.me}):",
                f"    return {b.me}.{layer.attribute}.weight{comment}",
                "",
            ]
            names.append("first_weight")
        elif form == "plain":
            lines += [f"def weights({b.me}):", f"    return {b.me}.{layer.attribute}.weight * 2{comment}", ""]
            names.append("weights")
        else:
            lines += [
                f"def weight_norm({b.me}):",
                '    """The norm of some weights."""',
                f"    total = {b.me}.{layer.attribute}.weight.pow(2).sum(){comment}",
                "    return total.sqrt()",
                "",
            ]
            names.append("weight_norm")
    return lines, names


def _indent(lines: list[str], by: int) -> list[str]:
    return [" " * by + part if part else "" for line in lines for part in line.split("\n")]


@st.composite
def programs(draw: Callable[..., Any]) -> Program:
    """A file with a class `Net`, and the input that it takes."""
    b = _Builder(draw)
    b.style = b.pick(("nn", "nn", "from", "torch", "names"))
    b.talkative = b.pick((1, 1, 2, 4))
    b.running = b.one_in(10)
    b.me = "this" if b.one_in(15) else "self"
    b.variable = b.pending = b.pick(("x", "x", "input", "z"))
    b.names = [b.variable]
    first = b.variable
    image = not b.one_in(3)
    side = b.pick((6, 8))
    b.state = (b.pick((1, 3, 4)), side, side) if image else (b.pick((4, 10)),)
    shape = (b.pick((2, 4)), *b.state)
    if b.one_in(3):
        _weighted(b)
    kinds = ("weighted", "weighted", "pointwise", "pointwise", "pointwise", "spatial", "flatten", "branch")
    kinds += b.pick(((), (), ("other",), ("other", "branch", "branch", "other")))
    for _ in range(draw(st.integers(1, 9))):
        spatial = len(b.state) == 3
        kind = b.pick(kinds)
        if kind == "weighted":
            _weighted(b)
        elif kind == "pointwise":
            _pointwise(b)
        elif kind == "branch":
            _branch(b)
        elif kind == "other":
            _other(b)
        elif spatial:
            (_spatial if kind == "spatial" else _flatten)(b)
    if not b.layers or b.one_in(2):
        _weighted(b)
    if b.one_in(3):
        b.flush()
    result = b.pending
    if b.skips and b.one_in(4):
        b.flush()
        result = f"{b.variable}, {b.skips[-1][0]}"
    b.body.append(f"return {result}{b.trailing()}")

    text = "\n".join(b.body)
    used = [name for name in _CONFIG if f"{b.me}.{name}" in text]
    used = [name for name in used if name not in {layer.attribute for layer in b.layers}]
    unused = []
    if b.one_in(8):
        unused.append(_Layer(b.attribute("spare"), "Linear", ["3", "2"], True))
    layers = [*b.layers, *unused]
    if b.one_in(3):
        layers = draw(st.permutations(layers))
    init = [line for layer in layers for line in _definition(b, layer)]
    init += [statement + b.trailing() for statement in b.tensors]
    settings = [f"{b.me}.{name} = {_CONFIG[name]}{b.trailing()}" for name in used]
    after = _after_layers(b) if not unused else []
    methods, callable_names = _methods(b)

    lines = []
    if b.one_in(2):
        lines += ['"""A file of models."""', ""]
    if above := b.comment(6):
        lines += [above]
    lines += {
        "nn": ["import torch", "import torch.nn as nn", "import torch.nn.functional as F"],
        "from": ["import torch", "from torch import nn", "from torch.nn import functional as F"],
        "torch": ["import torch"],
        "names": ["import torch", "import torch.nn.functional as F", "from torch.nn import {names}"],
    }[b.style]
    lines += ["", ""]
    if above := b.comment(6):
        lines += [above]
    lines.append(f"class Net({b.module('Module')}):{b.trailing()}")
    if b.one_in(2):
        lines += _indent(['"""Takes (N, ...).', "", "# not a comment", '"""', ""], 4)
    lines += _indent([f"def __init__({b.me}, width{b.pick(('=6', ': int = 6'))}):{b.trailing(8)}"], 4)
    lines += _indent([b.pick(("super().__init__()", f"super(Net, {b.me}).__init__()")) + b.trailing()], 8)
    lines += _indent([*settings, *init, *after], 8)
    lines += [""]
    before = b.one_in(2)
    if before:
        lines += _indent(methods, 4)
    lines += _indent([f"def forward({b.me}, {first}):{b.trailing(8)}"], 4)
    if b.one_in(6):
        lines += _indent(['"""Run it."""'], 8)
    lines += _indent(b.body, 8)
    if not before and methods:
        lines += ["", *_indent(methods[:-1], 4)]
    if b.one_in(4):
        lines += ["", "", f"LIMIT = 3{b.trailing(2)}"]
    text = "\n".join(lines) + "\n"
    text = text.replace("{names}", ", ".join(sorted(b.imported)))
    others = [(1, *shape[1:]), (5, *shape[1:])]
    if image:
        others += [(3, shape[1], 2 * side, 2 * side), (2, shape[1], side, side + 2)]
    return Program(text, b.pick(("Net", "Net", "Net()", "Net(width=6)")), shape, tuple(others), tuple(callable_names))
