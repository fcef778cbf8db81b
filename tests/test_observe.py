"""What several recordings of one forward agree on."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqify.errors import CannotAsk, Refusal
from seqify.flow import Ref
from seqify.inputs import Inputs, from_values
from seqify.observe import observe, runs, stand_in

X = torch.randn(8, 4)


def look(module: nn.Module, *inputs: object):
    return observe(module, from_values(module, inputs))


class Layer(nn.Module):
    """The base of the toys here: one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)


def test_a_flag_that_follows_training_is_marked():
    class Net(Layer):
        def forward(self, x):
            return F.dropout(self.fc(x), 0.5, self.training)

    fc, dropout = look(Net(), X).steps

    assert (fc.follows_training, fc.varies) == (False, None)
    assert (dropout.follows_training, dropout.varies) == (True, None)


def test_a_flag_against_training_varies_with_the_mode():
    class Net(Layer):
        def forward(self, x):
            return F.dropout(self.fc(x), 0.5, not self.training)

    dropout = look(Net(), X).steps[1]

    assert (dropout.follows_training, dropout.varies) == (False, "mode")


def test_an_argument_that_changes_with_the_mode_is_marked():
    class Net(Layer):
        def forward(self, x):
            return F.leaky_relu(self.fc(x), 0.2 if self.training else 0.1)

    assert [step.varies for step in look(Net(), X).steps] == [None, "mode"]


def test_an_argument_that_changes_with_the_shape_is_marked():
    class Net(Layer):
        def forward(self, x):
            return F.leaky_relu(self.fc(x), 1 / int(x.size(0)))

    assert [step.varies for step in look(Net(), X).steps] == [None, "shape"]


def test_a_size_expression_does_not_vary():
    class Net(Layer):
        def forward(self, x):
            return self.fc(x).view(x.size(0), -1)

    assert [step.varies for step in look(Net(), X).steps] == [None, None]


def test_a_size_that_was_turned_into_a_plain_number_varies():
    class Net(Layer):
        def forward(self, x):
            return self.fc(x).view(int(x.size(0)), -1)

    assert [step.varies for step in look(Net(), X).steps] == [None, "shape"]


def test_other_calls_in_train_are_refused():
    class Net(Layer):
        def forward(self, x):
            x = self.fc(x)
            if self.training:
                return x * 2
            return F.relu(x)

    with pytest.raises(Refusal) as error:
        look(Net(), X)

    assert error.value.diagnostic.code == "SQ103"
    assert error.value.diagnostic.message == "train and eval run different calls"
    assert error.value.diagnostic.location is not None
    first, second = error.value.diagnostic.notes
    assert first.startswith("the one calls `torch.nn.functional.relu` at ")
    assert second.startswith("the other calls `torch.Tensor.mul` at ")


@pytest.mark.parametrize("extra_in", ["train", "eval"])
def test_a_further_call_in_one_mode_is_refused(extra_in):
    class Net(Layer):
        def forward(self, x):
            x = self.fc(x)
            if self.training == (extra_in == "train"):
                x = F.relu(x)
            return x

    with pytest.raises(Refusal, match="SQ103"):
        look(Net(), X)


def test_another_output_in_train_is_refused():
    class Net(Layer):
        def forward(self, x):
            y = self.fc(x)
            z = F.relu(y)
            return y if self.training else z

    with pytest.raises(Refusal, match="SQ103 mode-branch: train and eval run different calls"):
        look(Net(), X)


def test_another_call_at_another_batch_size_is_refused():
    class Net(Layer):
        def forward(self, x):
            x = self.fc(x)
            return F.relu(x) if x.size(0) > 4 else torch.sigmoid(x)

    with pytest.raises(Refusal) as error:
        look(Net(), X)

    assert error.value.diagnostic.code == "SQ102"
    assert error.value.diagnostic.message == "another batch size runs different calls"


def test_random_depth_is_not_hidden():
    """Each recording draws the same numbers, yet in train alone a layer is skipped."""

    class Net(Layer):
        def forward(self, x):
            x = self.fc(x)
            keep = not self.training or torch.rand(()) > 2
            return F.relu(x) if keep else x

    with pytest.raises(Refusal) as error:
        look(Net(), X)

    assert error.value.diagnostic.code == "SQ101"


