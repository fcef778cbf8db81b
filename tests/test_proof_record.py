"""The plain data of a run, and what one run writes into it."""

from __future__ import annotations

import pickle

import pytest
import torch
import torch.nn.functional as F
from nets import X, graph, net
from torch import nn

from seqify.proof.dispatch import Recorder
from seqify.proof.record import Operand, operands
from seqify.proof.running import fresh, record
from seqify.trial import Setting

A, B = (Operand(number, "torch.float32", (2,), (1,), 0) for number in (1, 2))


def ops(module, *inputs, phase="forward", **setting):
    found = graph(module, *inputs, **setting)
    return [call.op.split(".")[1] for call in found.calls if call.phase == phase]


@pytest.mark.parametrize("value, found", [(A, [A]), ((1, (A, (B,)), "x"), [A, B]), ([A], []), (None, [])])
def test_operands_are_found_in_nested_tuples(value, found):
    assert list(operands(value)) == found


def test_a_record_is_plain_data():
    found = graph(net(lambda self, x: F.dropout(F.relu(self.fc(x)))), mode="train")

    assert pickle.loads(pickle.dumps(found)) == found


def test_the_leaves_of_a_run():
    module = net(lambda self, x: self.fc(x) + self.scale, scale=lambda: torch.ones(4), buffer=lambda: torch.ones(1))
    leaves = graph(module).leaves.values()

    kinds = [(leaf.kind, leaf.names) for leaf in leaves if leaf.kind != "constant"]
    assert kinds == [
        *(("state", (name,)) for name in ("fc.weight", "fc.bias", "last.weight", "last.bias", "buffer")),
        ("input", ("x",)),
        ("cotangent", ("output",)),
    ]
    assert [len(leaf.names[0]) for leaf in leaves if leaf.kind == "constant"] == [32]


def test_parameters_that_no_state_dict_has_are_leaves_all_the_same():
    module = net()
    type(module).state_dict = lambda self, *args, **kwargs: {}

    assert ("fc.weight",) in [leaf.names for leaf in graph(module).leaves.values() if leaf.kind == "state"]


def test_views_are_no_calls():
    assert ops(net(lambda self, x: self.fc(x).t().reshape(-1)[2:].unsqueeze(0) * 2)) == ["addmm", "clone", "mul"]


def test_a_write_names_the_storage():
    module = net(lambda self, x: F.relu_(self.fc(x)).add_(1))
    calls = [call for call in graph(module).calls if call.phase == "forward"]

    assert [call.op.split(".")[1] for call in calls] == ["addmm", "relu_", "add_"]
    made = calls[0].outputs[0].storage
    assert [call.writes for call in calls] == [(), (made,), (made,)]


def test_running_statistics_are_written_though_the_schema_hides_it():
    found = graph(nn.BatchNorm1d(4), mode="train")
    batch_norm = next(call for call in found.calls if "native_batch_norm." in call.op)

    written = {found.leaves[storage].names for storage in batch_norm.writes}
    assert written == {("running_mean",), ("running_var",)}
    assert next(call for call in graph(nn.BatchNorm1d(4)).calls if "batch_norm" in call.op).writes == ()


def test_draws():
    found = graph(net(lambda self, x: F.dropout(self.fc(x), 0.5) + torch.rand(4)))

    assert [call.op.split(".")[1] for call in found.calls if call.draws] == ["bernoulli_", "rand"]


def test_a_number_is_spelled_as_a_float_beside_floats_alone():
    calls = graph(net(lambda self, x: self.fc(x) * 2 + torch.arange(4) * 2)).calls
    numbers = [dict(call.arguments)["other"] for call in calls if call.op == "aten.mul.Tensor"][:2]

    assert [(type(number), number) for number in numbers] == [(float, 2.0), (int, 2)]
    large = graph(net(lambda self, x: self.fc(x) + (2**53 + 1))).calls
    assert 2**53 + 1 in [dict(call.arguments).get("other") for call in large]


def test_the_results_of_a_run():
    module = net(lambda self, x: self.fc(x.relu_()), buffer=lambda: torch.ones(1))
    results = graph(module).results

    assert list(results) == ["forward", "inputs", "gradients", "input gradients", "buffers", "parameters"]
    assert results["gradients"]["last.weight"] is None and results["gradients"]["fc.weight"] is not None
    assert list(results["buffers"]) == ["buffer"]


def test_an_error_ends_a_run():
    found = graph(net(lambda self, x: self.fc(x)[9]))

    assert (found.error, found.results, found.later) == ("IndexError", {}, None)


def test_a_call_knows_its_place():
    def forward(self, x):
        return F.relu(self.fc(x))

    calls = graph(net(forward)).calls
    row = forward.__code__.co_firstlineno + 1
    places = [(call.place.row, call.place.module, call.place.function) for call in calls[:2]]

    assert places == [(row, "fc", "linear"), (row, "", "relu")]
    backward = next(call for call in calls if call.op == "aten.threshold_backward.default")
    assert backward.place.row == row


def test_a_run_leaves_its_arguments_alone():
    values = {"x": X.clone(), "y": [X.clone(), {"z": X.clone()}], "n": 3}
    given = fresh(values)
    module = net(lambda self, x, y, n: self.fc(x.add_(1)) + y[0].add_(n) + y[1]["z"].zero_())
    record(module, given, Setting(), Recorder())

    assert torch.equal(values["x"], X) and torch.equal(values["y"][0], X) and torch.equal(values["y"][1]["z"], X)


@pytest.mark.parametrize(
    "forward, reason",
    [
        (lambda self, x: self.fc(x) + torch.rand(4, generator=torch.Generator()), "a random generator of its own"),
        (lambda self, x: self.fc(x).to_sparse(), "a tensor with the layout torch.sparse_coo"),
        (lambda self, x: self.fc(x.detach().clone().resize_(2, 4)), "`aten.resize_.default` changes what a tensor"),
    ],
)
def test_what_a_record_cannot_hold(forward, reason):
    assert reason in graph(net(forward)).doubts[0][0]
