"""Two recordings of one forward, and what they agree on."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqify.errors import Refusal
from seqify.flow import Flow, InputRef, Made, Ref, SizeOf, SizeOp, Step
from seqify.join import bent_scopes, join
from seqify.openness import Openness
from seqify.recorder import KeepWhole
from seqify.tracing import record

X, X3 = torch.randn(8, 4), torch.randn(3, 4)
BATCH = SizeOf(InputRef("x"), 0)


class Layer(nn.Module):
    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        for name, part in parts.items():
            setattr(self, name, part)


def made(forward: Any, **parts: nn.Module) -> nn.Module:
    return type("Net", (Layer,), {"forward": forward})(**parts)


def flow_of(net: nn.Module, x: torch.Tensor = X, training: bool = False, depth: int | None = 0) -> Flow:
    return record(net, {"x": x}, training, Openness(depth))


def step(*args: Any, index: int = 0, scope: str = "", **kwargs: Any) -> Step:
    return Step(index, "function", "torch.f", None, args, kwargs, None, scope=scope)


def flow(*steps: Step, batch: int = 8, output: Any = Ref(0)) -> Flow:  # noqa: B008
    return Flow(("x",), steps, output, sizes={BATCH: batch})


def joined(left: Any, right: Any, axis: str = "shape") -> Step:
    """The one step of two flows that take these arguments, at batch sizes 8 and 3."""
    return join(flow(step(InputRef("x"), left)), flow(step(InputRef("x"), right), batch=3), axis).steps[0]


SAME = [
    1,
    1.5,
    float("nan"),
    "same",
    None,
    torch.float32,
    torch.device("cpu"),
    (1, 2),
    [1, (2,)],
    {"a": 1},
    slice(0, 4),
]


@pytest.mark.parametrize("value", SAME, ids=str)
def test_equal_arguments_do_not_vary(value):
    assert joined(value, value).varies is None


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (8, 3),
        (8, 8.0),
        (1, True),
        ((8, 8), (3, 8)),
        ([1], [1, 2]),
        ({"a": 1}, {"b": 1}),
        (slice(0, 8), slice(0, 3)),
        ("a", "b"),
        (None, 0),
    ],
)
def test_other_arguments_vary(left, right):
    assert joined(left, right).varies == "shape"


@pytest.mark.parametrize(
    "wrap",
    [
        lambda v: v,
        lambda v: (v, 1),
        lambda v: [v],
        lambda v: {"a": v},
        lambda v: slice(0, v),
        lambda v: Made(dict, {"a": v}),
    ],
)
def test_a_size_that_only_one_recording_knew_is_adopted(wrap):
    double = SizeOp("mul", (BATCH, 2))

    assert joined(wrap(16), wrap(double)).args[1] == wrap(double)
    assert joined(wrap(16), wrap(double)).varies is None
    assert joined(wrap(double), wrap(6)).args[1] == wrap(double)
    assert joined(wrap(double), wrap(16)).varies == "shape"
    assert joined(wrap(15), wrap(double)).varies == "shape"


def test_expressions_that_come_to_the_same_are_the_same():
    left, right = SizeOp("mul", (BATCH, 2)), SizeOp("add", (BATCH, BATCH))

    assert joined(left, right).args[1] == left
    assert joined(left, SizeOp("mul", (BATCH, 3))).varies == "shape"


def test_an_expression_that_cannot_be_computed_varies():
    assert joined(SizeOp("mod", (BATCH, 0)), 8).varies == "shape"
    assert joined(SizeOf(Ref(9), 1), 8).varies == "shape"


def test_a_training_flag():
    assert joined(False, True, "mode").follows_training
    assert not joined(True, False, "mode").follows_training
    assert joined(True, False, "mode").varies == "mode"
    assert joined((False, False), (True, True), "mode").varies == "mode"
    assert joined(False, True, "shape").varies == "shape"


def test_a_number_is_no_training_flag():
    assert joined(0, 1, "mode").varies == "mode"


def test_objects_without_an_equality_of_their_own_are_the_same_in_two_copies():
    class Thing:
        pass

    class Value:
        def __init__(self, number):
            self.number = number

        def __eq__(self, other):
            return self.number == other.number

        __hash__ = None

    assert joined(Thing(), Thing()).varies is None
    assert joined(Value(1), Value(1)).varies is None
    assert joined(Value(1), Value(2)).varies == "shape"


def test_what_mutates_in_one_mutates():
    net = made(lambda self, x: self.drop(self.fc(x)), drop=nn.Dropout(inplace=True))
    both = join(flow_of(net), flow_of(net, training=True), "mode")

    assert [item.mutates for item in both.steps] == [False, True]


def test_what_either_writes_is_written():
    left = dataclasses.replace(flow(), written=("a", "b"))
    right = dataclasses.replace(flow(), written=("b", "c"))

    assert join(left, right, "mode").written == ("a", "b", "c")


DIFFER = {
    "call": (lambda self, x: F.relu(self.fc(x)) if self.training else F.gelu(self.fc(x)), "gelu", "relu"),
    "more": (lambda self, x: F.relu(self.fc(x)) if self.training else self.fc(x), "relu", None),
    "fewer": (lambda self, x: self.fc(x) if self.training else F.relu(self.fc(x)), "relu", None),
    "value": (lambda self, x: self.fc(x) - (x if self.training else self.fc.bias), "sub", "sub"),
    "grad": (lambda self, x: [torch.set_grad_enabled(not self.training), self.fc(x), torch.set_grad_enabled(True)][1], "fc", "fc"),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFER)
def test_other_calls_are_refused_where_they_stand(name):
    forward, *targets = DIFFER[name]
    with torch.enable_grad(), pytest.raises(Refusal) as error:
        net = made(forward)
        join(flow_of(net), flow_of(net, training=True), "mode")
    diagnostic = error.value.diagnostic

    assert diagnostic.code == "SQ103"
    assert diagnostic.location is not None and diagnostic.location.filename == __file__
    assert diagnostic.location.row == forward.__code__.co_firstlineno
    for note, target in zip(diagnostic.notes, [item for item in targets if item], strict=True):
        assert f"{target}` at " in note


@pytest.mark.parametrize(("axis", "code"), [("mode", "SQ103"), ("shape", "SQ102"), ("extent", "SQ102")])
def test_the_code_tells_the_axis(axis, code):
    with pytest.raises(Refusal) as error:
        join(flow(step(InputRef("x"))), flow(), axis)

    assert error.value.diagnostic.code == code


def test_another_result_is_refused():
    with pytest.raises(Refusal, match="SQ102"):
        join(flow(output=Ref(0)), flow(output=(Ref(0), InputRef("x"))), "shape")


def inside(forward: Any) -> nn.Module:
    """The forward in a block, two levels deep, with other layers around it."""
    return made(lambda self, x: self.fc(self.body(x)), body=nn.Sequential(nn.Tanh(), made(forward)))


@pytest.mark.parametrize("name", DIFFER)
def test_a_difference_inside_a_block_keeps_it_whole(name):
    net = inside(DIFFER[name][0])
    with torch.enable_grad(), pytest.raises(KeepWhole) as found:
        join(flow_of(net, depth=None), flow_of(net, training=True, depth=None), "mode")

    assert found.value.kept.path in ("body", "body.1")
    assert found.value.kept.reason == "train and eval run different calls"


@pytest.mark.parametrize("axis", ["mode", "shape"])
def test_an_argument_that_changes_inside_a_block_keeps_it_whole(axis):
    with pytest.raises(KeepWhole) as found:
        join(flow(step(InputRef("x"), 8, scope="body")), flow(step(InputRef("x"), 3, scope="body")), axis)

    assert found.value.kept.reason == f"an argument changes with the {axis}"


def test_an_argument_that_changes_with_the_extent_only_varies():
    both = join(flow(step(InputRef("x"), 8, scope="body")), flow(step(InputRef("x"), 3, scope="body")), "extent")

    assert both.steps[0].varies == "extent"


def test_real_recordings_at_two_batch_sizes_agree():
    net = made(lambda self, x: self.fc(x).view(x.shape[0], -1, 2).expand(len(x), 2, 2) * x.shape[0])
    both = join(flow_of(net), flow_of(net, X3), "shape")

    assert both.steps == flow_of(net).steps
    assert not any(item.varies for item in both.steps)


BENT = {
    "line": (lambda self, x: F.relu(self.fc(x)), []),
    "skip": (lambda self, x: x + self.fc(x), ["body.1"]),
    "two results": (lambda self, x: (self.fc(x), x), ["body.1"]),
    "unused": (lambda self, x: [self.fc(x), F.relu(x)][1], ["body.1"]),
    "tuple": (lambda self, x: self.fc(x).chunk(2, 1), ["body.1"]),
    "weight beside": (lambda self, x: self.fc(x) * self.fc.bias, ["body.1"]),
    "size of itself": (lambda self, x: self.fc(x).view(x.shape[0], -1), []),
}  # fmt: skip


@pytest.mark.parametrize("name", BENT)
def test_bent_scopes(name):
    forward, expected = BENT[name]
    net = made(lambda self, x: self.body[1](self.body[0](x)), body=nn.ModuleList([nn.Tanh(), made(forward)]))

    assert bent_scopes(flow_of(net, depth=None)) == expected


def test_the_innermost_bent_scope_comes_first():
    net = made(
        lambda self, x: self.body(x), body=made(lambda self, x: x + self.inner(x), inner=inside(BENT["skip"][0]))
    )

    assert bent_scopes(flow_of(net, depth=None)) == ["body.inner.body.1"]
