"""What the recorder makes of the calls that forward makes, and what it refuses."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from seqify.api import trace
from seqify.errors import CannotAsk, Refusal, SeqifyError
from seqify.flow import Ambient, AttrRef, Flow, InputRef, Loose, Made, Ref, SizeOf
from seqify.openness import Openness
from seqify.recorder import KeepWhole, Recorder, Undecided
from seqify.tracing import on_meta, record

X, X3 = torch.randn(8, 4), torch.randn(3, 4)


class Layer(nn.Module):
    def __init__(self, **parts: Any) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        for name, part in parts.items():
            setattr(self, name, part)


def made(forward: Any, **parts: Any) -> nn.Module:
    return type("Net", (Layer,), {"forward": forward})(**parts)


def look(forward: Any, x: Any = X, depth: int | None = 0, **parts: Any) -> Flow:
    return record(made(forward, **parts), {"x": x}, False, Openness(depth))


def targets(flow: Flow) -> list[str]:
    return [step.target for step in flow.steps]


REFUSED = {
    "if": (lambda self, x: self.fc(x) if x.sum() > 0 else x.tanh(), "SQ101"),
    "while": (lambda self, x: [x := x / 2 for _ in range(9) if x.norm() > 1] and x, "SQ101"),
    "and": (lambda self, x: (x.sum() > 0 and self.fc(x)) * x, "SQ101"),
    "in": (lambda self, x: self.fc(x) if 3.0 in x else x.tanh(), "SQ101"),
    "equal": (lambda self, x: self.fc(x) if torch.equal(x, x * 2) else x.tanh(), "SQ101"),
    "item": (lambda self, x: self.fc(x) * x.max().item(), "SQ101"),
    "int": (lambda self, x: x[: int(x.abs().sum()) % 3], "SQ101"),
    "float": (lambda self, x: self.fc(x) * float(x.max()), "SQ101"),
    "complex": (lambda self, x: self.fc(x) * abs(complex(x.max())), "SQ101"),
    "index": (lambda self, x: self.fc(x) * [1.0, 2.0, 3.0, 4.0][x[0].argmax()], "SQ101"),
    "range": (lambda self, x: sum(x for _ in range(x.abs().max().long() + 1)), "SQ101"),
    "weight": (lambda self, x: self.fc(x) if self.fc.weight.sum() > 0 else x.tanh(), "SQ101"),
    "random": (lambda self, x: self.fc(x) if torch.rand(()) > 0.5 else x.tanh(), "SQ101"),
    "masked": (lambda self, x: self.fc(x) if len(x[x > 0]) > 3 else x.tanh(), "SQ101"),
    "nonzero": (lambda self, x: self.fc(x) if x.nonzero().shape[0] else x.tanh(), "SQ101"),
    "nonzero int": (lambda self, x: self.fc(x) * int(x.relu().nonzero().size(0)), "SQ101"),
    "unique": (lambda self, x: self.fc(x) * (2 if x.unique().shape[0] == 32 else 3), "SQ101"),
    "tolist": (lambda self, x: self.fc(x) * x.tolist()[0][0], "SQ104"),
    "numpy": (lambda self, x: self.fc(x) * float(x.numpy().max()), "SQ104"),
    "asarray": (lambda self, x: self.fc(x) * float(np.asarray(x).max()), "SQ104"),
    "data_ptr": (lambda self, x: self.fc(x) * (x.data_ptr() % 7), "SQ104"),
    "register_hook": (lambda self, x: [y := self.fc(x), y.register_hook(lambda grad: grad * 2)][0], "SQ104"),
    "backward": (lambda self, x: [y := self.fc(x), y.sum().backward()][0], "SQ104"),
    "python random": (lambda self, x: self.fc(x) * random.random(), "SQ106"),
    "shuffle": (lambda self, x: self.fc(x[:, random.sample(range(4), 4)]), "SQ106"),
    "numpy random": (lambda self, x: self.fc(x) * float(np.random.rand(700)[0]), "SQ106"),
    "other weights": (lambda self, x: torch.func.functional_call(self.fc, {"weight": self.fc.weight * 2}, (x,)), "SQ105"),
    "train": (lambda self, x: F.dropout(self.fc(x)) if self.training else self.fc(x), "SQ103"),
    "batch": (lambda self, x: self.fc(x).tanh() if x.shape[0] > 5 else self.fc(x), "SQ102"),
    "batch loop": (lambda self, x: torch.stack([self.fc(x[i]) for i in range(x.shape[0])]), "SQ102"),
    "batch walk": (lambda self, x: torch.stack([self.fc(row) for row in x]), "SQ102"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_the_target_itself(name):
    forward, code = REFUSED[name]
    for depth in (0, "full"):
        with pytest.raises(Refusal) as error:
            trace(made(forward), X, depth=depth)
        diagnostic = error.value.diagnostic
        assert diagnostic.code == code
        assert diagnostic.location is not None
        # chance is noticed at the end, or at the next call of a module
        if code != "SQ106":
            assert (diagnostic.location.filename, diagnostic.location.row) == (
                __file__,
                forward.__code__.co_firstlineno,
            )


@pytest.mark.parametrize("name", [name for name in REFUSED if REFUSED[name][1] in ("SQ101", "SQ104")])
def test_kept_whole_in_a_submodule(name):
    net = made(lambda self, x: self.fc(self.body(x.clone())), body=made(REFUSED[name][0]))
    if name == "numpy" or name == "asarray":
        net.fc.requires_grad_(False)
    graph = trace(net, X, depth="full")

    assert targets(graph.meta["flow"])[-2:] == ["body", "fc"]
    assert [kept.path for kept in graph.meta["flow"].kept] == ["body"]
    assert graph.meta["flow"].kept[0].site.filename == __file__


def test_a_question_whose_answers_lead_to_the_same_calls_passes():
    def forward(self, x):
        if x.isnan().any():
            print("not a number")
        return self.fc(x)

    assert targets(trace(made(forward), X).meta["flow"])[-1] == "fc"


def test_a_question_is_undecided_until_it_is_answered():
    with pytest.raises(Undecided) as error:
        look(lambda self, x: self.fc(x) if x.sum() > 0 else x)

    assert error.value.site is not None and error.value.site.filename == __file__
    openness = Openness(0, answers={error.value.site: True})
    net = made(REFUSED["if"][0])
    with pytest.raises(Undecided):  # another place
        record(net, {"x": X}, False, openness)


def test_constants_may_be_decided_on():
    flow = look(lambda self, x: self.fc(x) * (2 if torch.ones(3).sum() > 2 else 3) * torch.tensor(4.0).item())

    assert targets(flow)[-1] == "torch.Tensor.mul"
    assert [guard.condition for guard in flow.guards] == ["bool of a constant tensor", "item of a constant tensor"]


@pytest.mark.parametrize(
    "make",
    [
        lambda x: torch.zeros(3).add_(x.sum()),
        lambda x: torch.empty(3),
        lambda x: torch.zeros(3) + torch.rand(3),
        lambda x: torch.zeros_like(x) * x,
    ],
)
def test_what_is_no_constant_may_not(make):
    with pytest.raises(Refusal, match="SQ101"):
        look(lambda self, x: self.fc(x) if make(x).sum() > 0 else x)


def test_a_constant_on_meta_is_computed_again():
    flow = record(
        on_meta(made(lambda self, x: x * torch.ones(3, device="meta").sum().item())), {"x": X.to("meta")}, False
    )

    assert flow.steps[-1].args[1] == 3.0
    assert [guard.value for guard in flow.guards] == [3.0]


def test_a_view_of_what_was_written_to_is_no_constant():
    def forward(self, x):
        table = torch.zeros(8, 4)
        part = table[:2]
        table.copy_(x)
        return self.fc(x) if part.sum() > 0 else x

    with pytest.raises(Refusal, match="SQ101"):
        look(forward)


@pytest.mark.parametrize(
    ("give", "expected"),
    [
        (lambda x: (x, [x, {"a": x}]), (InputRef("x"), [InputRef("x"), {"a": InputRef("x")}])),
        (lambda x: torch.Size([x.shape[0], 4]), (SizeOf(InputRef("x"), 0), 4)),
        (lambda x: torch.return_types.max((x, x)), (InputRef("x"), InputRef("x"))),
        (lambda x: {"n": x.size(-1)}, {"n": SizeOf(InputRef("x"), 1)}),
        (lambda x: "text", "text"),
        (lambda x: None, None),
    ],
)
def test_results(give, expected):
    output = look(lambda self, x: give(x)).output

    assert tuple(output) == expected if isinstance(output, tuple) else output == expected


def test_an_ordered_result_is_made_again():
    import collections

    assert look(lambda self, x: collections.OrderedDict(a=x)).output == Made(
        collections.OrderedDict, {"a": InputRef("x")}
    )


def test_shared_weights_have_their_first_name():
    net = made(lambda self, x: F.linear(x, self.twin.weight) * self.fc.bias, twin=nn.Linear(4, 4))
    net.twin.weight = net.fc.weight

    values = [list(step.values()) for step in record(net, {"x": X}, False).steps]
    assert values == [[InputRef("x"), AttrRef("fc.weight")], [Ref(0), AttrRef("fc.bias")]]


def test_a_call_that_gives_its_argument_back_is_another_value():
    flow = look(lambda self, x: self.fc(self.same(x)) + x.contiguous(), same=nn.Identity())

    assert [list(step.values()) for step in flow.steps] == [
        [InputRef("x")],
        [Ref(0)],
        [InputRef("x")],
        [Ref(1), Ref(2)],
    ]


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


@torch.jit.script
def scripted(x: torch.Tensor) -> torch.Tensor:
    return x * 2


@pytest.mark.parametrize(
    ("forward", "name"),
    [
        (lambda self, x: Double.apply(x), "Double.apply"),
        (lambda self, x: scripted(x), "torch.jit.scripted"),
        (lambda self, x: torch.vmap(lambda row: row.sum() * 2)(x), "torch.vmap"),
    ],
)
def test_what_torch_hides_is_one_step(forward, name):
    (step,) = look(forward).steps

    assert step.target.endswith(name)
    assert list(step.values()) == [InputRef("x")]


def test_a_mapped_function_may_not_hold_tensors():
    with pytest.raises(Refusal, match=r"SQ104 .*`torch.vmap` is given a function that holds tensors"):
        look(lambda self, x: torch.vmap(lambda row: row * x.sum())(x))


def test_autocast_and_gradient_blocks_are_noted():
    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16), torch.autocast("cpu", enabled=False):
            y = self.fc(x)
        with torch.no_grad():
            return self.fc(y)

    with torch.enable_grad():
        first, second = look(forward).steps
    assert [(kind, enabled) for kind, _, enabled in first.ambient.autocast] == [("cpu", True), ("cpu", False)]
    assert second.ambient == Ambient(grad=False)


def test_checkpoints_are_looked_through():
    flow = look(lambda self, x: checkpoint(self.fc, self.fc(x), use_reentrant=False))

    assert targets(flow) == ["fc", "fc"]
    assert [step.ambient.saving for step in flow.steps] == [False, True]


def test_a_reentrant_checkpoint_of_a_module_is_refused():
    """Its inside is hidden, and the module that it is given would be the recording's own copy."""
    with pytest.raises(Refusal) as error:
        trace(made(lambda self, x: checkpoint(self.fc, self.fc(x), use_reentrant=True)), X, depth=0)
    assert error.value.diagnostic.code == "SQ104"


