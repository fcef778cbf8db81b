"""The class that is written for a live module: its attributes, their order, and what cannot be written."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqify.constructed import recording
from seqify.emit.literal import CannotWrite
from seqify.inputs import from_values
from seqify.observe import observe
from seqify.plain import PlainClass, write_class


class Block(nn.Module):
    """A block of somebody's, which a written class imports."""

    def __init__(self, width: int, act: Any = nn.ReLU, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.fc = nn.Linear(width, width)
        self.norm = norm
        self.act = act()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.fc(x))  # type: ignore[no-any-return]


class Given(nn.Module):
    """Holds parts, and runs a function on them."""

    def __init__(self, run: Any, **parts: Any) -> None:
        super().__init__()
        self._run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Any:
        return self._run(self, x)


def plain(build: Any, example: Tensor | None = None, depth: int | str = 0) -> PlainClass:
    """The class for what a function builds."""
    with recording() as made:
        net = build()
    example = torch.ones(2, 4) if example is None else example
    flow = observe(net, from_values(net, (example,)), depth)
    return write_class(net, flow, made, "origin", {"x": tuple(example.shape)})


def rows(written: PlainClass) -> list[str]:
    """The lines of `__init__`, without `self.` and comments."""
    text = written.text.partition("super().__init__()\n")[2].partition("    def forward(")[0]
    lines = [line.strip().removeprefix("self.").partition("  # ")[0] for line in text.splitlines()]
    return [line for line in lines if line]


def rebuilt(written: PlainClass) -> nn.Module:
    space: dict[str, Any] = {"__name__": "written"}
    exec(compile(written.text, "<written>", "exec"), space)
    module: nn.Module = space[written.name]()
    return module


def chain(*names: str) -> Any:
    """A forward that runs the named attributes one after the other."""

    def run(self: nn.Module, x: Tensor) -> Tensor:
        for name in names:
            x = self.get_submodule(name)(x)
        return x

    return run


def test_the_whole_text() -> None:
    def run(self: Any, x: Tensor) -> Tensor:
        y = torch.relu(self.conv(x))
        return self.block(y.mean((2, 3))) * self.gain  # type: ignore[no-any-return]

    written = plain(
        lambda: Given(
            run, conv=nn.Conv2d(3, 4, 3, padding=1), block=Block(4, act=nn.GELU), gain=nn.Parameter(torch.ones(4))
        ),
        torch.ones(2, 3, 8, 8),
    )
    text = written.text.replace(written.text.splitlines()[0], '"""A title."""').replace(f"from {__name__}", "from home")

    expected = '''
        """A title."""

        import torch
        from home import Block
        from torch import nn


        class Given(nn.Module):
            """What `origin` builds: its layers, and what its forward does with them."""

            def __init__(self) -> None:
                super().__init__()
                self.gain = nn.Parameter(torch.zeros(4))
                self.conv = nn.Conv2d(3, 4, kernel_size=3, padding=1)  # (N, 4, 8, 8)
                self.block = Block(4, act=nn.GELU)  # (N, 4)

            def forward(self, x):
                x = self.conv(x)
                y = torch.relu(x)
                y = y.mean((2, 3))
                y = self.block(y)
                return y * self.gain
    '''
    lines = [line for line in text.splitlines() if not line.startswith(("import", "from"))]
    wanted = textwrap.dedent(expected).lstrip("\n").splitlines()

    assert lines == [line for line in wanted if not line.startswith(("import", "from"))]
    assert {line for line in text.splitlines() if line not in lines} == {
        "import torch",
        "from home import Block",
        "from torch import nn",
    }
    assert written.name == "Given" and not written.gathered
    assert written.paths == {"gain": "gain", "conv": "conv", "block": "block"}


def test_the_first_line_says_where_it_comes_from() -> None:
    first = plain(lambda: Given(chain("a"), a=nn.Linear(4, 4))).text.splitlines()[0]

    assert first.startswith('"""Given, written by seqify ') and first.endswith(' from `origin`."""')


def test_layers_stand_in_the_order_of_the_module() -> None:
    written = plain(lambda: Given(chain("late", "early"), early=nn.Linear(4, 4), late=nn.Linear(4, 4, bias=False)))

    assert rows(written) == ["early = nn.Linear(4, 4)", "late = nn.Linear(4, 4, bias=False)"]


def test_buffers_that_are_saved_and_those_that_are_not() -> None:
    def build() -> nn.Module:
        net = Given(lambda self, x: self.a(x) * self.scale + self.shift[0] + self.steps, a=nn.Linear(4, 4))
        net.register_buffer("scale", torch.full((4,), 3.0))
        net.register_buffer("steps", torch.tensor(2))
        net.register_buffer("shift", torch.tensor([0.5, 1 / 3]), persistent=False)
        return net

    written = plain(build)

    assert rows(written) == [
        'register_buffer("scale", torch.zeros(4))',
        'register_buffer("steps", torch.zeros((), dtype=torch.int64))',
        'register_buffer("shift", torch.tensor([0.5, 0.3333333432674408]), persistent=False)',
        "a = nn.Linear(4, 4)",
    ]
    new, old = rebuilt(written), build()
    assert list(new.state_dict()) == list(old.state_dict())
    assert torch.equal(new.shift, old.shift)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int32, torch.bool, torch.uint8])
