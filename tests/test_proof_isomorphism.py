"""Two records that are one graph, and programs that are, or are not, one function."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nets import X, graph, net, proof
from torch import nn

from seqify.proof.isomorphism import Case, compare, differing_argument, prove
from seqify.proof.record import Call, Leaf, Operand, Place, Record

AT = Operand(0, "torch.float32", (2,), (1,), 0)
WORDS = {"mode": "eval", "dtype": "float32", "inputs": "x (2)"}


def record(*calls, out=AT, **more):
    return Record({0: Leaf("input", ("x",))}, calls, {"forward": {"output": out}}, **more)


def test_a_record_is_itself():
    assert compare(record(), record(), {}) is None


PARTED = {
    "an error": (record(error="TypeError"), "old runs, new raises TypeError"),
    "conditions": (record(conditions=("n < 8",)), "the sizes have to meet other conditions"),
    "symbols": (record(symbols={"x": ("n",)}), "the sizes have to meet other conditions"),
    "structure": (record(structure=("Tensor", True)), "the outputs have another structure"),
    "a result": (Record({}, (), {"forward": {"other": AT}}), "one side alone has `other` (forward)"),
    "a value": (record(out=dataclasses.replace(AT, offset=1)), "`output` (forward) comes from other calls"),
    "a draw": (record(Call("aten.rand.default", (), (), draws=True)), "random numbers are drawn in another order"),
    "later": (record(later=record(structure=("Tensor", True))), "from the second run on, the outputs have another"),
}


@pytest.mark.parametrize("name", PARTED)
def test_where_two_records_part(name):
    new, reason = PARTED[name]
    found = compare(record(), new, {})

    assert found is not None and reason in found.reason
    assert compare(new, new, {}) is None


def test_the_calls_at_which_they_part():
    old = net(lambda self, x: torch.nn.functional.leaky_relu(self.fc(x)))
    new = net(lambda self, x: torch.nn.functional.leaky_relu(self.fc(x), 0.1))
    found = proof(old, new)

    assert found.status == "unproved" and found.parting is not None
    assert found.parting.argument == ("negative_slope", 0.01, 0.1)
    assert "old calls `leaky_relu` with negative_slope=0.01" in found.reason


def test_an_argument_that_differs_is_told_only_where_it_is_the_only_one():
    one = Call("aten.f.default", (("a", 1), ("b", 2)), ())
    assert differing_argument(one, Call("aten.f.default", (("a", 1), ("b", 3)), ())) == ("b", 2, 3)
    assert differing_argument(one, Call("aten.f.default", (("a", 0), ("b", 3)), ())) is None
    assert differing_argument(one, Call("aten.g.default", (("a", 1), ("b", 3)), ())) is None


def test_two_new_tensors_for_one_old():
    # what holds while both have the same numbers does not hold for others
    frozen = nn.Linear(4, 4).requires_grad_(False)
    old = net(lambda self, x: self.a(self.a(x)) + self.fc(x), a=copy.deepcopy(frozen))
    new = net(lambda self, x: self.b(self.a(x)) + self.fc(x), a=copy.deepcopy(frozen), b=copy.deepcopy(frozen))
    names = {name: name.replace("b.weight", "a.weight").replace("b.bias", "a.bias") for name in new.state_dict()}

    assert "two tensors of the new module are `a." in proof(old, new, names=names).reason


def test_doubts_come_before_graphs():
    place = Place("net.py", 7, "")
    case = Case(WORDS, record(), record(doubts=(("forward reads a value", place),)))

    assert prove([case], {}, "cpu").reason == "forward reads a value (new, net.py:7)"


def test_cases_in_which_both_raise_prove_nothing():
    raising = Case(WORDS, record(error="TypeError"), record(error="TypeError"))

    assert prove([raising], {}, "cpu").reason == "both sides raise on every input"
    assert prove([raising, Case(WORDS, record(), record())], {}, "cpu").status == "proved"


def test_the_scope_names_what_was_looked_at():
    old = net(lambda self, x: self.fc(x))

    assert proof(old, copy.deepcopy(old)).scope == "on cpu, eval and train, forward and backward, float32, for x"


def test_roles_of_equal_layers_that_are_swapped():
    def forward(first, last):
        return lambda self, x: getattr(self, last)(getattr(self, first)(x))

    norms = {"a": nn.LayerNorm(4), "b": nn.LayerNorm(4)}  # fresh, and equal in every number
    sides = [net(forward(*order), **copy.deepcopy(norms)) for order in (("a", "b"), ("b", "a"))]

    assert proof(*sides).status == "unproved"
    other = {"a": "b", "b": "a"}
    swapped = {name: f"{other.get(name[0], name[0])}{name[1:]}" for name in sides[1].state_dict()}
    assert proof(*sides, names=swapped).status == "proved"


# ---- random programs
#
# A program is a list of steps on variables; step n makes variable n + 2, variables 0 and 1 are the inputs of the first
# layer. Its rewriting names variables anew, makes independent steps in another order and writes what torch has two
# spellings for in the other one. A mutant changes one step.

UNARY = {
    "relu": (torch.relu, lambda v: v.relu()),
    "tanh": (torch.tanh, lambda v: nn.Tanh()(v)),
    "twice": (lambda v: v * 2, lambda v: torch.mul(v, 2.0)),
    "softmax": (lambda v: v.softmax(-1), lambda v: torch.nn.functional.softmax(v, 1)),
    "turned": (lambda v: v.t(), lambda v: v.permute(1, 0)),
    "flat": (lambda v: v.reshape(4, 4).flatten().view(4, 4), lambda v: v.reshape(2, 8).reshape(4, 4)),
    "mean": (lambda v: v - v.mean((0, 1)), lambda v: v.sub(torch.mean(v, (-1, -2)))),
}
BINARY = {
    "add": (torch.add, lambda a, b: a + b),
    "sub": (torch.sub, lambda a, b: a - b),
    "matmul": (torch.matmul, lambda a, b: a @ b),
    "larger": (torch.maximum, lambda a, b: a.maximum(b)),
}
steps = st.lists(
    st.tuples(st.sampled_from([*UNARY, *BINARY]), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=6
)


def run(program, start, order, other):
    """The value of the last variable; `other` says which steps are spelled in the other way."""
    values = dict(enumerate(start))
    for number in order:
        name, a, b = program[number]
        spellings = UNARY.get(name) or BINARY[name]
        operands = [values[place % (number + 2)] for place in ((a,) if name in UNARY else (a, b))]
        values[number + 2] = spellings[other[number]](*operands)
    return values[len(program) + 1]


def interpreter(program, order=None, other=None):
    order, other = order or range(len(program)), other or [0] * len(program)

    def forward(self, x):
        return run(program, (self.fc(x), self.last(x.detach())), order, other)

    return net(forward)


def depends(program, number):
    name, a, b = program[number]
    return {place % (number + 2) for place in ((a,) if name in UNARY else (a, b))}


@settings(max_examples=30, deadline=None)
@given(steps, st.data())
def test_a_program_equals_its_rewriting(program, data):
    other = data.draw(st.lists(st.sampled_from([0, 1]), min_size=len(program), max_size=len(program)))
    left, order = list(range(len(program))), []
    while left:
        ready = [step for step in left if depends(program, step) <= {0, 1, *(done + 2 for done in order)}]
        order.append(data.draw(st.sampled_from(ready)))
        left.remove(order[-1])
    with torch.no_grad():
        case = Case(
            WORDS, *(graph(side, grad=False) for side in (interpreter(program), interpreter(program, order, other)))
        )

    found = prove([case], {name: name for name in net().state_dict()}, "cpu")
    assert found.status == "proved", found.reason


@settings(max_examples=60, deadline=None)
@given(steps, st.data())
def test_a_program_differs_from_its_mutants(program, data):
    place = data.draw(st.integers(0, len(program) - 1))
    name, a, b = program[place]
    change = data.draw(st.sampled_from(["function", "operand"]))
    if change == "function":
        name = data.draw(st.sampled_from([item for item in (UNARY if name in UNARY else BINARY) if item != name]))
    else:
        a += 1
    mutant = [*program[:place], (name, a, b), *program[place + 1 :]]
    case = Case(WORDS, *(graph(interpreter(each)) for each in (program, mutant)))

    found = prove([case], {name: name for name in net().state_dict()}, "cpu")
    if found.status == "proved":
        # only where the two are one function after all: where no result follows from the step, or two variables are one
        for scale in (1.0, -3.0, 1e3):
            assert torch.equal(*(interpreter(each)(X * scale) for each in (program, mutant)))
