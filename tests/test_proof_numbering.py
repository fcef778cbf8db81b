"""Value numbers of records written by hand."""

from __future__ import annotations

import pytest

from seqify.proof.numbering import number
from seqify.proof.record import Call, Leaf, Operand, Record

LEAVES = {0: Leaf("input", ("x",)), 1: Leaf("state", ("w",)), 2: Leaf("state", ("v",))}


def at(storage, size=(2, 2), stride=(2, 1), offset=0, dtype="torch.float32", flags=""):
    return Operand(storage, dtype, size, stride, offset, flags)


def call(op, *inputs, out=None, writes=(), draws=False, **plain):
    arguments = tuple((f"a{place}", item) for place, item in enumerate(inputs)) + tuple(plain.items())
    return Call(f"aten.{op}.default", arguments, () if out is None else (at(out),), tuple(writes), draws)


def numbered(*calls, out, leaves=LEAVES, names=None):
    results = {"forward": {f"output[{place}]": item for place, item in enumerate(out)}}
    return number(Record(leaves, calls, results), (names or {}).get if names else lambda name: name)


def same(left, right):
    return (left.results, left.aliases, left.generator) == (right.results, right.aliases, right.generator)


PRODUCT = numbered(call("mul", at(0), at(1), out=5), out=[at(5)])

OTHER = {
    "the operator": numbered(call("add", at(0), at(1), out=5), out=[at(5)]),
    "the order of operands": numbered(call("mul", at(1), at(0), out=5), out=[at(5)]),
    "a leaf": numbered(call("mul", at(0), at(2), out=5), out=[at(5)]),
    "a plain argument": numbered(call("mul", at(0), at(1), out=5, other=1), out=[at(5)]),
    "the size of an operand": numbered(call("mul", at(0, size=(4, 1)), at(1), out=5), out=[at(5)]),
    "its stride": numbered(call("mul", at(0, stride=(1, 2)), at(1), out=5), out=[at(5)]),
    "its offset": numbered(call("mul", at(0, offset=1), at(1), out=5), out=[at(5)]),
    "its dtype": numbered(call("mul", at(0, dtype="torch.int32"), at(1), out=5), out=[at(5)]),
    "conjugation": numbered(call("mul", at(0, flags="c"), at(1), out=5), out=[at(5)]),
    "how the result is looked at": numbered(call("mul", at(0), at(1), out=5), out=[at(5, stride=(1, 2))]),
    "a write before": numbered(call("zero_", at(0), writes=[0]), call("mul", at(0), at(1), out=5), out=[at(5)]),
    "a write behind": numbered(call("mul", at(0), at(1), out=5), call("zero_", at(5), writes=[5]), out=[at(5)]),
    "a draw": numbered(call("mul", at(0), at(1), out=5), call("rand", out=6, draws=True), out=[at(5)]),
    "memory of another result": numbered(call("mul", at(0), at(1), out=5), out=[at(5), at(5)]),
}


@pytest.mark.parametrize("name", OTHER)
def test_what_makes_another_number(name):
    assert not same(PRODUCT, OTHER[name])


ONE = {
    "the numbers of the storages": numbered(call("mul", at(0), at(1), out=77), out=[at(77)]),
    "a write that is too late to be read": numbered(
        call("mul", at(0), at(1), out=5), call("zero_", at(2), writes=[2]), out=[at(5)]
    ),
    "a call that nobody needs": numbered(call("exp", at(2), out=9), call("mul", at(0), at(1), out=5), out=[at(5)]),
    "the name of a leaf that is mapped": numbered(
        call("mul", at(0), at(1), out=5),
        out=[at(5)],
        leaves={0: Leaf("input", ("x",)), 1: Leaf("state", ("renamed",))},
        names={"renamed": "w"},
    ),
}


@pytest.mark.parametrize("name", ONE)
def test_what_makes_no_difference(name):
    assert same(PRODUCT, ONE[name])


def test_draws_count_in_their_order():
    a, b = (call(name, out=place, draws=True) for place, name in ((5, "rand"), (6, "randn")))

    assert not same(numbered(a, b, out=[at(5)]), numbered(b, a, out=[at(5)]))
    assert numbered(a, b, out=[]).live == {0, 1}


def test_calls_without_draws_come_in_any_order():
    a, b = call("exp", at(0), out=5), call("log", at(0), out=6)

    assert same(numbered(a, b, out=[at(5), at(6)]), numbered(b, a, out=[at(5), at(6)]))


def test_two_outputs_of_one_call_are_two():
    split = Call("aten.pair.default", (("a", at(0)),), (at(5), at(6)))

    assert not same(numbered(split, out=[at(5)]), numbered(split, out=[at(6)]))


def test_equal_contents_of_two_storages_stay_apart():
    # both hold the same at first; a write to one is no write to the other
    a, b, write = call("exp", at(0), out=5), call("exp", at(0), out=6), call("zero_", at(5), writes=[5])

    assert not same(numbered(a, b, write, out=[at(6)]), numbered(a, b, write, out=[at(5)]))


def test_an_absent_gradient_is_told_from_any_other():
    record = Record(LEAVES, (), {"gradients": {"w": None, "v": at(2)}})

    assert number(record).results["gradients"]["w"] == ""
    assert number(record).results["gradients"]["v"] != ""


def test_live_calls_are_those_that_results_follow_from():
    calls = [call("exp", at(0), out=5), call("log", at(0), out=6), call("neg_", at(5), writes=[5])]

    assert numbered(*calls, out=[at(5)]).live == {0, 2}
