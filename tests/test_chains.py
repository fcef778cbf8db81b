"""Straight lines and what breaks them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from seqify.chains import find_gaps
from seqify.sorter import is_stateless

X = torch.randn(8, 4)
IMAGE = torch.randn(8, 3, 8, 8)

MLP = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 4)
        self.fc2 = nn.Linear(4, 4)
        self.relu = nn.ReLU()
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
"""


def body(text: str) -> str:
    return MLP + "".join(f"        {line}\n" for line in text.strip().splitlines())


def test_nested_calls_are_one_line(look):
    seen = look(body("return self.fc2(torch.relu(self.fc1(x)))"), X)

    assert seen.lines == [["fc1", "nn.ReLU()", "fc2"]]
    assert seen.breaks == []


def test_rebinding_one_name_is_one_line(look):
    seen = look(body("x = self.fc1(x)\nx = x.relu()\nx = self.fc2(x)\nreturn x"), X)

    assert seen.lines == [["fc1", "nn.ReLU()", "fc2"]]
    assert seen.chains.chains[0].statements == (0, 1, 2)


def test_names_of_their_own_are_one_line(look):
    assert look(body("a = self.fc1(x)\nb = F.relu(a)\nc: torch.Tensor = self.fc2(b)\nreturn c"), X).lines == [
        ["fc1", "nn.ReLU()", "fc2"]
    ]


def test_method_chains_are_one_line(look):
    assert look(body("return self.fc1(x).relu().sigmoid().tanh()"), X).lines == [
        ["fc1", "nn.ReLU()", "nn.Sigmoid()", "nn.Tanh()"]
    ]


def test_a_second_use_of_a_value_ends_the_line(look):
    seen = look(body("y = F.relu(self.fc1(x))\nreturn self.fc2(y) + y"), X)

    assert seen.lines == [["fc1", "nn.ReLU()"], ["fc2"]]
    assert seen.breaks == [
        ("SQ201", "the value of `F.relu(self.fc1(x))` is used 2 times"),
        ("SQ202", "`self.fc2(y) + y` takes 2 tensors"),
    ]


def test_a_value_that_is_also_returned_ends_the_line(look):
    seen = look(body("y = self.fc1(x)\nz = self.fc2(y)\nreturn y, z"), X)

    assert seen.lines == [["fc1"], ["fc2"]]
    assert [code for code, _ in seen.breaks] == ["SQ201"]


def test_two_branches_are_two_lines(look):
    seen = look(body("a = F.relu(self.fc1(x))\nb = F.relu(self.fc2(x))\nreturn a + b"), X)

    assert seen.lines == [["fc1", "nn.ReLU()"], ["fc2", "nn.ReLU()"]]


def test_interleaved_branches_are_not_put_in_another_order(look):
    """A rewrite never reorders calls: each step here has another step between itself and the one it takes."""
    seen = look(body("a = self.fc1(x)\nb = self.fc2(x)\na = F.relu(a)\nb = F.relu(b)\nreturn a + b"), X)

    assert seen.lines == [["fc1"], ["fc2"], ["nn.ReLU()"], ["nn.ReLU()"]]


def test_a_name_that_is_read_later_ends_the_line(look):
    """The dataflow has one user for `y`, yet the source needs the name once more."""
    seen = look(body("y = self.fc1(x)\nz = self.fc2(y)\ndel y\nreturn z"), X)

    assert ["fc1", "fc2"] not in seen.lines or 2 not in seen.chains.chains[0].statements


def test_a_name_read_in_a_nested_function_ends_the_line(look):
    seen = look(body("y = self.fc1(x)\nf = lambda: y\nz = self.fc2(y)\nreturn z"), X)

    assert ["fc1", "fc2"] not in seen.lines


def test_a_statement_in_between_ends_the_line(look):
    seen = look(body("x = self.fc1(x)\nprint('here')\nx = self.fc2(x)\nreturn x"), X)

    assert seen.lines == [["fc1"], ["fc2"]]
    assert seen.breaks == [("SQ409", "a statement between two layers stays in forward")]


def test_an_assertion_on_the_value_ends_the_line(look):
    seen = look(body("x = self.fc1(x)\nassert x.shape[1] == 4\nx = self.fc2(x)\nreturn x"), X)

    assert seen.lines == [["fc1"], ["fc2"]]


@pytest.mark.parametrize(
    "read",
    ["b = x.size(0)", "b = x.shape[0]", "b = len(x)", "b, _ = x.size()", "b, *_ = x.shape"],
)
def test_a_size_that_only_the_line_needs_is_a_gap(look, read):
    seen = look(body(f"x = self.fc1(x)\n{read}\nx = x.view(b, -1)\nx = self.fc2(x)\nreturn x"), X)

    if "*" in read:  # not a plain list of names: the line ends there
        assert seen.lines == [["fc1"], ["nn.Flatten()", "fc2"]]
    else:
        assert seen.lines == [["fc1", "nn.Flatten()", "fc2"]]
        assert find_gaps(seen.cls, seen.chains.chains) == (1,)


