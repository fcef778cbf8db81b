"""The comparison of two modules that ought to be built alike."""

from __future__ import annotations

import functools
import threading
import weakref
from typing import Any

import pytest
import torch
from torch import nn

from seqify.emit.literal import CannotWrite
from seqify.emit.same import NeedsValues, require_same


class Holder(nn.Module):
    """A module that holds one value."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class Plain:
    def __init__(self, value: Any) -> None:
        self.value = value


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def scaled(by: float) -> Any:
    return lambda x: x * by


def same(live: Any, built: Any, **options: Any) -> bool:
    try:
        require_same(Holder(live), Holder(built), "net", **options)
    except CannotWrite as error:
        assert error.path.startswith("net")
        return False
    return True


ALIKE = [
    (1, 1), (0.5, 0.5), (float("nan"), float("nan")), ("a", "a"), (None, None), ([1, (2, {"a": 3})], [1, (2, {"a": 3})]),
    ({1, 2}, {1, 2}), (torch.float16, torch.float16), (nn.ReLU, nn.ReLU), (slice(1, 2), slice(1, 2)), (len, len),
    (torch.ones(2), torch.ones(2)), (torch.tensor([1.0, float("nan")]), torch.tensor([1.0, float("nan")])),
    (scaled(2), scaled(2)), (functools.partial(max, 1), functools.partial(max, 1)), (Plain(1), Plain(1)), (Slotted(1), Slotted(1)),
    (Plain([torch.ones(1)]), Plain([torch.ones(1)])), ([nn.Linear(2, 2)], [nn.Linear(2, 2)]), (nn.ReLU(), nn.ReLU()),
    (torch.Size([1]), torch.Size([1])), (torch.device("cpu"), torch.device("cpu")), (range(3), range(3)),
]  # fmt: skip

UNLIKE = [
    (1, 2), (1, 1.0), (1, True), ("a", "b"), ([1], (1,)), ([1], [1, 2]), ({"a": 1}, {"a": 2}), ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({1}, {2}), (torch.float16, torch.float32), (nn.ReLU, nn.Tanh), (torch.ones(2), torch.zeros(2)), (torch.ones(2), torch.ones(3)),
    (torch.ones(2), torch.ones(2).double()), (scaled(2), scaled(3)), (lambda: 1, lambda: 1), (functools.partial(max, 1), functools.partial(max, 2)),
    (Plain(1), Plain(2)), (Slotted(1), Slotted(2)), (Plain(1), Slotted(1)), (nn.ReLU(), nn.Tanh()), (nn.ReLU(), nn.ReLU(inplace=True)),
    ([nn.Linear(2, 2)], [nn.Linear(2, 3)]), (object(), object()), (threading.Lock(), threading.Lock()), (torch.Generator(), torch.Generator()),
    (range(3), range(4)), (torch.device("cpu"), torch.device("meta")),
]  # fmt: skip


@pytest.mark.parametrize(("live", "built"), ALIKE)
def test_alike(live: Any, built: Any) -> None:
    assert same(live, built)
    assert same(Plain(live), Plain(built))


@pytest.mark.parametrize(("live", "built"), UNLIKE)
def test_unlike(live: Any, built: Any) -> None:
    assert not same(live, built)
    assert not same([live], [built])


def test_methods_and_weak_references() -> None:
    one, other, third = Plain(1), Plain(1), Plain(2)

    assert same(nn.ReLU().forward, nn.ReLU().forward)
    assert not same(nn.ReLU().forward, nn.ReLU(inplace=True).forward)
    assert same(weakref.ref(one), weakref.ref(other))
    assert not same(weakref.ref(one), weakref.ref(third))


def test_circles() -> None:
    one, other = Plain(None), Plain(None)
    one.value, other.value = [one, 1], [other, 1]

    assert same(one, other)
    other.value[1] = 2
    assert not same(one, other)


def test_a_tensor_that_is_a_part_is_known_by_its_partner() -> None:
    one, other = nn.Linear(2, 2), nn.Linear(2, 2)
    one.held, other.held = [one.weight], [other.weight]  # type: ignore[assignment]
    require_same(one, other, "")

    other.held = [other.bias]  # type: ignore[assignment]
    with pytest.raises(
        CannotWrite, match="`held` is a list, and the one that would be built is not known to be the same"
    ):
        require_same(one, other, "")


def test_tensors_without_values() -> None:
    one, other = torch.ones(2), torch.ones(2, device="meta")

    with pytest.raises(NeedsValues):
        require_same(Holder(one), Holder(other), "net", values=None)
    assert same(one, other, values=False)
    assert not same(one, other)


def test_requires_grad_can_be_left_out() -> None:
    frozen, free = nn.Linear(2, 2).requires_grad_(False), nn.Linear(2, 2)

    require_same(frozen, free, "net", grads=False)
    with pytest.raises(CannotWrite, match=r"`net.weight.requires_grad` was changed"):
        require_same(frozen, free, "net")


def test_the_order_of_the_parts_counts() -> None:
    one, other = nn.Module(), nn.Module()
    one.a, one.b = nn.ReLU(), nn.Tanh()
    other.b, other.a = nn.Tanh(), nn.ReLU()

    with pytest.raises(CannotWrite, match="the parts of `net` stand in another order than it builds them in"):
        require_same(one, other, "net")


def test_a_buffer_that_is_not_saved() -> None:
    one, other = nn.Module(), nn.Module()
    one.register_buffer("a", torch.ones(1), persistent=False)
    other.register_buffer("a", torch.ones(1))

    with pytest.raises(CannotWrite, match="only one of `net.a` and what is built would be in a state_dict"):
        require_same(one, other, "net")


def test_a_removed_part_and_a_lost_hook() -> None:
    def hook(*_: Any) -> None: ...

    one, other = nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU(), nn.ReLU())
    with pytest.raises(CannotWrite, match=r"`net.1` was removed after construction"):
        require_same(one, other, "net")
    one, other = nn.Sequential(), nn.Sequential()
    other.register_forward_hook(hook)
    with pytest.raises(CannotWrite, match="`net` lacks or changed a forward hook"):
        require_same(one, other, "net")
    one.register_forward_hook(hook)
    require_same(one, other, "net")


def test_plain_values() -> None:
    require_same([1, nn.ReLU()], [1, nn.ReLU()], "")
    with pytest.raises(CannotWrite, match="`list` was changed after construction: it is"):
        require_same([1], [2], "")