def test_a_swap_of_two_values_is_a_difference():
    """The same calls in the same order, on other values."""

    class Net(Layer):
        def forward(self, x):
            a, b = self.fc(x), x
            if self.training:
                a, b = b, a
            return a - b

    with pytest.raises(Refusal, match="SQ103"):
        look(Net(), X)


def test_a_model_that_takes_one_batch_size_alone_is_read_at_that():
    class Net(Layer):
        def forward(self, x):
            return self.fc(x) + torch.zeros(8, 4)

    assert len(look(Net(), X).steps) == 3


def test_a_batch_of_one_is_read_at_another_in_train():
    class Net(Layer):
        def __init__(self):
            super().__init__()
            self.bn = nn.BatchNorm1d(4)

        def forward(self, x):
            return self.bn(self.fc(x))

    assert [step.target for step in look(Net(), X[:1]).steps] == ["fc", "bn"]


def test_a_model_that_raises_is_quoted():
    class Net(Layer):
        def forward(self, x):
            return self.fc(x)

    with pytest.raises(CannotAsk) as error:
        look(Net(), torch.randn(8, 5))

    diagnostic = error.value.diagnostic
    assert diagnostic.code == "SQ006"
    assert diagnostic.message == (
        "the original model raises in eval: RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x5 and 4x4)"
    )
    assert diagnostic.location is not None and diagnostic.location.filename == __file__
    assert any("return self.fc(x)" in note for note in diagnostic.notes)


def test_a_model_that_raises_in_train_alone_says_so():
    class Net(Layer):
        def forward(self, x):
            if self.training:
                raise ValueError("no training here")
            return self.fc(x)

    with pytest.raises(CannotAsk, match="the original model raises in train: ValueError: no training here"):
        look(Net(), X)


def test_a_model_that_cannot_be_copied_says_so():
    class Net(Layer):
        def __deepcopy__(self, memo):
            raise TypeError("not me")

        def forward(self, x):
            return self.fc(x)

    with pytest.raises(CannotAsk, match="the model cannot be copied, so it cannot be watched: TypeError: not me"):
        look(Net(), X)


def test_writes_of_either_mode_are_collected():
    class Net(Layer):
        def forward(self, x):
            if self.training:
                self.steps = 1
            else:
                self.answers = 1
            return self.fc(x)

    assert look(Net(), X).written == ("answers", "steps")


def test_an_in_place_call_in_train_alone_counts():
    class Net(Layer):
        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout(0.5, inplace=True)

        def forward(self, x):
            return self.drop(self.fc(x))

    assert [step.mutates for step in look(Net(), X).steps] == [False, True]


def test_the_model_is_left_alone():
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(x)

    model = Net().eval()
    state = torch.get_rng_state()
    look(model, X)

    assert not model.training
    assert int(net[1].num_batches_tracked) == 0
    assert torch.equal(torch.get_rng_state(), state)


def test_a_large_model_is_looked_at_without_its_numbers():
    """Such a model never allocates its weights a second time."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(5000, 5000, device="meta")

        def forward(self, x):
            return F.relu(self.fc(x))

    net = Net()
    copy = stand_in(net)

    assert all(tensor.is_meta for tensor in copy.parameters())
    assert [step.shape for step in look(net, torch.randn(2, 5000)).steps] == [(2, 5000)] * 2


def test_a_small_model_stands_in_for_itself_with_its_numbers():
    net = nn.Linear(4, 4)
    copy = stand_in(net)

    assert copy is not net
    assert torch.equal(copy.weight, net.weight)


def test_runs_tells_whether_forward_takes_an_input():
    net = nn.Linear(4, 2)

    assert runs(net, Inputs({"input": X}, "probed"))
    assert not runs(net, Inputs({"input": torch.randn(8, 5)}, "probed"))


def test_an_input_without_a_batch_dimension_is_read_once():
    class Net(nn.Module):
        def forward(self, x):
            return x * 2

    assert look(Net(), torch.tensor(3.0)).output == Ref(0)


def test_what_forward_prints_does_not_reach_standard_output(capfd):
    class Net(Layer):
        def forward(self, x):
            print("hello")
            return self.fc(x)

    look(Net(), X)

    assert capfd.readouterr().out == ""
