"""What people compare two modules with today."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .observation import move_weights

__all__ = ["BASELINES"]

Values = dict[str, Any]


def tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from tensors(item)


def answer(network: nn.Module, values: Values, train: bool = False) -> Any:
    network = copy.deepcopy(network).train(train)
    torch.manual_seed(0)
    given = {name: item.clone() if isinstance(item, Tensor) else item for name, item in values.items()}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return network(*given.values()) if len(given) == 1 else network(**given)


def finds(compare: Callable[[], bool]) -> bool:
    """Whether a comparison says no; one that raises does."""
    try:
        return not compare()
    except Exception:
        return True


def allclose(old: nn.Module, new: nn.Module, values: Values) -> bool:
    """`torch.allclose` of the outputs in eval, on the weights of the constructors."""

    def compare() -> bool:
        left, right = (list(tensors(answer(network, values))) for network in (old, new))
        return len(left) == len(right) and all(torch.allclose(a, b) for a, b in zip(left, right, strict=True))

    return finds(compare)


def assert_close(old: nn.Module, new: nn.Module, values: Values) -> bool:
    """`torch.testing.assert_close` of the outputs in eval and in train, on the weights of the constructors."""

    def compare() -> bool:
        for train in (False, True):
            torch.testing.assert_close(answer(new, values, train), answer(old, values, train))
        return True

    return finds(compare)


def same_bits(old: nn.Module, new: nn.Module, values: Values) -> bool:
    """`torch.equal` of the outputs in eval, after other weights were loaded into both."""

    def compare() -> bool:
        left, right = copy.deepcopy(old), copy.deepcopy(new)
        move_weights(left)
        right.load_state_dict(left.state_dict())
        found = [list(tensors(answer(network, values))) for network in (left, right)]
        return len(found[0]) == len(found[1]) and all(torch.equal(a, b) for a, b in zip(*found, strict=True))

    return finds(compare)


BASELINES: dict[str, Callable[[nn.Module, nn.Module, Values], bool]] = {
    "allclose": allclose,
    "assert_close": assert_close,
    "bits": same_bits,
}
