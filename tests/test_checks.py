"""Two modules side by side: what must be told apart, and what must not."""

from __future__ import annotations

import copy
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqify.compare.checks import check, compare_trials
from seqify.compare.interface import same_seed
from seqify.compare.runs import Trials
from seqify.compare.side import Side
from seqify.compare.verdict import Check, Verdict
from seqify.trial import Setting, deterministic

X = torch.randn(8, 4)
IMAGE = torch.randn(8, 3, 8, 8)


def compare(
    old: nn.Module, new: nn.Module, *inputs: torch.Tensor, names: Mapping[str, str] | None = None, **options: object
) -> Verdict:
    same = {name: name for name in old.state_dict()}
    trials = [{"x": value} for value in inputs or (X, X[:3])]
    return check(old, new, trials, names or same, dtypes=options.pop("dtypes", [torch.float32]), **options)


def failed(verdict: Verdict) -> list[str]:
    return [f"{item.name} {item.mode}" for item in verdict.checks if not item.ok]


class Reference(nn.Module):
    """A small network with all that can go wrong in it; a mutant changes one thing."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.bn = nn.BatchNorm2d(8)
        self.bn2 = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.5)
        self.drop2 = nn.Dropout2d(0.5)
        self.fc = nn.Linear(8, 8)
        self.head = nn.Linear(8, 8)

    def stem(self, x):
        return F.relu(self.bn2(self.bn(self.conv(x))))

    def forward(self, x):
        x = self.drop2(self.drop(self.stem(x)))
        x = torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)
        return self.head(F.relu(self.fc(x)))


def mutant(change: Callable[[nn.Module], None] | None = None, **methods: Callable) -> tuple[nn.Module, nn.Module]:
    """The reference, and a copy with one change to the module or to its methods."""
    old = Reference()
    new = copy.deepcopy(old)
    if methods:
        new.__class__ = type("Mutant", (Reference,), methods)
    if change is not None:
        change(new)
    return old, new


def set_(module: nn.Module, name: str, value: object) -> None:
    owner, _, last = name.rpartition(".")
    setattr(module.get_submodule(owner), last, value)


def without(
    *, relu: bool = True, detach: bool = False, swapped: bool = False, bns: bool = False, linears: bool = False
) -> Callable:
    def forward(self, x):
        if bns:
            x = F.relu(self.bn(self.bn2(self.conv(x))))
        else:
            x = self.stem(x)
        x = self.drop(self.drop2(x)) if swapped else self.drop2(self.drop(x))
        x = torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)
        first, last = (self.head, self.fc) if linears else (self.fc, self.head)
        x = first(x.detach() if detach else x)
        return last(F.relu(x) if relu else x)

    return forward


MUTANTS: dict[str, tuple[Callable[[], tuple[nn.Module, nn.Module]], str]] = {
    "eps": (lambda: mutant(lambda new: set_(new, "bn.eps", 1e-3)), "forward eval"),
    "eps, by little": (lambda: mutant(lambda new: set_(new, "bn.eps", 2e-5)), "forward eval"),
    "momentum": (lambda: mutant(lambda new: set_(new, "bn.momentum", 0.2)), "buffers train"),
    "momentum None": (lambda: mutant(lambda new: set_(new, "bn.momentum", None)), "buffers train"),
    "p of a dropout": (lambda: mutant(lambda new: set_(new, "drop.p", 0.4)), "forward train"),
    "swapped normalisations": (lambda: mutant(forward=without(bns=True)), "forward eval"),
    "missing relu": (lambda: mutant(forward=without(relu=False)), "forward eval"),
    "detach": (lambda: mutant(forward=without(detach=True)), "gradients eval"),
    "swapped dropouts": (lambda: mutant(forward=without(swapped=True)), "forward train"),
    "swapped linears": (lambda: mutant(forward=without(linears=True)), "forward eval"),
    "a frozen parameter": (lambda: mutant(lambda new: new.fc.weight.requires_grad_(False)), "tensors -"),
    "a missing bias": (lambda: mutant(lambda new: set_(new, "fc.bias", None)), "tensors -"),
    "another shape": (lambda: mutant(lambda new: set_(new, "head", nn.Linear(8, 9))), "tensors -"),
    "another dtype": (lambda: mutant(lambda new: new.head.double()), "tensors -"),
    "a buffer for a parameter": (
        lambda: mutant(
            lambda new: (
                new.fc._parameters.pop("bias"),
                new.fc.register_buffer("bias", torch.zeros(8)),
            )
        ),
        "tensors -",
    ),
    "an unsaved buffer": (
        lambda: mutant(lambda new: new.bn._non_persistent_buffers_set.add("running_mean")),
        "tensors -",
    ),
    "another mode": (lambda: mutant(lambda new: new.eval()), "tensors -"),
    "no statistics": (lambda: mutant(lambda new: set_(new, "bn.track_running_stats", False)), "buffers train"),
    "always train": (
        lambda: mutant(lambda new: set_(new, "drop.train", lambda mode=True: new.drop)),
        "forward eval",
    ),
    "gelu for relu": (
        lambda: mutant(stem=lambda self, x: F.gelu(self.bn2(self.bn(self.conv(x))))),
        "forward eval",
    ),
    "leaky relu of slope 0.001": (
        lambda: mutant(stem=lambda self, x: F.leaky_relu(self.bn2(self.bn(self.conv(x))), 1e-3)),
        "forward eval",
    ),
    "one more random number": (
        lambda: mutant(forward=lambda self, x: (Reference.forward(self, x), torch.rand(1))[0]),
        "random eval",
    ),
    "output in a tuple": (lambda: mutant(forward=lambda self, x: (Reference.forward(self, x),)), "forward eval"),
    "other strides": (
        lambda: mutant(forward=lambda self, x: Reference.forward(self, x).t().contiguous().t()),
        "forward eval",
    ),
    "an input changed in place": (
        lambda: mutant(forward=lambda self, x: (Reference.forward(self, x.clone()), x.mul_(1.5))[0]),
        "inputs eval",
    ),
    "one raises": (lambda: mutant(forward=lambda self, x: x.view(7, 7)), "forward eval"),
    "a scaled gradient": (
        lambda: mutant(
            forward=lambda self, x: (lambda y: (y * 2) - y.detach())(Reference.forward(self, x)),
        ),
        "gradients eval",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found(name):
    make, where = MUTANTS[name]
    old, new = make()
    verdict = compare(old, new, IMAGE, IMAGE[:3])

    assert not verdict.ok
    assert where in failed(verdict)


def test_a_copy_is_the_same():
    old = Reference()
    verdict = compare(old, copy.deepcopy(old), IMAGE, IMAGE[:3])

    assert verdict.ok
    assert all(item.bitwise and item.max_ulp is None and not item.note for item in verdict.checks)
    assert [f"{item.name} {item.mode}" for item in verdict.checks] == [
        "tensors -",
        *(
            f"{part} {mode}"
            for mode in ("eval", "train")
            for part in ("forward", "inputs", "gradients", "input gradients", "buffers", "random")
        ),
    ]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_a_copy_is_the_same_in_other_dtypes(dtype):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x):
            return F.relu(self.fc(x))

    old = Net()
    verdict = compare(old, copy.deepcopy(old), dtypes=[dtype])

    assert verdict.ok
    assert {item.dtype for item in verdict.checks} == {"-", str(dtype).removeprefix("torch.")}


def test_other_weights_do_not_matter():
    """The weights of the old model are what both are given: the constructor's are another question."""
    old, new = Reference(), Reference()

    assert compare(old, new, IMAGE).ok


