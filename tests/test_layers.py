"""Source for live modules: exact or refused, for models of zoos and for modules that were tampered with."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations

from seqify.constructed import Constructions, recording
from seqify.emit.layers import Writer
from seqify.emit.literal import CannotWrite, Imports


class Block(nn.Module):
    def __init__(self, width: int, stride: int = 1, act: Any = nn.ReLU, extra: nn.Module | None = None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride, 1)
        self.act = act() if isinstance(act, type) else act
        self.extra = extra
        self.stride = stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.act(self.conv(x))
        return y if self.extra is None else self.extra(y)


class Residual(nn.Sequential):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = super().forward(x)
        return x + y


class MyLinear(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).abs()


class Mean(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


class Settings:
    def __init__(self, width: int, rate: float = 0.0) -> None:
        self.width, self.rate = width * 2, rate


@dataclass
class Data:
    width: int
    stride: int = 1


class Configured(nn.Module):
    def __init__(self, settings: Any) -> None:
        super().__init__()
        self.fc = nn.Linear(settings.width, settings.width)
        self.settings = settings


class Tied(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(width, width), nn.Linear(width, width)
        self.two.weight = self.one.weight


class Buffers(nn.Module):
    def __init__(self, length: int) -> None:
        super().__init__()
        self.register_buffer("table", torch.arange(length), persistent=False)
        self.scale = torch.full((2,), float(length))


class Dice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.noise = torch.rand(3)


class Frozen(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc = nn.Linear(width, width).requires_grad_(False)


class Normed(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc = parametrizations.weight_norm(nn.Linear(width, width))
        self.pick = lambda x: x[:width]


def hook(module: nn.Module, args: Any) -> None: ...


class Hooked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_forward_pre_hook(hook)


def flat(text: str) -> str:
    return (
        " ".join(text.split())
        .replace("( ", "(")
        .replace(", )", ")")
        .replace(" )", ")")
        .replace("[ ", "[")
        .replace(", ]", "]")
    )


def written(made: Constructions | None, value: Any, path: str = "") -> str:
    return flat(Writer(made).expression(value, path=path))


WRITTEN = [
    "nn.Sequential()",
    "nn.Sequential(nn.Linear(2, 2), nn.ReLU())",
    'nn.Sequential(OrderedDict([("fc", nn.Linear(2, 2)), ("act", nn.ReLU())]))',
    'nn.Sequential(OrderedDict([("0", nn.ReLU()), ("2", nn.Tanh())]))',
    "nn.ModuleList()",
    "nn.ModuleList([nn.Linear(2, 2), nn.ReLU()])",
    'nn.ModuleDict({"a": nn.Linear(2, 2), "b-c": nn.ReLU()})',
    "nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])",
    "nn.Sequential(*[Block(2) for _ in range(2)])",
    "nn.Sequential(nn.ReLU(), nn.ReLU(), Block(2), *[Block(2, stride=2) for _ in range(4)], nn.Tanh())",
    "nn.ModuleList([nn.ModuleList([nn.Linear(2, 2), nn.ReLU()]) for _ in range(2)])",
    "Block(4, act=nn.GELU)",
    "Block(4, act=F.relu)",
    'Block(4, extra=nn.Sequential(nn.GELU(approximate="tanh"), Block(4)))',
    "Residual(nn.Linear(2, 2), nn.ReLU())",
    "MyLinear(2, 2)",
    "Mean()",
    "Configured(Settings(3, rate=0.5))",
    "Configured(Data(3))",
    "Tied(3)",
    "nn.Sequential(Tied(3), Tied(2))",
    "Buffers(3)",
    "Frozen(3)",
    "Frozen(3).requires_grad_()",
    "Normed(3)",
    "Hooked()",
    "Block(4).requires_grad_(False)",
    "nn.Linear(2, 2).requires_grad_(False)",
    "nn.Sequential(nn.Linear(2, 2).requires_grad_(False), nn.ReLU(), nn.Linear(2, 2))",
    "nn.Sequential(nn.Linear(2, 2), nn.ReLU(), Block(2)).requires_grad_(False)",
    "Block(4, extra=nn.Linear(4, 4).requires_grad_(False))",
    "Block(4, extra=nn.Sequential(nn.Linear(4, 4))).requires_grad_(False)",
    '[nn.ReLU(), {"a": nn.Linear(2, 2)}]',
]


@pytest.mark.parametrize("source", WRITTEN)
def test_what_is_written_is_what_was_built(source: str) -> None:
    with recording() as made:
        value = eval(source, globals() | {"OrderedDict": __import__("collections").OrderedDict})

    assert flat(source) == written(made, value)


def test_the_imports_are_those_that_the_text_needs() -> None:
    with recording() as made:
        value = nn.Sequential(Block(2, act=F.relu), nn.ReLU())
    writer = Writer(made)

    text = writer.expression(value)

    assert text == "nn.Sequential(\n    Block(2, act=F.relu),\n    nn.ReLU(),\n)"
    assert writer.imports.lines == (
        "import torch.nn.functional as F",
        "from test_layers import Block",
        "from torch import nn",
    )


def test_indent_and_lead() -> None:
    module = nn.Conv2d(3, 64, 7, stride=2, padding=3, padding_mode="replicate", bias=False)

    assert "\n" not in Writer().expression(module)
    assert (
        Writer()
        .expression(module, 8, len("self.conv1_of_the_stem = "))
        .endswith('\n            padding_mode="replicate",\n        )')
    )


def test_a_failure_leaves_the_imports_as_they_were() -> None:
    writer = Writer(imports=Imports(["x"]))
    writer.expression(nn.ReLU())

    with pytest.raises(CannotWrite):
        writer.expression([F.relu, lambda x: x])

    assert writer.imports.lines == ("from torch import nn",)


def test_a_random_state_is_left_alone() -> None:
    with recording() as made:
        module = nn.Sequential(Block(2), nn.Linear(2, 2))
    state = torch.get_rng_state()

    written(made, module)

    assert torch.equal(state, torch.get_rng_state())


def test_a_big_module_takes_no_memory() -> None:
    with torch.device("meta"), recording() as made:
        module = nn.Sequential(nn.Linear(10**6, 10**6), Configured(Data(10**6)))

    assert written(made, module) == "nn.Sequential(nn.Linear(1000000, 1000000), Configured(Data(1000000)))"


def test_eval_mode_and_other_weights_do_not_matter() -> None:
    with recording() as made:
        module = Block(2)
    module.eval()
    nn.init.zeros_(module.conv.weight)

    assert written(made, module) == "Block(2)"


def test_a_changed_layer_of_torch_is_written_as_it_is_now() -> None:
    with recording() as made:
        conv, relu, dropout = nn.Conv2d(2, 2, 3, stride=2), nn.ReLU(), nn.Dropout(0.1)
    conv.stride = (1, 1)
    relu.inplace = True
    dropout.p = 0.3

    assert [written(made, module) for module in (conv, relu, dropout)] == [
        "nn.Conv2d(2, 2, kernel_size=3)",
        "nn.ReLU(inplace=True)",
        "nn.Dropout(p=0.3)",
    ]


def tampered(change: Any) -> tuple[Constructions, nn.Module]:
    with recording() as made:
        module = nn.Sequential(nn.ReLU(), Block(2, stride=2))
    change(module[1])
    return made, module


def set_stride(block: Any) -> None:
    block.conv.stride = (1, 1)


def set_inplace(block: Any) -> None:
    block.act.inplace = True


def replace_child(block: Any) -> None:
    block.act = nn.GELU()


def replace_by_the_same(block: Any) -> None:
    block.act = nn.ReLU()


def add_child(block: Any) -> None:
    block.more = nn.ReLU()


def add_hook(block: Any) -> None:
    block.conv.register_forward_hook(lambda *_: None)


def add_backward_hook(block: Any) -> None:
    block.register_full_backward_hook(lambda *_: None)


def add_state_hook(block: Any) -> None:
    block.register_state_dict_post_hook(lambda *_: None)


def add_tensor_hook(block: Any) -> None:
    block.conv.weight.register_hook(lambda grad: grad)


def set_forward(block: Any) -> None:
    block.forward = lambda x: x


def add_tensor(block: Any) -> None:
    block.mask = torch.ones(2)


def add_buffer(block: Any) -> None:
    block.register_buffer("mask", torch.ones(2))


def freeze_part(block: Any) -> None:
    block.conv.bias.requires_grad_(False)


def drop_bias(block: Any) -> None:
    block.conv.bias = None


def reshape(block: Any) -> None:
    block.conv.weight = nn.Parameter(torch.ones(2, 2, 1, 1))


def cast(block: Any) -> None:
    block.double()


def set_attribute(block: Any) -> None:
    block._secret = 3


def change_attribute(block: Any) -> None:
    block.stride = 2.0


def delete_attribute(block: Any) -> None:
    del block.stride


def change_class(block: Any) -> None:
    block.act.__class__ = nn.Tanh


def parametrize(block: Any) -> None:
    parametrizations.weight_norm(block.conv)


CHANGED = [
    (set_stride, "1.conv", "`1.conv.stride` was changed after construction: it is (1, 1), and built it would be (2, 2)"),
    (set_inplace, "1.act", "`1.act.inplace` was changed after construction: it is True, and built it would be False"),
    (replace_child, "1.act", "`1.act` was replaced after construction: it is `GELU`, and built it would be `ReLU`"),
    (add_child, "1", "`1.more` was added after construction"),
    (add_hook, "1.conv", "`1.conv` carries a forward hook"),
    (add_backward_hook, "1", "`1` carries a backward hook"),
    (add_state_hook, "1", "`1` carries a state dict hook"),
    (add_tensor_hook, "1.conv.weight", "`1.conv.weight` carries a hook"),
    (set_forward, "1", "`1.forward` was set on the instance"),
    (add_tensor, "1", "`1.mask` was set after construction"),
    (add_buffer, "1", "`1.mask` was added after construction"),
    (freeze_part, "1.conv.bias", "`1.conv.bias.requires_grad` was changed after construction: it is False, and built it would be True"),
    (drop_bias, "1.conv.bias", "`1.conv.bias` was changed after construction: it is None, and built it would be a Parameter"),
    (reshape, "1.conv.weight", "`1.conv.weight.shape` was changed after construction: it is torch.Size([2, 2, 1, 1]), and built it would be torch.Size([2, 2, 3, 3])"),
    (cast, "1.conv.weight", "`1.conv.weight.dtype` was changed after construction: it is torch.float64, and built it would be torch.float32"),
    (set_attribute, "1", "`1._secret` was set after construction"),
    (change_attribute, "1", "`1.stride` was changed after construction: it is 2.0, and built it would be 2"),
    (delete_attribute, "1", "`1.stride` was deleted after construction"),
    (change_class, "1.act", "`1.act` was replaced after construction: it is `Tanh`, and built it would be `ReLU`"),
    (parametrize, "1.conv", "`1.conv` was replaced after construction: it is `ParametrizedConv2d`, and built it would be `Conv2d`"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "path", "reason"), CHANGED, ids=[change.__name__ for change, _, _ in CHANGED])
def test_a_change_after_construction(change: Any, path: str, reason: str) -> None:
    made, module = tampered(change)

    with pytest.raises(CannotWrite) as caught:
        written(made, module)

    assert (path, reason) == (caught.value.path, caught.value.reason)


def test_a_change_that_changes_nothing() -> None:
    made, module = tampered(replace_by_the_same)

    assert written(made, module) == "nn.Sequential(nn.ReLU(), Block(2, stride=2))"


def refusal(made: Constructions | None, value: Any, path: str = "net") -> tuple[str, str]:
    with pytest.raises(CannotWrite) as caught:
        Writer(made).expression(value, path=path)
    return caught.value.path, caught.value.reason


def test_hooks_and_attributes_of_a_container() -> None:
    with recording() as made:
        one, two = nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU())
    one.register_forward_hook(lambda *_: None)
    two.width = 3  # type: ignore[assignment]

    assert refusal(made, one) == ("net", "`net` carries a forward hook")
    assert refusal(made, two) == ("net", "`net.width` was set after construction")


def test_a_lambda_argument() -> None:
    with recording() as made:
        module = nn.Sequential(Block(2, act=lambda x: x))

    assert refusal(made, module) == ("net.0", "`act` is a lambda")


def test_a_tensor_argument() -> None:
    with recording() as made:
        module = Configured(Data(2))
        loss = nn.CrossEntropyLoss(weight=torch.ones(3))

    assert written(made, module) == "Configured(Data(2))"
    assert refusal(made, loss) == ("net", "`weight` is a tensor")


def test_a_local_class() -> None:
    class Local(nn.Module):
        pass

    with recording() as made:
        module = nn.Sequential(nn.ReLU(), Local())

    assert refusal(made, module) == ("net.1", "`Local` is defined inside a function")


def test_no_record() -> None:
    assert refusal(None, nn.Sequential(Block(2))) == ("net.0", "nothing recorded how `Block` was built")
    assert refusal(None, MyLinear(2, 2)) == ("net", "nothing recorded how `MyLinear` was built")
    with recording() as made:
        block = Block(2)
    assert refusal(made, copy.deepcopy(block)) == ("net", "nothing recorded how `Block` was built")
    assert written(None, Mean()) == "Mean()"


def test_weights_tied_between_rows() -> None:
    with recording() as made:
        module = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    module[2].weight = module[0].weight
    with recording() as blocks:
        block = Tied(2)
    block.two.weight = nn.Parameter(torch.ones(2, 2))

    assert refusal(made, module) == (
        "net.2.weight",
        "`net.2.weight` is shared with another part, and built it would not be",
    )
    assert refusal(blocks, block) == (
        "net.two.weight",
        "`net.two.weight` is not shared with another part, and built it would be",
    )


def test_one_module_in_two_rows() -> None:
    with recording() as made:
        linear, relu = nn.Linear(2, 2), nn.ReLU()
        shared, harmless = nn.Sequential(linear, linear, linear), nn.Sequential(relu, nn.Tanh(), relu)

    assert refusal(made, shared)[1] == "`net.1.weight` is shared with another part, and built it would not be"
    assert written(made, harmless) == "nn.Sequential(nn.ReLU(), nn.Tanh(), nn.ReLU())"


def test_a_parametrized_layer() -> None:
    with recording() as made:
        module = parametrizations.weight_norm(nn.Linear(2, 2))

    assert refusal(made, module) == ("net", "`net` has parametrizations")


def test_values_that_no_checkpoint_carries() -> None:
    with recording() as made:
        table, scale, dice = Buffers(3), Buffers(3), Dice()
    table.table += 1  # type: ignore[operator]
    scale.scale[0] = 0

    assert refusal(made, table) == ("net", "the values of `net.table` differ, and no state_dict carries them")
    assert refusal(made, scale)[1].startswith("`net.scale` was changed after construction: it is tensor([0., 3.])")
    assert refusal(made, dice)[1].startswith("`net.noise` was changed after construction")


def test_a_config_that_changed() -> None:
    with recording() as made:
        settings, data = Settings(3), Data(3)
        module, other = Configured(settings), Configured(data)
    settings.rate = 0.1
    data.stride = 7

    assert refusal(made, module) == (
        "net.settings",
        "`net.settings.rate` was changed after construction: it is 0.1, and built it would be 0.0",
    )
    assert written(made, other) == "Configured(Data(3, stride=7))"


def test_a_config_that_was_copied() -> None:
    with recording() as made:
        data = copy.copy(Data(3))
        data.stride = 2
        module = Configured(data)

    assert written(made, module) == "Configured(Data(3, stride=2))"


def test_a_constructor_that_raises_the_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with recording() as made:
        module = Block(2)
    monkeypatch.setattr(nn.Conv2d, "__init__", None)

    path, reason = refusal(made, module)

    assert path == "net"
    assert reason.startswith("`Block(2)` raises TypeError: ")


def test_none_in_a_container() -> None:
    module = nn.Sequential(nn.ReLU())
    module.add_module("1", None)

    assert refusal(None, module) == ("net", "`net.1` is None")


FAMILIES = [
    "resnet18", "densenet121", "mobilenet_v3_small", "mobilenet_v2", "vit_b_16", "swin_t", "swin_v2_t", "efficientnet_b0",
    "googlenet", "convnext_tiny", "squeezenet1_0", "shufflenet_v2_x0_5", "mnasnet0_5", "regnet_y_400mf", "regnet_x_400mf",
    "alexnet", "vgg11_bn", "inception_v3", "maxvit_t", "efficientnet_v2_s", "resnext50_32x4d", "wide_resnet50_2",
]  # fmt: skip

# model and child, and why it cannot be written
REFUSED: dict[tuple[str, str], str] = {}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FAMILIES)
def test_torchvision(name: str) -> None:
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta") if name in ("vgg11_bn", "alexnet") else torch.device("cpu"), recording() as made:
        model = models.get_model(name)

    check_children(made, model, {child: reason for (owner, child), reason in REFUSED.items() if owner == name})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name", ["vit_tiny_patch16_224", "mixer_s32_224", "convnext_atto", "levit_128s", "regnetx_002", "ghostnet_050"]
)
def test_timm(name: str) -> None:
    timm = pytest.importorskip("timm")
    with recording() as made:
        model = timm.create_model(name)

    check_children(made, model, {})


def check_children(made: Constructions, model: nn.Module, refused: dict[str, str]) -> None:
    """Write each child, and compare what it builds with the live one by an independent look."""
    writer = Writer(made)
    found = {}
    for name, child in model.named_children():
        try:
            text = writer.expression(child, path=name)
        except CannotWrite as error:
            found[name] = str(error)
            continue
        built = writer.imports.evaluate(text, meta=True)
        assert repr(built) == repr(child)
        assert list(built.state_dict()) == list(child.state_dict())
        assert [item.shape for item in built.state_dict().values()] == [
            item.shape for item in child.state_dict().values()
        ]
    assert found == refused