def test_an_unsaved_buffer_keeps_its_type(dtype: torch.dtype) -> None:
    value = torch.tensor([[1, 0], [0, 1]]).to(dtype)

    def build() -> nn.Module:
        net = Given(lambda self, x: self.a(x) + self.mask.float().sum(), a=nn.Linear(4, 4))
        net.register_buffer("mask", value.clone(), persistent=False)
        return net

    new = rebuilt(plain(build))

    assert new.mask.dtype == dtype and torch.equal(new.mask, value)


def test_frozen_parts() -> None:
    def build() -> nn.Module:
        scale, count = nn.Parameter(torch.ones(4), False), nn.Parameter(torch.ones(4, dtype=torch.long), False)
        parts = {"a": nn.Linear(4, 4).requires_grad_(False), "b": nn.Linear(4, 4)}
        return Given(lambda self, x: self.b(self.a(x)) * self.scale + self.count, **parts, scale=scale, count=count)

    written = plain(build)

    assert rows(written) == [
        "scale = nn.Parameter(torch.zeros(4), requires_grad=False)",
        "count = nn.Parameter(torch.zeros(4, dtype=torch.int64), requires_grad=False)",
        "a = nn.Linear(4, 4).requires_grad_(False)",
        "b = nn.Linear(4, 4)",
    ]
    frozen = {name for name, item in rebuilt(written).named_parameters() if not item.requires_grad}
    assert frozen == {name for name, item in build().named_parameters() if not item.requires_grad}


def test_tied_weights_are_tied_again() -> None:
    def build() -> nn.Module:
        net = Given(chain("a", "stack", "block"), a=nn.Linear(4, 4), stack=nn.Sequential(nn.Linear(4, 4), nn.ReLU()),
                    block=Block(4))  # fmt: skip
        net.stack[0].weight = net.a.weight
        net.block.fc.bias = net.a.bias
        return net

    written = plain(build)

    assert rows(written)[-2:] == ["stack[0].weight = self.a.weight", "block.fc.bias = self.a.bias"]
    new = rebuilt(written)
    assert new.stack[0].weight is new.a.weight and new.block.fc.bias is new.a.bias
    assert list(new.state_dict()) == list(build().state_dict())


def test_one_module_under_two_names() -> None:
    def build() -> nn.Module:
        net = Given(chain("a", "b"), a=nn.Linear(4, 4), b=nn.ReLU())
        net.again = net.a
        return net

    written = plain(build)

    assert rows(written) == ["a = nn.Linear(4, 4)", "b = nn.ReLU()", "again = self.a"]
    assert list(rebuilt(written).state_dict()) == list(build().state_dict())


def test_one_parameter_under_two_names() -> None:
    def build() -> nn.Module:
        net = Given(lambda self, x: self.a(x) * self.p + self.q, a=nn.Linear(4, 4), p=nn.Parameter(torch.ones(4)))
        net.q = net.p
        return net

    assert rows(plain(build))[:2] == ["p = nn.Parameter(torch.zeros(4))", "q = self.p"]


def test_a_list_that_is_run_in_order_becomes_a_sequential() -> None:
    def build() -> nn.Module:
        layers = nn.ModuleList([nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4)])
        return Given(chain("a", "layers.0", "layers.1", "layers.2"), a=nn.Linear(4, 4), layers=layers)

    written = plain(build)

    assert rows(written)[1:] == ["layers = nn.Sequential(", "nn.Linear(4, 8),", "nn.ReLU(),", "nn.Linear(8, 4),", ")"]
    assert written.gathered and "return self.layers(x)" in written.text
    assert list(rebuilt(written).state_dict()) == list(build().state_dict())


def reversed_list(self: Any, x: Tensor) -> Tensor:
    for layer in reversed(self.layers):
        x = layer(x)
    return x


def one_left_out(self: Any, x: Tensor) -> Tensor:
    for layer in self.layers[:-1]:
        x = layer(x)
    return x


def one_between(self: Any, x: Tensor) -> Tensor:
    for layer in self.layers:
        x = layer(x).relu()
    return x


def kept_values(self: Any, x: Tensor) -> Any:
    values = []
    for layer in self.layers:
        values.append(x := layer(x))
    return values


@pytest.mark.parametrize("run", [reversed_list, one_left_out, one_between, kept_values])
def test_a_list_that_is_run_otherwise_becomes_single_layers(run: Any) -> None:
    def build() -> nn.Module:
        return Given(run, layers=nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4, bias=False), nn.Linear(4, 4)]))

    written = plain(build)

    assert rows(written) == [
        "layers_0 = nn.Linear(4, 4)",
        "layers_1 = nn.Linear(4, 4, bias=False)",
        "layers_2 = nn.Linear(4, 4)",
    ]
    assert not written.gathered
    assert written.paths == {f"layers.{index}": f"layers_{index}" for index in range(3)}