def test_neither_model_is_changed():
    old = Reference()
    new = copy.deepcopy(old)
    before = copy.deepcopy(old.state_dict())
    state = torch.get_rng_state()
    compare(old, new, IMAGE)

    for model in (old, new):
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        assert all(parameter.grad is None for parameter in model.parameters())
        assert model.training
    assert torch.equal(torch.get_rng_state(), state)


def test_names_pair_the_tensors():
    old = nn.Sequential(OrderedDict(fc1=nn.Linear(4, 4), relu=nn.ReLU(), fc2=nn.Linear(4, 4)))
    new = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    names = {"0.weight": "fc1.weight", "0.bias": "fc1.bias", "2.weight": "fc2.weight", "2.bias": "fc2.bias"}
    crossed = {"0.weight": "fc2.weight", "0.bias": "fc2.bias", "2.weight": "fc1.weight", "2.bias": "fc1.bias"}

    assert compare(old, new, names=names).ok
    assert not compare(old, new, names=crossed).ok


def test_a_key_too_few_is_found():
    old = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    verdict = compare(old, nn.Sequential(nn.Linear(4, 4)))

    assert "tensors -" in failed(verdict)
    assert verdict.checks[0].note == "the new module has no `1.bias`"


def test_keys_that_are_not_mapped_do_not_load():
    old, new = nn.Sequential(nn.Linear(4, 4)), nn.Sequential(OrderedDict(fc=nn.Linear(4, 4)))
    verdict = compare(old, new, names={"fc.weight": "0.weight"})

    assert [item.name for item in verdict.checks if not item.ok] == ["tensors", "weights"]
    assert verdict.checks[1].note == "the mapped weights do not load: 'fc.bias'"


def test_a_missing_key_in_a_lenient_load_is_found():
    """`strict=False` would hide a key that the new model has and the map does not."""
    old = nn.Sequential(nn.Linear(4, 4))

    class Lenient(nn.Module):
        def __init__(self):
            super().__init__()
            self.add_module("0", nn.Linear(4, 4))
            self.extra = nn.Parameter(torch.zeros(4))

        def forward(self, x):
            return self._modules["0"](x) + self.extra

    assert "tensors -" in failed(compare(old, Lenient()))