def test_powers_with_a_modulus():
    assert trace(made(lambda self, x: self.fc(x) * pow(x.shape[1], 2, 7)), X)(X3).shape == (3, 4)


def test_a_loose_tensor_is_named_or_refused_by_the_graph():
    table = torch.randn(4)
    forward = lambda self, x: self.fc(x) * table  # noqa: E731

    assert [value for step in look(forward).steps for value in step.values()][-1] == Loose("")
    with pytest.raises(Refusal, match="SQ104"):
        trace(made(forward), X)
    assert torch.equal(trace(net := made(lambda self, x: self.fc(x) * self.held[0], held=[table]), X)(X3), net(X3))


def test_a_block_inside_is_kept_whole_by_an_exception_that_forward_cannot_catch():
    def forward(self, x):
        try:
            return self.body(x)
        except Exception:
            return x

    with pytest.raises(KeepWhole) as found:
        look(forward, depth=None, body=made(REFUSED["item"][0]))
    assert found.value.kept.path == "body"


def test_an_inactive_recorder_stands_aside():
    recorder = Recorder(net := made(lambda self, x: x), {"x": X}, Openness())
    with recorder:
        assert torch.equal(recorder.call_module(nn.Module.__call__, net.fc, (X,), {}), net.fc(X))

    assert recorder.steps == []


def test_errors_of_forward_are_its_own():
    with pytest.raises(CannotAsk, match="SQ006"):
        trace(made(lambda self, x: self.fc(x[:, :3])), X)
    assert issubclass(CannotAsk, SeqifyError)
