"""The recorder."""

from __future__ import annotations

import copy
import functools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqify.errors import Refusal
from seqify.flow import AttrRef, Flow, InputRef, Loose, Ref, SizeOf, SizeOp, leaves
from seqify.sizes import equal_at_random, size_product
from seqify.tracing import forward_code, on_meta, record

X = torch.randn(8, 4)


def trace(module: nn.Module, *inputs: object, training: bool = False) -> Flow:
    names = type(module).forward.__code__.co_varnames[1:]
    return record(module, dict(zip(names, inputs, strict=False)), training)


def targets(flow: Flow) -> list[str]:
    return [step.target for step in flow.steps]


class Layer(nn.Module):
    """The base of the toys here: one linear layer and some others."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.relu = nn.ReLU()


def test_calls_are_recorded_in_call_order():
    class Net(Layer):
        def forward(self, x):
            return torch.flatten(F.relu(self.fc(x)).sigmoid(), 1)

    flow = trace(Net(), X)

    assert targets(flow) == ["fc", "torch.nn.functional.relu", "torch.Tensor.sigmoid", "torch.flatten"]
    assert [step.kind for step in flow.steps] == ["module", "function", "function", "function"]
    assert [list(step.values()) for step in flow.steps] == [[InputRef("x")], [Ref(0)], [Ref(1)], [Ref(2)]]
    assert flow.output == Ref(3)
    assert flow.inputs == ("x",)
    assert [step.shape for step in flow.steps] == [(8, 4)] * 4
    assert {step.dtype for step in flow.steps} == {"torch.float32"}


def test_a_submodule_is_one_step_whatever_it_does_inside():
    class Inner(nn.Module):
        def forward(self, x):
            return F.relu(x) if x.sum() > 0 else x.tolist()

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Inner()

        def forward(self, x):
            return self.inner(x)

    assert targets(trace(Net(), X.abs())) == ["inner"]


def test_a_torch_function_written_in_python_is_one_step():
    class Net(nn.Module):
        def forward(self, x):
            return F.interpolate(x, scale_factor=2)

    assert targets(trace(Net(), torch.randn(2, 3, 4, 4))) == ["torch.nn.functional.interpolate"]


def test_modules_in_containers_have_their_full_path():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(4, 4), nn.ReLU()])
            self.blocks = nn.ModuleDict({"head": nn.Linear(4, 2)})

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return self.blocks["head"](x)

    assert targets(trace(Net(), X)) == ["layers.0", "layers.1", "blocks.head"]


def test_positional_and_keyword_arguments_are_kept_apart():
    class Net(nn.Module):
        def forward(self, x):
            return x.mean(1, keepdim=True)

    (step,) = trace(Net(), X).steps

    assert step.args == (InputRef("x"), 1)
    assert step.kwargs == {"keepdim": True}


def test_operators_are_steps():
    class Net(nn.Module):
        def forward(self, x):
            return 1 - (-x) * 2 + x

    assert [step.target.rpartition(".")[2] for step in trace(Net(), X).steps] == ["neg", "mul", "__rsub__", "add"]


def test_parameters_and_buffers_are_known_by_their_path():
    class Net(Layer):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(4))
            self.register_buffer("shift", torch.zeros(4))

        def forward(self, x):
            return F.linear(x * self.scale + self.shift, self.fc.weight, self.fc.bias)

    taken = [list(step.values()) for step in trace(Net(), X).steps]

    assert taken == [
        [InputRef("x"), AttrRef("scale")],
        [Ref(0), AttrRef("shift")],
        [Ref(1), AttrRef("fc.weight"), AttrRef("fc.bias")],
    ]


def test_a_tensor_that_is_registered_nowhere_is_named_by_its_holder():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.mean = torch.zeros(4)
            self.table = {"std": torch.ones(4)}

        def forward(self, x):
            return (x - self.mean) / self.table["std"]

    flow = trace(Net(), X)

    assert [value for step in flow.steps for value in step.values() if isinstance(value, Loose)] == [
        Loose("self.mean"),
        Loose("self.table['std']"),
    ]


def test_a_tensor_made_in_forward_is_a_step():
    class Net(nn.Module):
        def forward(self, x):
            return x + torch.ones(4)

    assert targets(trace(Net(), X))[0] == "torch.ones"


@pytest.mark.parametrize("holder", ["list", "dict"])
def test_a_module_in_a_plain_container_is_a_stray(holder):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.held = [nn.Linear(4, 4)] if holder == "list" else {0: nn.Linear(4, 4)}

        def forward(self, x):
            return self.held[0](x)

    flow = trace(Net(), X)

    assert flow.strays == ("self.held[0]",)
    assert targets(flow) == ["?self.held[0]"]


def test_a_module_made_in_forward_is_a_stray():
    class Net(nn.Module):
        def forward(self, x):
            return nn.ReLU()(x)

    assert trace(Net(), X).strays == ("ReLU made in forward",)


def test_sizes_keep_the_tensor_they_come_from():
    class Net(nn.Module):
        def forward(self, x):
            b, c, h, w = x.shape
            return x.view(b, c * h * w)

    (step,) = trace(Net(), torch.randn(2, 3, 4, 5)).steps
    batch, features = step.args[1:]

    assert batch == SizeOf(InputRef("x"), 0)
    assert isinstance(features, SizeOp)
    assert equal_at_random(features, size_product(InputRef("x"), range(1, 4)))
    assert step.shape == (2, 60)


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.size(0),
        lambda x: x.size(dim=0),
        lambda x: x.size(-2),
        lambda x: x.shape[0],
        lambda x: x.size()[0],
        lambda x: x.shape[:1][0],
        lambda x: x.shape[-2],
    ],
)
def test_spellings_of_a_size(read):
    class Net(nn.Module):
        def forward(self, x):
            return x.view(read(x), -1)

    assert trace(Net(), X).steps[0].args == (InputRef("x"), SizeOf(InputRef("x"), 0), -1)


def test_len_of_a_tensor_keeps_its_size():
    class Net(nn.Module):
        def forward(self, x):
            assert len([1, 2]) == 2
            return x.view(len(x), -1)

    assert trace(Net(), X).steps[0].args == (InputRef("x"), SizeOf(InputRef("x"), 0), -1)
    assert "len" not in globals()


def test_numel_is_the_product_of_all_sizes():
    class Net(nn.Module):
        def forward(self, x):
            return x.view(x.numel() // x.size(0), -1)

    size = trace(Net(), X).steps[0].args[1]

    assert equal_at_random(size, SizeOp("floordiv", (size_product(InputRef("x"), range(2)), SizeOf(InputRef("x"), 0))))


def test_decisions_on_sizes_are_guards():
    class Net(Layer):
        def forward(self, x):
            assert x.dim() == 2
            if x.size(0) > 1:
                x = self.fc(x)
            return x

    rank, guard = trace(Net(), X).guards

    assert (rank.condition, rank.value, rank.test) == ("2 == 2", True, SizeOp("eq", (SizeOf(InputRef("x"), None), 2)))
    assert (guard.condition, guard.value) == ("8 > 1", True)
    assert guard.site is not None and guard.site.filename == __file__


@pytest.mark.parametrize(
    ("decide", "word"),
    [
        (lambda x: x.sum() > 0 and x, "bool"),
        (lambda x: x * x.max().item(), "item"),
        (lambda x: x * float(x.max()), "float"),
        (lambda x: x[: int(x.abs().max())], "int"),
        (lambda x: x if torch.equal(x, x) else -x, "equal"),
        (lambda x: x if torch.allclose(x, x) else -x, "allclose"),
    ],
)
def test_a_decision_on_values_is_refused(decide, word):
    class Net(nn.Module):
        def forward(self, x):
            return decide(x)

    with pytest.raises(Refusal) as error:
        trace(Net(), X)

    assert error.value.diagnostic.code == "SQ101"
    assert error.value.diagnostic.message == f"forward decides on the value of a tensor (`{word}`)"
    assert error.value.diagnostic.location is not None
    assert error.value.diagnostic.location.filename == __file__


@pytest.mark.parametrize(
    ("leave", "word"),
    [
        (lambda x: x.tolist(), "tolist"),
        (lambda x: x.numpy(), "numpy"),
        (lambda x: x.data_ptr(), "data_ptr"),
    ],
)
def test_values_that_leave_torch_are_refused(leave, word):
    class Net(nn.Module):
        def forward(self, x):
            leave(x)
            return x

    with pytest.raises(Refusal) as error:
        trace(Net(), X)

    assert error.value.diagnostic.code == "SQ104"
    assert error.value.diagnostic.message == f"forward takes a tensor's values out of torch (`{word}`)"


def test_a_refusal_cannot_be_swallowed_by_forward():
    """A model may catch the exception and go on; what it then does rests on a value all the same."""

    class Net(nn.Module):
        def forward(self, x):
            try:
                return x if x.sum() > 0 else -x
            except Exception:
                return x

    with pytest.raises(Refusal, match="SQ101"):
        trace(Net(), X)


def test_values_read_inside_a_submodule_are_its_own_business():
    class Inner(nn.Module):
        def forward(self, x):
            return x * x.max().item()

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Inner()

        def forward(self, x):
            return self.inner(x)

    assert targets(trace(Net(), X)) == ["inner"]


def test_in_place_calls_are_seen():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x):
            x = x * 2
            x = self.relu(x)
            x += 1
            return x.clamp_(max=2)

    assert [step.mutates for step in trace(Net(), X).steps] == [False, True, True, True]


def test_the_result_of_an_in_place_call_is_the_latest_step():
    class Net(nn.Module):
        def forward(self, x):
            y = x * 2
            F.relu_(y)
            return y

    assert trace(Net(), X).output == Ref(1)


def test_attributes_that_forward_writes_are_found():
    class Net(Layer):
        def __init__(self):
            super().__init__()
            self.register_buffer("count", torch.zeros(()))
            self.calls = 0
            self.seen = []

        def forward(self, x):
            self.calls += 1
            self.last = x
            self.count += 1
            self.seen.append(1)
            return self.fc(x)

    assert trace(Net(), X).written == ("calls", "count", "last", "seen")


def test_nothing_is_written_by_an_ordinary_forward():
    class Net(Layer):
        def forward(self, x):
            return self.relu(self.fc(x))

    assert trace(Net(), X, training=True).written == ()


def test_module_and_inputs_are_left_alone():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.bn = nn.BatchNorm1d(4)
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            x += 1
            return self.bn(x)

    net, x = Net(), X.clone()
    before = copy.deepcopy(net.state_dict())
    call, state = nn.Module.__call__, torch.get_rng_state()
    record(net, {"x": x}, True)

    assert net.calls == 0
    assert torch.equal(x, X)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert nn.Module.__call__ is call
    assert torch.equal(torch.get_rng_state(), state)


def test_everything_is_put_back_when_forward_raises():
    class Net(nn.Module):
        def forward(self, x):
            raise KeyError("mine")

    call = nn.Module.__call__
    with pytest.raises(KeyError, match="mine"):
        trace(Net(), X)

    assert nn.Module.__call__ is call
    assert "len" not in globals()


def test_sites_point_at_the_expression():
    class Net(Layer):
        def forward(self, x):
            return self.relu(
                self.fc(x)
            )  # fmt: skip

    first, second = trace(Net(), X).steps

    assert first.site is not None and second.site is not None
    assert second.site.function.endswith("Net.forward")
    assert second.site.function_row == Net.forward.__code__.co_firstlineno
    assert (first.site.row, second.site.row, second.site.end_row) == tuple(
        Net.forward.__code__.co_firstlineno + number for number in (2, 1, 3)
    )
    assert second.site.location().filename == __file__


def test_a_helper_method_is_where_its_calls_stand():
    class Net(Layer):
        def body(self, x):
            return self.fc(x)

        def forward(self, x):
            return self.relu(self.body(x))

    assert [step.site.function.rpartition(".")[2] for step in trace(Net(), X).steps] == ["body", "forward"]


def test_ambient_state_is_recorded():
    class Net(Layer):
        def forward(self, x):
            x = self.fc(x)
            with torch.no_grad():
                return self.relu(x)

    first, second = trace(Net(), X).steps

    assert first.ambient != second.ambient


def test_parts_of_a_tuple_are_told_apart():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.GRU(4, 4, batch_first=True)

        def forward(self, x):
            output, hidden = self.rnn(x)
            return {"output": output, "hidden": hidden}

    flow = trace(Net(), torch.randn(2, 3, 4))

    assert flow.output == {"output": Ref(0, (0,)), "hidden": Ref(0, (1,))}
    assert flow.steps[0].shape is None


def test_tensors_in_containers_are_inputs_by_part():
    class Net(nn.Module):
        def forward(self, pair):
            return torch.cat([pair[0], pair["b"] if isinstance(pair, dict) else pair[1]])

    assert list(trace(Net(), (X, X + 1)).steps[0].values()) == [InputRef("pair", (0,)), InputRef("pair", (1,))]


def test_questions_about_torch_are_no_steps():
    class Net(Layer):
        def forward(self, x):
            if torch.is_grad_enabled() and x.is_contiguous() and x.dtype == torch.float32 and x.device.type == "cpu":
                x = self.fc(x)
            return x

    assert targets(trace(Net(), X)) == ["fc"]


def test_a_transposed_property_is_a_step():
    class Net(nn.Module):
        def forward(self, x):
            return x.T

    assert targets(trace(Net(), X)) == ["torch.Tensor.T"]


def test_an_unused_value_is_a_step_without_users():
    class Net(Layer):
        def forward(self, x):
            self.fc(x)
            return self.relu(x)

    assert trace(Net(), X).users() == {0: [], 1: [2]}


def test_hooks_of_the_module_itself_are_not_part_of_forward():
    class Net(Layer):
        def forward(self, x):
            return self.fc(x)

    net = Net()
    net.register_forward_hook(lambda module, args, output: output * 2)

    assert trace(net, X).output == Ref(0)


@pytest.mark.parametrize("training", [False, True])
def test_the_mode_is_the_one_asked_for(training):
    class Net(nn.Module):
        def forward(self, x):
            return F.dropout(x, 0.5, training=self.training)

    assert trace(Net(), X, training=training).steps[0].kwargs["training"] is training


def test_two_recordings_of_random_numbers_are_the_same():
    class Net(nn.Module):
        def forward(self, x):
            if torch.rand(()).numel():
                return x + torch.randn(4)
            return x

    assert targets(trace(Net(), X)) == targets(trace(Net(), X))


def test_a_module_on_meta_records_the_same_flow():
    class Net(Layer):
        def forward(self, x):
            return self.relu(self.fc(x)).view(x.size(0), -1)

    real = trace(Net(), X)
    fake = record(on_meta(Net()), {"x": X.to("meta")}, False)

    assert [(step.target, step.args, step.shape) for step in fake.steps] == [
        (step.target, step.args, step.shape) for step in real.steps
    ]


def test_on_meta_keeps_ties_names_and_flags():
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4))
    net[2].weight = net[0].weight
    net[0].bias.requires_grad_(False)
    fake = on_meta(net)

    assert all(tensor.is_meta for tensor in (*fake.parameters(), *fake.buffers()))
    assert fake[2].weight is fake[0].weight
    assert not fake[0].bias.requires_grad
    assert list(fake.state_dict()) == list(net.state_dict())
    assert not any(tensor.is_meta for tensor in net.parameters())


def test_forward_code_looks_through_decorators():
    def decorated(function):
        @functools.wraps(function)
        def wrapper(*args):
            return function(*args)

        return wrapper

    class Net(nn.Module):
        @decorated
        def forward(self, x):
            return x

    assert forward_code(Net()).co_name == "forward"
    assert forward_code(Net()).co_filename == __file__


def test_leaves_looks_into_slices_and_containers():
    nested = {"a": [Ref(0), (InputRef("x"), 3)], "b": slice(None, AttrRef("w"), SizeOf(Ref(9), 0))}

    assert list(leaves(nested)) == [Ref(0), InputRef("x"), AttrRef("w")]