def test_untied_weights_are_found():
    class Tied(nn.Module):
        def __init__(self, tied=True):
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
            if tied:
                self.b.weight = self.a.weight

        def forward(self, x):
            return self.b(F.relu(self.a(x)))

    old = Tied()
    verdict = compare(old, Tied(tied=False))

    assert compare(old, Tied()).ok
    assert verdict.checks[0] == Check(
        "tensors", "-", "-", "-", False, False, note="`b.weight` and `a.weight` are one tensor in the old module alone"
    )


def test_tied_weights_that_were_apart_are_found():
    old = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    new = copy.deepcopy(old)
    new[1].weight = new[0].weight

    assert "tensors -" in failed(compare(old, new))


class Constant(nn.Module):
    """A network whose output says nothing of what is in it."""

    def __init__(self, layer: nn.Module | None = None) -> None:
        super().__init__()
        self.layer = layer or nn.Linear(4, 4)

    def forward(self, x):
        return F.relu(self.layer(x) * 0 - 1)


def test_a_constant_output_proves_nothing():
    old = Constant()
    verdict = compare(old, copy.deepcopy(old))

    assert failed(verdict) == ["forward eval", "forward train"]
    assert {item.note for item in verdict.checks if not item.ok} == {
        "the output is constant or not finite, which proves nothing"
    }


def test_an_output_that_does_not_depend_on_the_input_proves_nothing():
    """Behind a ReLU that nothing passes, only the last bias is left: what comes before it was never compared."""

    class Dead(nn.Module):
        def __init__(self, slope=0.1):
            super().__init__()
            self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 4)
            self.slope = slope

        def forward(self, x):
            return self.last(F.relu(F.leaky_relu(self.first(x), self.slope) - 100))

    assert not compare(Dead(), Dead(slope=0.5)).ok


@pytest.mark.parametrize("live", ["skip", "integers"])
def test_a_part_that_nothing_passes_proves_nothing(live):
    """Beside a skip connection, or behind integers, a dead part is as little compared as elsewhere."""

    class Dead(nn.Module):
        def __init__(self, slope=0.1):
            super().__init__()
            self.emb = nn.Embedding(4, 4)
            self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 4)
            self.slope = slope

        def forward(self, x):
            y = self.emb(x) if live == "integers" else x
            y = self.last(F.relu(F.leaky_relu(self.first(y), self.slope) - 100))
            return x + y if live == "skip" else y

    inputs = X if live == "skip" else torch.arange(4)

    assert not compare(Dead(), Dead(slope=0.5), inputs).ok


def test_an_output_that_is_not_finite_proves_nothing():
    class Net(nn.Module):
        def forward(self, x):
            return x / 0 * 0

    assert failed(compare(Net(), Net())) == ["forward eval", "forward train"]


def test_two_models_that_always_raise_prove_nothing():
    old = nn.Sequential(nn.Linear(5, 4))
    verdict = compare(old, copy.deepcopy(old))

    assert not verdict.ok
    assert [item.note for item in verdict.checks if not item.ok] == ["both raise RuntimeError"] * 2


def test_one_input_that_both_refuse_is_no_failure():
    """A batch of one cannot be normalised in train, by either model."""
    old = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    verdict = compare(old, copy.deepcopy(old), X, X[:1])

    assert verdict.ok


def test_no_comparison_is_no_success():
    assert not Verdict().ok


def test_the_distance_is_told():
    class Net(nn.Module):
        def __init__(self, shift):
            super().__init__()
            self.shift = shift

        def forward(self, x):
            return x + self.shift

    verdict = compare(Net(0.0), Net(0.5))
    (row,) = (item for item in verdict.checks if item.name == "forward" and item.mode == "eval")

    assert row.note == "first in `output`"
    assert row.max_abs == pytest.approx(0.5, rel=1e-5)
    assert row.max_ulp is not None and row.max_ulp > 1000
    assert not row.bitwise


def test_the_last_bit_counts():
    class Net(nn.Module):
        def __init__(self, last=False):
            super().__init__()
            self.last = last

        def forward(self, x):
            return torch.nextafter(x, x + 1) if self.last else x * 1

    verdict = compare(Net(), Net(last=True), X.detach())
    row = next(item for item in verdict.checks if item.name == "forward")

    assert not row.ok


def test_minus_zero_is_not_zero():
    class Net(nn.Module):
        def __init__(self, sign=1.0):
            super().__init__()
            self.sign = sign

        def forward(self, x):
            return torch.cat([x, x[:1] * 0 * self.sign])

    assert not compare(Net(), Net(-1.0)).ok


