"""The record of constructor calls: exact, complete, and gone without a trace."""

from __future__ import annotations

import cProfile
import gc
import sys
import threading
import time
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import pytest
import torch
from torch import nn

from seqify.constructed import Construction, Constructions, recording


def given(made: Constructions, value: object) -> tuple[tuple[Any, ...], dict[str, Any]]:
    found = made.of(value)
    assert found is not None and found.kind is type(value)
    return found.args, dict(found.kwargs)


def test_layers_of_torch() -> None:
    with recording() as made:
        conv = nn.Conv2d(3, 8, kernel_size=3, padding=1, bias=False)
        linear = nn.Linear(in_features=4, out_features=2)
        relu = nn.ReLU()

    assert made.of(conv) == Construction(nn.Conv2d, (3, 8, 3), {"padding": 1, "bias": False})
    assert given(made, linear) == ((4, 2), {})
    assert given(made, relu) == ((), {})


def test_the_outermost_call_counts() -> None:
    class Base(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.fc = nn.Linear(width, width)

    class Derived(Base):
        def __init__(self, half: int, *, gain: float = 1.0) -> None:
            half = half * 2  # what was given is recorded, not what the body makes of it
            super().__init__(half)

    with recording() as made:
        net = Derived(4, gain=0.5)

    assert given(made, net) == ((4,), {"gain": 0.5})
    assert given(made, net.fc) == ((8, 8), {})


def test_an_inherited_constructor() -> None:
    class Mine(nn.Linear):
        pass

    with recording() as made:
        layer = Mine(3, 4, bias=False)

    assert given(made, layer) == ((3, 4, False), {})


def test_parameters_of_each_kind() -> None:
    class Odd(nn.Module):
        def __init__(self, a: int, b: int = 2, /, c: int = 3, *rest: int, d: int = 4, **more: int) -> None:
            super().__init__()

    with recording() as made:
        every, few, named = Odd(1, 2, 3, 5, 6, d=7, e=8), Odd(1), Odd(1, c=9)

    assert given(made, every) == ((1, 2, 3, 5, 6), {"d": 7, "e": 8})
    assert given(made, few) == ((1,), {})
    assert given(made, named) == ((1,), {"c": 9})


def test_a_value_that_only_looks_like_the_default_is_kept() -> None:
    class Net(nn.Module):
        def __init__(self, one: Any = 1, shape: Any = (1, 2), rate: Any = 0.0) -> None:
            super().__init__()

    with recording() as made:
        net, same = Net(True, [1, 2], 0), Net(1, (1, 2), 0.0)

    assert given(made, net) == ((True, [1, 2], 0), {})
    assert given(made, same) == ((), {})


def test_the_object_inside_star_args() -> None:
    class Star(nn.Module):
        def __init__(*args: Any, **kwargs: Any) -> None:
            super(Star, args[0]).__init__()

    with recording() as made:
        net = Star(1, 2, three=3)

    assert given(made, net) == ((1, 2), {"three": 3})


def test_a_parameter_that_a_closure_holds() -> None:
    class Net(nn.Module):
        def __init__(self, scale: float) -> None:
            super().__init__()
            self.act = lambda x: x * scale

    with recording() as made:
        net = Net(2.0)

    assert given(made, net) == ((2.0,), {})


def test_helper_objects_and_dataclasses() -> None:
    class Config:
        def __init__(self, width: int, depth: int = 2) -> None:
            self.width = width

    @dataclass
    class Data:
        width: int
        stages: list[int] = field(default_factory=list)
        rate: float = 0.5

    class Slotted:
        __slots__ = ("value",)

        def __init__(self, value: int) -> None:
            self.value = value

    with recording() as made:
        config, data, slotted = Config(3), Data(4, rate=0.1), Slotted(5)

    assert given(made, config) == ((3,), {})
    assert given(made, data) == ((4,), {"rate": 0.1})
    assert given(made, slotted) == ((5,), {})


def test_a_list_is_kept_as_it_was() -> None:
    class Net(nn.Module):
        def __init__(self, widths: list[int], options: dict[str, list[int]]) -> None:
            super().__init__()
            widths.append(0)
            options["a"].append(0)

    with recording() as made:
        net = Net([1, 2], {"a": [3]})

    assert given(made, net) == (([1, 2], {"a": [3]}), {})


def test_modules_and_tensors_among_the_arguments_are_the_same_objects() -> None:
    class Net(nn.Module):
        def __init__(self, parts: list[nn.Module], weight: torch.Tensor) -> None:
            super().__init__()
            self.parts = nn.ModuleList(parts)

    weight = torch.ones(2)
    with recording() as made:
        net = Net([nn.ReLU()], weight)

    (parts, kept), _ = given(made, net)
    assert parts[0] is net.parts[0]
    assert kept is weight


def test_a_decorated_constructor() -> None:
    def logged(function: Any) -> Any:
        @wraps(function)
        def wrapper(self: Any, *args: Any, **kwargs: Any) -> None:
            function(self, *args, **kwargs)

        return wrapper

    def other(function: Any) -> Any:
        return lambda self, *args: function(self, *args, 3)

    class Net(nn.Module):
        @logged
        def __init__(self, width: int = 1) -> None:
            super().__init__()

    class Hidden(nn.Module):
        @other
        def __init__(self, width: int, depth: int) -> None:
            super().__init__()

    with recording() as made:
        net, hidden = Net(2), Hidden(2)

    assert given(made, net) == ((2,), {})
    assert made.of(hidden) is None  # what `Hidden` was called with is not what its `__init__` was called with


def test_what_was_built_elsewhere_is_unknown() -> None:
    before = nn.ReLU()
    with recording() as made:
        thread = threading.Thread(target=lambda: others.append(nn.ReLU()))
        others: list[nn.Module] = []
        thread.start()
        thread.join()
    after = nn.ReLU()

    assert [made.of(value) for value in (before, others[0], after, 3, None)] == [None] * 5


def test_an_id_that_is_used_again() -> None:
    with recording() as made:
        for width in range(1, 50):
            nn.Linear(width, 1)
        gc.collect()
    strangers = [nn.Linear(1, 1) for _ in range(50)]

    assert not any(made.of(stranger) for stranger in strangers)


def test_a_recording_keeps_no_module_alive() -> None:
    with recording() as made:
        layer = nn.Linear(2, 2)
        key = id(layer)
        del layer

    assert key not in made._entries


def test_nested_recordings_both_see() -> None:
    with recording() as outer:
        first = nn.ReLU()
        with recording() as inner:
            second = nn.ReLU()
        third = nn.ReLU()

    assert [outer.of(value) is not None for value in (first, second, third)] == [True, True, True]
    assert [inner.of(value) is not None for value in (first, second, third)] == [False, True, False]


def test_the_profiler_is_put_back() -> None:
    def profiler(*event: Any) -> None:
        seen.append(event[1])

    seen: list[str] = []
    sys.setprofile(profiler)
    try:
        with pytest.raises(ValueError, match="no"), recording():
            raise ValueError("no")
        put_back = sys.getprofile() is profiler
        seen.clear()
        with recording():
            nn.ReLU()
        chained = "call" in seen
    finally:
        sys.setprofile(None)

    assert put_back
    assert chained
    with recording():
        pass
    assert sys.getprofile() is None


def test_inside_cprofile() -> None:
    profile = cProfile.Profile()
    profile.enable()
    try:
        with recording() as made:
            layer = nn.Linear(2, 2)
        torch.zeros(1)
    finally:
        profile.disable()

    assert given(made, layer) == ((2, 2), {})


@pytest.mark.filterwarnings("ignore")
def test_resnet50_takes_hardly_longer() -> None:
    models = pytest.importorskip("torchvision.models")

    def seconds(record: bool) -> float:
        start = time.perf_counter()
        if record:
            with recording() as made:
                model = models.resnet50()
            assert all(made.of(module) for module in model.modules())
        else:
            models.resnet50()
        return time.perf_counter() - start

    models.resnet50()
    pairs = [(seconds(True), seconds(False)) for _ in range(3)]

    # 1.05 on a quiet machine; twice is what two test processes beside each other may add
    assert min(record for record, _ in pairs) < 2 * min(plain for _, plain in pairs)
