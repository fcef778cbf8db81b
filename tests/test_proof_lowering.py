"""What a record says of other numbers and of later runs: what must be doubted, and what must not."""

from __future__ import annotations

import collections
import functools
import itertools
import random
import threading
import time
import types
import uuid
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from nets import RARE, X, doubts, graph, graphs_agree, net, proof
from torch import nn
from torch.utils.checkpoint import checkpoint

COUNTS = {"list": [0], "object": types.SimpleNamespace(n=0), "numpy": np.zeros(1), "deque": collections.deque()}
TENSOR = torch.zeros(())
TOTAL = 0
LETTERS = itertools.cycle("ab")


class Kept:
    n = 0


def value_of(read):
    """A forward that doubles its output where `read` says so."""
    return lambda self, x: self.fc(x) * (2 if read(self, x) else 1)


# ---- values

BY_VALUES = {
    "bool": lambda self, x: bool((x > RARE).any()),
    "and": lambda self, x: x.sum() > RARE and x.max() > 3,
    "of a weight": lambda self, x: bool((self.fc.weight > RARE).any()),
    "item": lambda self, x: x.sum().item() > RARE,
    "float": lambda self, x: float(x[0, 0]) > RARE,
    "index": lambda self, x: [0, 1][(x.max() > RARE).long()],
    "tolist": lambda self, x: x.detach().tolist()[0][0] > RARE,
    "numpy": lambda self, x: x.detach().numpy().max() > RARE,
    "numpy's array": lambda self, x: np.asarray(x.detach()).max() > RARE,
    "through memory shared with numpy": lambda self, x: shared_with_numpy(x) > RARE,
    "storage": lambda self, x: x.untyped_storage()[0] > 255,
    "address": lambda self, x: x.data_ptr() == 0,
    "repr": lambda self, x: "1000000" in repr(x),
    "text": lambda self, x: "1000000" in f"{x}",
    "equal": lambda self, x: torch.equal(x, torch.full((4, 4), RARE)),
    "allclose": lambda self, x: torch.allclose(x, torch.full((1,), RARE)),
    "in": lambda self, x: RARE in x,
    "nonzero": lambda self, x: len((x > RARE).nonzero()) > 0,
    "mask": lambda self, x: x[x > RARE].numel() > 0,
    "unique": lambda self, x: (x > RARE).unique().numel() > 1,
    "unique_consecutive": lambda self, x: torch.unique_consecutive(x > RARE).numel() > 1,
    "sparse": lambda self, x: (x > RARE).float().to_sparse().values().numel() > 0,
    "tensor_split": lambda self, x: x.tensor_split((x.max() > RARE).long().reshape(1))[0].numel() > 0,
    "tensor_split by its operator": lambda self, x: (
        torch.ops.aten.tensor_split.tensor_indices_or_sections(x, (x.max() > RARE).long().reshape(1))[0].numel() > 0
    ),
    "packed": lambda self, x: (
        nn.utils.rnn.pack_padded_sequence(
            x.detach().unsqueeze(-1), (x > RARE).sum(1).cpu() + 1, batch_first=True, enforce_sorted=False
        ).data.shape[0]
        > 4
    ),
    "tensor of tensors": lambda self, x: torch.tensor([x.detach().max(), 0.0]).tolist()[0] > RARE,
    "old constructor": lambda self, x: torch.Tensor([x.detach().max() > RARE]).tolist()[0] > 0.5,
    "index in a list": lambda self, x: x[:, [(x.max() > RARE).long()]].sum() * 0 != 0,
}


def shared_with_numpy(x):
    array = np.zeros((4, 4), dtype=np.float32)
    torch.from_numpy(array).copy_(x.detach())
    return array.max()


@pytest.mark.parametrize("name", BY_VALUES)
def test_a_decision_on_values_is_a_doubt(name):
    assert doubts(net(value_of(BY_VALUES[name])))


def test_a_question_whose_answer_does_not_matter():
    def forward(self, x):
        if x.isnan().any():
            warnings.warn("not a number", stacklevel=2)
        return self.fc(x)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert doubts(net(forward)) == []