def test_a_size_of_the_same_value_may_be_read_under_another_name(look):
    seen = look(body("x = self.fc1(x)\ny = x\nx = y.view(y.size(0), -1)\nreturn x"), X)

    assert seen.lines == [["fc1"], ["nn.Flatten()"]]


def test_a_size_of_an_earlier_tensor_is_computed_in_forward(look):
    """That `fc1` keeps the batch is known to the reader, not to the recording."""
    seen = look(body("b = x.size(0)\nx = self.fc1(x)\nreturn x.view(b, -1)"), X)

    assert seen.lines == [["fc1"]]
    assert seen.breaks == [("SQ308", "the shape is computed from a tensor's size")]
    assert find_gaps(seen.cls, seen.chains.chains) == ()


def test_a_size_that_is_needed_elsewhere_stays(look):
    seen = look(body("b = x.size(0)\nx = self.fc1(x)\nx = x.view(b, -1)\nreturn x, b"), X)

    assert find_gaps(seen.cls, seen.chains.chains) == ()


def test_a_size_between_two_layers_that_is_needed_later_cuts_the_line(look):
    seen = look(body("x = self.fc1(x)\nb = x.size(0)\nx = self.fc2(x)\nreturn x.expand(2, b, 4)"), X)

    assert seen.lines == [["fc1"], ["fc2"]]


def test_a_call_under_a_condition_ends_the_line(look):
    seen = look(body("x = self.fc1(x)\nif x.dim() == 2:\n    x = F.relu(x)\nreturn self.fc2(x)"), X)

    assert seen.lines == [["fc1"], ["fc2"]]
    assert seen.breaks == [("SQ409", "`F.relu(x)` stands in a loop, a condition or a block")]


@pytest.mark.parametrize(
    "text",
    [
        "for _ in range(1):\n    x = self.fc1(x)\nreturn x",
        "with torch.no_grad():\n    x = self.fc1(x)\nreturn x",
        "x = self.fc1(x) if x.dim() == 2 else x\nreturn x",
        "return [self.fc1(v) for v in (x,)][0]",
        "x = (lambda v: self.fc1(v))(x)\nreturn x",
    ],
)
def test_calls_in_blocks_and_expressions_of_their_own_scope_are_no_layers(look, text):
    seen = look(body(text), X)

    assert seen.lines == []
    assert seen.breaks[0][0] == "SQ409"


def test_a_call_in_a_helper_method_is_no_layer(look):
    text = body("return self.fc2(self.half(x))") + "\n    def half(self, x):\n        return self.fc1(x)\n"
    seen = look(text, X)

    assert seen.lines == [["fc2"]]
    assert seen.breaks == [("SQ409", "`fc1` is called in `Net.half`, not in forward itself")]


def test_gradient_mode_ends_the_line(look):
    seen = look(body("torch.set_grad_enabled(True)\nreturn self.fc2(self.fc1(x))"), X)

    assert seen.lines == [["fc1", "fc2"]]


def test_layers_with_other_calls_around_them(look):
    seen = look(body("return self.fc1(x).topk(1)[0]"), X)

    assert seen.lines == [["fc1"]]
    assert seen.breaks[0] == ("SQ203", "`self.fc1(x).topk(1)` returns several values")