def test_nan_equals_the_same_nan():
    class Net(nn.Module):
        def forward(self, x):
            return torch.where(x > 1, x, x * float("nan"))

    assert "forward eval" not in failed(compare(Net(), Net(), torch.randn(64, 4)))


def test_a_model_that_differs_from_its_own_copy_is_allowed_its_noise():
    """The noise of the old model is measured, and the report says that it was needed."""

    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x):
            return self.fc(x) * (1 + 1e-6 * (int.from_bytes(os.urandom(1), "big") + 1))

    old = Noisy()
    rows = [item for _ in range(4) for item in compare(old, copy.deepcopy(old)).checks if item.name == "forward"]

    assert any(item.ok and item.note.startswith("within the old model's own noise (") for item in rows)
    assert not any(item.bitwise for item in rows if item.note)


def test_noise_does_not_excuse_a_real_difference():
    class Noisy(nn.Module):
        def __init__(self, scale=1.0):
            super().__init__()
            self.scale = scale

        def forward(self, x):
            return x * self.scale * (1 + 1e-6 * int.from_bytes(os.urandom(1), "big"))

    assert not compare(Noisy(), Noisy(1.1)).ok


def test_several_inputs_by_name():
    class Net(nn.Module):
        def __init__(self, swapped=False):
            super().__init__()
            self.swapped = swapped

        def forward(self, a, b):
            return b - a if self.swapped else a - b

    trials = [{"a": X, "b": X.flip(0)}]

    assert check(Net(), Net(), trials, {}, dtypes=[torch.float32]).ok
    assert not check(Net(), Net(swapped=True), trials, {}, dtypes=[torch.float32]).ok


def test_integer_inputs_keep_their_dtype():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb = nn.Embedding(5, 4)

        def forward(self, ids):
            return self.emb(ids)

    old = Net()

    assert check(
        old, copy.deepcopy(old), [{"ids": torch.arange(5)}], {"emb.weight": "emb.weight"}, dtypes=[torch.float64]
    ).ok


def test_a_difference_at_one_of_two_shapes_is_found():
    class Net(nn.Module):
        def __init__(self, wrong=False):
            super().__init__()
            self.wrong = wrong

        def forward(self, x):
            return x.view(-1, 4) * (2 if self.wrong and len(x) == 3 else 1)

    assert not compare(Net(), Net(wrong=True)).ok


def test_a_difference_after_the_first_step_is_found():
    """State is kept between the trials: what differs in the second step alone is seen."""

    class Net(nn.Module):
        def __init__(self, wrong=False):
            super().__init__()
            self.wrong = wrong
            self.register_buffer("steps", torch.zeros((), dtype=torch.long))

        def forward(self, x):
            self.steps += 2 if self.wrong and self.steps else 1
            return x * 2

    assert failed(compare(Net(), Net(wrong=True))) == ["buffers eval", "buffers train"]


def test_progress_is_told():
    told: list[str] = []
    compare(Constant(), Constant(), dtypes=[torch.float32, torch.float64], progress=told.append)

    assert told == ["comparing on cpu in float32", "comparing on cpu in float64"]


def settings() -> tuple[object, ...]:
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    return torch.get_deterministic_debug_mode(), matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("benchmark", [False, True])
def test_deterministic_puts_every_setting_back(raises, benchmark):
    torch.backends.cudnn.benchmark = benchmark
    before = settings()
    try:
        with deterministic():
            assert settings() == (1, False, False, False)
            if raises:
                raise KeyError
    except KeyError:
        pass
    finally:
        torch.backends.cudnn.benchmark = False

    assert settings()[:3] == before[:3]


def test_settings_of_the_user_s_own_survive():
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        compare(Constant(), Constant())

        assert torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False


def build(*layers: Callable[[], nn.Module]) -> Callable[[int], nn.Module]:
    def made(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        return nn.Sequential(*(layer() for layer in layers))

    return made


def test_same_seed_same_weights():
    def linear() -> nn.Module:
        return nn.Linear(4, 4)

    def conv() -> nn.Module:
        return nn.Conv1d(4, 4, 1)

    names = {"0.weight": "1.weight", "0.bias": "1.bias", "1.weight": "0.weight", "1.bias": "0.bias"}

    def side(*layers):
        return Side(nn.Identity(), build(*layers))

    assert same_seed(side(linear, conv), side(linear, conv), {}).ok

    swapped = same_seed(side(linear, conv), side(conv, linear), names)
    assert (swapped.ok, swapped.note) == (False, "`0.weight` starts with other values")


def test_steps_of_a_model_without_a_state_are_nothing_to_compare():
    def side() -> Side:
        return Side(nn.Sequential(nn.ReLU()))

    trials = Trials([{"input": X}], Setting(), ("train",), "2 steps of SGD", steps=2)

    assert compare_trials(side(), side(), trials, {}) == []