ANSWERS_MATTER = {
    "which of two is returned": lambda self, x: pick(x.sum() > RARE, self.fc(x), self.last(x)),
    "whether it has a gradient": lambda self, x: pick(x.sum() > RARE, self.fc(x), self.fc(x).detach()),
    "a number beside it": lambda self, x: (self.fc(x), 1 if x.sum() > RARE else 2),
    "an attribute": lambda self, x: remember(self, x),
    "an error": lambda self, x: checked(self.fc(x), x.sum() < RARE),
}


def pick(asked, yes, no):
    return yes if asked else no


def remember(self, x):
    y = self.fc(x)
    if x.sum() > RARE:
        self.met = True
    return self.last(y) if getattr(self, "met", False) else y


def checked(y, asked):
    assert asked
    return y


@pytest.mark.parametrize("name", ANSWERS_MATTER)
def test_the_answer_to_a_question_matters(name):
    assert doubts(net(ANSWERS_MATTER[name])) == ["what forward does depends on values"]


def test_what_raises_for_some_values():
    def asserts(self, x):
        torch._assert_async((x.sum() < RARE).detach())
        return self.fc(x)

    def caught(self, x):
        gram = x.T @ x + torch.eye(4)
        try:
            return torch.linalg.cholesky(gram) @ self.fc(x)
        except RuntimeError:
            return self.fc(x)

    def not_caught(self, x):
        with torch.no_grad():
            return torch.linalg.cholesky(x.T @ x + torch.eye(4))

    assert doubts(net(asserts)) == ["whether forward raises depends on values"]
    assert doubts(net(caught)) == ["forward catches an error that depends on values"]
    assert doubts(net(not_caught)) == []


# ---- Python's state


def count_global(self):
    global TOTAL  # noqa: PLW0603
    TOTAL += 1
    return TOTAL > 500


def count_closure():
    n = 0

    def step(self):
        nonlocal n
        n += 1
        return n > 500

    return step


def count_default(self, box=[0]):  # noqa: B006
    box[0] += 1
    return box[0] > 500


def add(box):
    box[0] += 1
    return box[0] > 500


def grow(n):
    n.n += 1
    return n.n > 500


COUNTERS = {
    "a global": (lambda: count_global, "TOTAL"),
    "a global list": (lambda: lambda self: add(COUNTS["list"]), "COUNTS.list[0]"),
    "a global object": (lambda: lambda self: grow(COUNTS["object"]), "COUNTS.object.n"),
    "a global array": (lambda: lambda self: add(COUNTS["numpy"]), "COUNTS.numpy"),
    "a class": (lambda: lambda self: grow(Kept), "Kept.n"),
    "a closure": (count_closure, "Net.forward.read.n"),
    "a default": (lambda: count_default, "Net.forward.read.__defaults__[0][0]"),
    "a partial": (lambda: functools.partial(lambda box, self: add(box), [0]), "Net.forward.read[1][0]"),
    "an iterator": (lambda: lambda self: next(LETTERS) == "c", "LETTERS"),
    "a global tensor": (lambda: lambda self: TENSOR.add_(1) is None, "TENSOR"),
    "numpy's random numbers": (lambda: lambda self: np.random.rand() > 2, "np.random.random"),
}


@pytest.mark.parametrize("name", COUNTERS)
def test_what_counts_its_calls(name):
    make, path = COUNTERS[name]
    read = make()

    def forward(self, x):
        return self.fc(x) * (2 if read(self) else 1)

    assert doubts(net(forward)) == [f"forward changes `{path}`"]