def test_submodules_that_are_never_called_keep_their_keys() -> None:
    def build() -> nn.Module:
        unused = {"idle": nn.Linear(2, 3), "spare": nn.Sequential(nn.Conv1d(1, 1, 3), nn.ReLU()), "act": nn.Tanh()}
        return Given(chain("a", "b"), a=nn.Linear(4, 4), b=nn.Linear(4, 4), **unused)

    written = plain(build)

    assert "idle = nn.Linear(2, 3)" in rows(written)
    assert not any(line.startswith("act") for line in rows(written))
    assert list(rebuilt(written).state_dict()) == list(build().state_dict())


def test_names_that_are_taken() -> None:
    names = ["append", "type_", "b", "b_c"]

    def build() -> nn.Module:
        net = Given(chain(*names[:2], "b.c", "b_c"), **{name: nn.Linear(4, 4) for name in ("append", "type_", "b_c")})
        net.b = nn.ModuleDict({"c": nn.Linear(4, 4)})
        return net

    written = plain(build)

    assert written.paths["append"] == "append_"
    assert len(set(written.paths.values())) == len(written.paths) == 4
    assert sorted(f"{name}.{end}" for name in written.paths.values() for end in ("weight", "bias")) == sorted(
        rebuilt(written).state_dict()
    )


def test_names_inside_of_opened_submodules() -> None:
    def build() -> nn.Module:
        return Given(chain("stem", "body.0", "body.1"), stem=Block(4), body=nn.ModuleList([Block(4), Block(4)]))

    assert set(plain(build).paths) == {"stem", "body"}
    assert plain(build, depth=1).paths == {
        "stem.fc": "stem_fc",
        "stem.act": "stem_act",
        "body.0.fc": "body_0_fc",
        "body.0.act": "body_0_act",
        "body.1.fc": "body_1_fc",
        "body.1.act": "body_1_act",
    }


def test_a_long_class_has_paragraphs() -> None:
    def build() -> nn.Module:
        layers: dict[str, nn.Module] = {f"conv{index}": nn.Conv2d(3, 3, 3, padding=1) for index in range(12)}
        layers |= {"pool": nn.MaxPool2d(2), "last": nn.Conv2d(3, 3, 1)}
        return Given(chain(*layers), **layers)

    text = plain(build, torch.ones(2, 3, 8, 8)).text

    assert "# (N, 3, 8, 8)\n\n        self.pool = nn.MaxPool2d(" in text


def test_a_parameter_of_a_layer_that_is_not_called() -> None:
    def build() -> nn.Module:
        return Given(lambda self, x: torch.relu(x @ self.a.weight), a=nn.Linear(4, 4))

    written = plain(build)

    assert rows(written) == ["a_weight = nn.Parameter(torch.zeros(4, 4))", "a_bias = nn.Parameter(torch.zeros(4))"]
    assert written.paths == {"a.weight": "a_weight", "a.bias": "a_bias"}


def hooked(layer: nn.Module) -> nn.Module:
    layer.register_forward_hook(lambda module, args, output: output * 2)
    return layer


class Local:
    @staticmethod
    def kind() -> type[nn.Module]:
        class Inner(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return x * 2

        return Inner


def long_buffer() -> nn.Module:
    net = Given(lambda self, x: self.a(x) + self.mask.sum(), a=nn.Linear(4, 4))
    net.register_buffer("mask", torch.ones(5, 4), persistent=False)
    return net


def changed() -> nn.Module:
    layer = Block(4)
    layer.act = nn.Tanh()
    return Given(chain("a"), a=layer)


@pytest.mark.parametrize(
    ("build", "path", "reason"),
    [
        (lambda: Given(chain("a"), a=Block(4, act=lambda: nn.ReLU())), "a", "`act` is a lambda"),
        (lambda: Given(chain("a"), a=Local.kind()()), "a", "`Inner` is defined inside a function"),
        (long_buffer, "mask", "it is a buffer that no checkpoint holds, and too long to write out"),
        (changed, "a.act", "was replaced after construction: it is `Tanh`, and built it would be `ReLU`"),
        (lambda: Given(chain("a"), a=hooked(nn.Linear(4, 4))), "a", "`a` carries a forward hook"),
        (
            lambda: Given(chain("a"), a=nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))),
            "a",
            "`a` has parametrizations",
        ),
    ],
)
def test_what_cannot_be_built_again(build: Any, path: str, reason: str) -> None:
    with pytest.raises(CannotWrite) as caught:
        plain(build)

    assert caught.value.path == path
    assert reason in caught.value.reason


def test_without_a_record_of_its_construction_a_block_cannot_be_written() -> None:
    net = Given(chain("a"), a=Block(4))
    flow = observe(net, from_values(net, (torch.ones(2, 4),)))
    with recording() as made:
        pass

    with pytest.raises(CannotWrite, match="nothing recorded how `Block` was built"):
        write_class(net, flow, made, "origin", {"x": (2, 4)})