def test_a_module_with_several_arguments_is_no_layer(look):
    seen = look(
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.bilinear = nn.Bilinear(4, 4, 4)
                self.fc = nn.Linear(4, 4)

            def forward(self, x):
                x = self.fc(x)
                return self.bilinear(x, x)
        """,
        X,
    )

    assert seen.breaks == [("SQ202", "`self.bilinear(x, x)` takes 2 tensors")]


@pytest.mark.parametrize("call", ["self.fc1(input=x)", "self.fc1.forward(x)", "getattr(self, 'fc1')(x)"])
def test_other_ways_to_call_a_module_are_no_layer(look, call):
    assert look(body(f"return self.fc2(F.relu({call}))"), X).lines == [["nn.ReLU()", "fc2"]]


def test_a_parameter_of_the_class_is_no_layer(look):
    seen = look(body("return F.linear(x, self.fc1.weight)"), X)

    assert seen.breaks == [("SQ307", "`F.linear(x, self.fc1.weight)` takes a tensor of the class itself")]


def test_a_call_without_tensors_is_no_layer(look):
    seen = look(body("return self.fc1(x) + torch.ones(4)"), X)

    assert ("SQ301", "`torch.ones(4)` takes no tensor") in seen.breaks


def test_a_function_without_a_module_is_no_layer(look):
    seen = look(body("return self.fc2(torch.cumsum(self.fc1(x), 1))"), X)

    assert seen.lines == [["fc1"], ["fc2"]]
    assert seen.breaks == [("SQ301", "`torch.cumsum` has no module in torch.nn")]


def test_a_module_without_state_may_be_called_twice(look):
    assert look(body("return self.relu(self.fc2(self.relu(self.fc1(x))))"), X).lines == [["fc1", "relu", "fc2", "relu"]]


def test_a_module_with_weights_called_twice_is_no_layer(look):
    seen = look(body("return self.fc1(self.relu(self.fc1(x)))"), X)

    assert seen.lines == [["relu"]]
    assert seen.breaks == [("SQ204", "`self.fc1` is called 2 times")] * 2


def test_a_module_under_two_names_is_no_layer(look):
    seen = look(body("return self.fc2(self.fc1(x))").replace("self.fc2 = nn.Linear(4, 4)", "self.fc2 = self.fc1"), X)

    assert seen.lines == []
    assert {code for code, _ in seen.breaks} & {"SQ204"}


def test_a_module_registered_nowhere_is_no_layer(look):
    seen = look(body("return self.fc1(self.held[0](x))").replace("nn.Dropout(0.5)", "0; self.held = [nn.ReLU()]"), X)

    assert seen.breaks[0] == ("SQ210", "self.held[0] is registered nowhere")


@pytest.mark.parametrize(
    ("built", "reason"),
    [
        ("if True:\n            self.drop = nn.Dropout(0.5)", ("SQ402", "`self.drop` is built in a loop, a condition or together with others")),
        ("self.drop, self.e = nn.Dropout(0.5), 1", ("SQ402", "`self.drop` is built in a loop, a condition or together with others")),
        ("self.drop = nn.Dropout(0.1)\n        self.drop = nn.Dropout(0.5)", ("SQ402", "`self.drop` is assigned 2 times in `__init__`")),
        ("setattr(self, 'drop', nn.Dropout(0.5))", ("SQ402", "`self.drop` is not assigned in `__init__`")),
    ],
)  # fmt: skip
def test_a_module_built_in_other_ways_is_no_layer(look, built, reason):
    seen = look(body("return self.drop(self.fc1(x))").replace("self.drop = nn.Dropout(0.5)", built), X)

    assert seen.lines == [["fc1"]]
    assert seen.breaks == [reason]


def test_a_module_that_another_method_assigns_is_no_layer(look):
    text = body("return self.drop(self.fc1(x))") + "\n    def freeze(self):\n        self.drop = nn.Identity()\n"

    assert look(text, X).breaks == [("SQ403", "`self.drop` is assigned outside `__init__` too")]


def test_modules_in_a_list_are_no_layers(look):
    seen = look(
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.ModuleList([nn.Linear(4, 4), nn.ReLU()])

            def forward(self, x):
                return self.layers[1](self.layers[0](x))
        """,
        X,
    )

    assert seen.lines == []
    assert seen.breaks[0] == ("SQ402", "`self.layers.0` is held in another module")


def test_one_statement_of_a_loop_is_not_a_layer_three_times(look):
    seen = look(body("for f in (self.fc1, self.relu, self.fc2):\n    x = f(x)\nreturn x"), X)

    assert seen.lines == []


def test_an_in_place_statement_between_two_layers_is_a_layer(look):
    seen = look(body("x = self.fc1(x)\nF.relu_(x)\nreturn self.fc2(x)"), X)

    assert seen.lines == [["fc1", "nn.ReLU(inplace=True)", "fc2"]]


def test_a_bare_in_place_call_is_never_the_last_of_a_line(look):
    """No variable would receive its value."""
    seen = look(body("x = self.fc1(x)\nF.relu_(x)\nreturn x"), X)

    assert seen.lines == [["fc1"]]


def test_an_in_place_change_of_an_alias_is_a_use(look):
    seen = look(body("y = self.fc1(x)\nz = y.view(8, 4)\ny.mul_(2)\nreturn self.fc2(z)"), X)

    assert all(len(line) == 1 for line in seen.lines)


def test_two_calls_of_one_line_of_source_are_told_apart(look):
    assert look(body("return F.relu(F.relu(self.fc1(x)))"), X).lines == [["fc1", "nn.ReLU()", "nn.ReLU()"]]


def test_a_call_over_several_rows(look):
    text = body("return (\n    self.fc1(\n        x\n    )\n    .relu()\n    .flatten(\n        1\n    )\n)")

    assert look(text, X).lines == [["fc1", "nn.ReLU()", "nn.Flatten()"]]


def test_breaks_are_in_the_order_of_the_calls(look):
    seen = look(body("y = torch.cumsum(x, 1)\nz = self.fc1(y)\nreturn z + z.cumsum(1)"), X)
    steps = [item.step for item in seen.chains.breaks]

    assert steps == sorted(steps)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.ReLU(), True),
        (nn.Dropout(), True),
        (nn.MaxPool2d(2), True),
        (nn.Linear(2, 2), False),
        (nn.PReLU(), False),
        (nn.BatchNorm1d(2, affine=False), False),
        (nn.BatchNorm1d(2, affine=False, track_running_stats=False), True),
        (nn.Sequential(), False),
        (nn.ModuleList(), False),
    ],
)
def test_is_stateless(module, expected):
    assert is_stateless(module) is expected


def test_a_hook_is_state():
    relu = nn.ReLU()
    relu.register_forward_hook(lambda *_: None)

    assert not is_stateless(relu)


def test_a_user_s_module_has_state_for_all_one_knows():
    class Own(nn.Module):
        pass

    assert not is_stateless(Own())