ATTRIBUTES = {
    "an int": (0, lambda self: setattr(self, "kept", self.kept + 1), "kept"),
    "a list": (lambda: [0], lambda self: add(self.kept), "kept[0]"),
    "an array": (lambda: np.zeros(1), lambda self: add(self.kept), "kept"),
    "deep down": (lambda: {"a": [{"b": [0]}]}, lambda self: add(self.kept["a"][0]["b"]), "kept.a[0].b[0]"),
    "a set": (set, lambda self: self.kept.add(len(self.kept)), "kept"),
    "a counting iterator": (itertools.count, lambda self: next(self.kept), "kept"),
    "a tensor": (lambda: torch.zeros(()), lambda self: self.kept.add_(1), "kept"),
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_that_counts(name):
    kept, step, path = ATTRIBUTES[name]

    def forward(self, x):
        step(self)
        return self.fc(x)

    assert doubts(net(forward, kept=kept)) == [f"forward changes `{path}`"]


WORLD = {
    "the clock": lambda: time.time() > 4e9,
    "random": lambda: random.random() > 2,
    "random numbers of its own": random.Random(0).random,
    "a unique number": lambda: uuid.uuid4().int < 0,
    "an address": lambda: id(object()) == 0,
    "a seed": lambda: torch.manual_seed(0) is None,
    "a generator's seed": lambda: torch.default_generator.manual_seed(torch.initial_seed()) is None,
}


@pytest.mark.parametrize("name", WORLD)
def test_what_is_asked_of_the_world(name):
    ask = WORLD[name]

    assert doubts(net(value_of(lambda self, x: ask() is None)))


def test_what_torch_itself_asks_of_the_world_is_its_own():
    def forward(self, x):
        return checkpoint(lambda given: F.dropout(self.fc(given), 0.5, self.training), x, use_reentrant=False)

    assert doubts(net(forward), mode="train") == []


def keep_weights(self, x):
    if self.kept is None:
        self.kept = self.fc.weight.detach() * 2
    return F.linear(x, self.kept)


def keep_input(self, x):
    if x is self.kept:
        return x
    self.kept = x
    return self.fc(x)


def put_the_switch(self, x):
    y = self.fc(x)
    self.last.requires_grad_(False)
    return y


def leave_no_grad(self, x):
    y = self.fc(x)
    torch.set_grad_enabled(False)
    return y


def in_a_thread(self, x):
    made = []
    worker = threading.Thread(target=lambda: made.append(F.relu(x.detach() - RARE)))
    worker.start()
    worker.join()
    return self.fc(x) + made[0]


def once_then_other(self, x):
    if self.kept is None:
        self.kept = 1
        return F.relu(self.fc(x))
    return self.fc(x).clamp(0, RARE)


def train_tells_eval(self, x):
    if self.training:
        self.kept = 1
    elif self.kept:
        return self.fc(x).clamp(0, RARE)
    return F.relu(self.fc(x))


LATER = {
    "a cache of weights": (keep_weights, "forward keeps a tensor that follows from weights or inputs"),
    "an input that is kept": (keep_input, "forward keeps its input"),
    "requires_grad": (put_the_switch, "forward changes `requires_grad` or `training`"),
    "the gradient mode": (leave_no_grad, "forward leaves torch with other settings"),
    "another thread": (in_a_thread, "a tensor comes from a call that could not be seen"),
    "a gradient that is there": (value_of(lambda self, x: self.fc.weight.grad is not None), "the `grad` of a tensor"),
    "the version of a tensor": (value_of(lambda self, x: self.fc.weight._version > 500), "the `_version` of a tensor"),
    "train tells eval": (train_tells_eval, "what forward does in eval depends on what it did before"),
}


@pytest.mark.parametrize("name", LATER)
def test_what_one_run_leaves_to_the_next(name):
    forward, reason = LATER[name]

    assert reason in " ".join(doubts(net(forward, kept=None), mode="train"))


def test_what_is_done_from_the_second_run_on_belongs_to_the_record():
    one_shot, plain = net(once_then_other, kept=None), net(lambda self, x: F.relu(self.fc(x)), kept=None)
    record = graph(one_shot)

    assert record.doubts == () and record.later is not None
    assert [call.op for call in record.calls] != [call.op for call in record.later.calls]
    assert proof(one_shot, net(once_then_other, kept=None)).status == "proved"
    assert "from the second run on" in proof(one_shot, plain).reason


HARMLESS = {
    "a cache by size": lambda self, x: (
        self.fc(x) + self.kept.setdefault(x.shape[0], torch.arange(x.shape[0])).unsqueeze(1)
    ),
    "an activation that nobody reads": lambda self, x: setattr(self, "seen", self.fc(x).detach()) or self.fc(x),
    "a size that is kept": lambda self, x: setattr(self, "size", x.shape) or self.fc(x),
    "a list that grows in a call": lambda self, x: torch.cat(grown([], self.fc(x))),
    "numbers of numpy's": lambda self, x: self.fc(x) + torch.from_numpy(np.arange(4.0)),
    "numbers that are not": lambda self, x: torch.cat([self.fc(x), torch.full_like(x, float("nan"))]),
    "constants": lambda self, x: self.fc(x) * torch.tensor([1.0, 2.0, 3.0, 4.0]) + x.new_tensor([2.0]),
    "random numbers": lambda self, x: F.dropout(self.fc(x)) + torch.randn_like(x),
    "a decision on sizes": lambda self, x: self.fc(x) if x.shape[0] > 1 else self.last(x),
}


def grown(box, y):
    box.append(y)
    return box


@pytest.mark.parametrize("name", HARMLESS)
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_what_is_no_reason_to_doubt(name, mode):
    assert doubts(net(HARMLESS[name], kept=dict), mode=mode) == []


# ---- the copy that is run


def hooked_on(captured):
    module = net(w=nn.Parameter(torch.ones(4)))
    scale = module.w if captured else torch.ones(4)
    module.register_forward_hook(lambda module, args, output: output * scale)
    return module


def test_a_copy_that_still_takes_a_tensor_of_the_module():
    assert doubts(hooked_on(True)) == ["a tensor takes a gradient and is registered nowhere"]
    assert doubts(hooked_on(False)) == []
    frozen = hooked_on(True)
    frozen.w.requires_grad_(False)
    assert "a copy of the module still takes a tensor of the module itself" in doubts(frozen)


def test_a_copy_that_is_another_module():
    module = net()
    type(module).__deepcopy__ = lambda self, memo: net(lambda self, x: self.last(x))

    assert doubts(module) == ["a copy of the module has another `__class__`"]


def test_modules_that_are_registered_nowhere():
    module = net(lambda self, x: self.hidden[0](x), hidden=[nn.LayerNorm(4)])

    assert doubts(module) == ["a tensor takes a gradient and is registered nowhere"]


def test_tensors_of_one_memory_stay_so():
    def tied(in_memory):
        module = net(lambda self, x: self.last(self.fc(x)))
        module.last.weight.data = module.fc.weight.data if in_memory else module.fc.weight.data.clone()
        return module

    def viewed(view):
        module = net(lambda self, x: self.fc(x) + x @ self.turned)
        module.turned = module.fc.weight.detach().t() if view else module.fc.weight.detach().t().clone()
        return module

    for make in (tied, viewed):
        assert doubts(make(True)) == doubts(make(False)) == []
        assert proof(make(True), make(True)).status == "proved"
        assert proof(make(True), make(False)).status == "unproved"


# ---- inputs and outputs


@dataclass
class Box:
    a: torch.Tensor


def test_an_input_that_is_not_looked_into():
    module = net(lambda self, x, y: self.fc(x) + y.a)

    assert doubts(module, X, Box(X)) == ["an input holds a `Box`, which is not looked into"]


def test_an_output_that_is_not_looked_into():
    assert doubts(net(lambda self, x: {self.fc(x)})) == ["forward returns a `set`, which is not looked into"]
    assert doubts(net(lambda self, x: Box(self.fc(x)))) == []


def test_a_setting_without_gradients_of_inputs():
    # as in training: a checkpoint of the older kind gives no gradients at all there
    def reentrant(self, x):
        return checkpoint(self.fc, x, use_reentrant=True)

    def plain(self, x):
        return self.fc(x)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        records = [graph(net(forward), input_grad=False) for forward in (reentrant, plain)]
    assert [record.structure[1] for record in records] == [False, True]


def test_a_library_whose_operators_are_not_torchs():
    library = torch.library.Library("seqify_tests", "FRAGMENT")
    library.define("same(Tensor x) -> Tensor")
    library.impl("same", torch.clone, "CPU")
    module = net(lambda self, x: torch.ops.seqify_tests.same(x.detach()))

    assert doubts(module) == ["the code of `seqify_tests::same` is not looked at"]
    library._destroy()


# ---- what the graphs tell apart, and what they do not

PLAIN = torch.autograd.Function
APART = {
    "a clamp that no number meets": (lambda self, x: self.fc(x), lambda self, x: self.fc(x).clamp(-RARE, RARE)),
    "a threshold": (lambda self, x: F.softplus(self.fc(x)), lambda self, x: F.softplus(self.fc(x), 1, 2000)),
    "detach": (lambda self, x: self.fc(x) + 0 * x, lambda self, x: self.fc(x) + 0 * x.detach()),
    "the order of draws": (
        lambda self, x: _noise(self.fc(x), torch.rand_like(x), torch.rand_like(x)),
        lambda self, x: _noise(self.fc(x), *[torch.rand_like(x), torch.rand_like(x)][::-1]),
    ),
    "a draw for nothing": (lambda self, x: self.fc(x), lambda self, x: (torch.rand(3), self.fc(x))[1]),
    "what an in-place change reaches": (
        lambda self, x: _clamped(self.fc(x), own=True),
        lambda self, x: _clamped(self.fc(x), own=False),
    ),
    "an output that is an input": (lambda self, x: (self.fc(x), x), lambda self, x: (self.fc(x), x.clone())),
    "outputs of one memory": (lambda self, x: _twice(self.fc(x)), lambda self, x: _twice(self.fc(x), copy=True)),
    "strides": (lambda self, x: self.fc(x).t(), lambda self, x: self.fc(x).t().contiguous()),
    "rows and columns": (lambda self, x: self.fc(x) + x.sum(0), lambda self, x: self.fc(x) + x.sum(1)),
    "a constant": (lambda self, x: self.fc(x) + torch.tensor(1.0), lambda self, x: self.fc(x) + torch.tensor(2.0)),
    "a layer": (lambda self, x: self.last(self.fc(x)), lambda self, x: self.fc(self.last(x))),
    "True and 1": (lambda self, x: (self.fc(x), True), lambda self, x: (self.fc(x), 1)),
    "the keys of a dict": (lambda self, x: {"a": self.fc(x)}, lambda self, x: {"b": self.fc(x)}),
    "a hidden gradient": (lambda self, x: Same.apply(self.fc(x)), lambda self, x: Double.apply(self.fc(x))),
    "a hook on an output": (lambda self, x: self.fc(x), lambda self, x: _hooked(self.fc(x))),
    "double precision": (lambda self, x: self.fc(x) + x.double().float(), lambda self, x: self.fc(x) + x),
}


class Same(PLAIN):
    @staticmethod
    def forward(ctx, x):
        return x * 1.0

    @staticmethod
    def backward(ctx, g):
        return g * 1.0


class Double(Same):
    @staticmethod
    def backward(ctx, g):
        return (g * 1.0).clamp(-RARE, RARE)


def _noise(y, a, b):
    return y * (1 + F.relu(a - 2)) + F.relu(b - 2)


def _clamped(y, own):
    other = y.clone()
    (y if own else other).clamp_(-RARE, RARE)
    return y * 2 + other


def _twice(y, copy=False):
    return y, y.clone() if copy else y


def _hooked(y):
    y.register_hook(lambda g: g.clamp(-RARE, RARE))
    return y


@pytest.mark.parametrize("name", APART)
def test_two_forwards_that_are_two(name):
    assert not graphs_agree(*APART[name])


TOGETHER = {
    "functions and methods": (lambda self, x: F.relu(self.fc(x)), lambda self, x: self.fc(x).relu()),
    "modules and functions": (lambda self, x: nn.GELU()(self.fc(x)), lambda self, x: F.gelu(self.fc(x))),
    "views": (lambda self, x: torch.flatten(self.fc(x), 0), lambda self, x: self.fc(x).view(-1)),
    "a dimension from behind": (lambda self, x: self.fc(x).softmax(-1), lambda self, x: self.fc(x).softmax(1)),
    "an int for a float": (lambda self, x: self.fc(x) * 2 + 1, lambda self, x: self.fc(x) * 2.0 + 1.0),
    "operators": (lambda self, x: self.fc(x) @ x.T - x, lambda self, x: torch.matmul(self.fc(x), x.t()).sub(x)),
    "an order that no value depends on": (
        lambda self, x: [self.fc(x.detach()), self.last(x.detach())],
        lambda self, x: [self.last(x.detach()), self.fc(x.detach())][::-1],
    ),
    "what nobody uses": (lambda self, x: self.fc(x), lambda self, x: (self.last(x.detach()), self.fc(x))[1]),
    "one kernel size": (lambda self, x: F.max_pool1d(self.fc(x), 2), lambda self, x: F.max_pool1d(self.fc(x), 2, 2)),
}


@pytest.mark.parametrize("name", TOGETHER)
def test_two_forwards_that_are_one(name):
    assert graphs_agree(*TOGETHER[name])
