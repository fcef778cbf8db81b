"""Conversions into a class of their own: of live models, of what no edit can convert, and of models made to fool."""

from __future__ import annotations

import ast
import inspect
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import seqify
from seqify.render.markdown import render_markdown
from seqify.render.text import render_text
from seqify.report import Report

ADVERSARIAL = Path(__file__).parent / "adversarial"


class Unit(nn.Module):
    """A residual block."""

    def __init__(self, width: int, rate: float = 0.0) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.drop = nn.Dropout(rate)

    def forward(self, x: Tensor) -> Tensor:
        out = torch.relu(self.bn1(self.conv1(x)))
        return x + self.drop(self.conv2(out))  # type: ignore[no-any-return]


class Straight(nn.Module):
    """A block that is a straight line."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 1)
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.conv(x))  # type: ignore[no-any-return]


class Looped(nn.Module):
    """Layers that are built in a loop, which no edit can reach."""

    def __init__(self, width: int = 4, depth: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        for index in range(depth):
            setattr(self, f"unit{index}", Unit(width, 0.5))
        self.line = Straight(width)
        self.depth = depth
        self.fc = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        for index in range(self.depth):
            x = getattr(self, f"unit{index}")(x)
        x = self.line(x)
        return self.fc(x.mean((2, 3)))  # type: ignore[no-any-return]


EXAMPLE = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def convert(build: Callable[[], nn.Module] = Looped, example: Any = EXAMPLE, **wishes: Any) -> tuple[nn.Module, Report]:
    with seqify.recording() as made:
        net = build()
    return net, seqify.convert(net, example, made=made, **{"source": "new", "dtypes": [torch.float32], **wishes})


def load(report: Report) -> nn.Module:
    """What a fresh reader of the file gets, who has never heard of seqify."""
    assert report.build is not None
    space: dict[str, Any] = {"__name__": "emitted"}
    exec(compile(report.source, "<emitted>", "exec"), space)
    found = eval(report.build, space)
    return found if isinstance(found, nn.Module) else found()


def stir(module: nn.Module) -> None:
    generator = torch.Generator().manual_seed(5)
    for value in module.state_dict().values():
        if value.is_floating_point():
            value.add_(torch.rand(value.shape, generator=generator) * 0.3)


def same(old: nn.Module, new: nn.Module, *shapes: tuple[int, ...]) -> None:
    """Whether two modules give the same bits at each shape, in eval and train, with buffers and gradients."""
    for training in (False, True):
        for shape in shapes:
            example = torch.randn(shape, generator=torch.Generator().manual_seed(9))
            results = []
            for module in (old, new):
                torch.manual_seed(1)
                module.zero_grad()
                output = module.train(training)(example.clone())
                output.sum().backward()
                results.append(output)
            assert torch.equal(*results), (training, shape)
            assert gradients(old) == gradients(new)
    assert sorted(map(key, old.buffers())) == sorted(map(key, new.buffers()))


def key(value: Tensor) -> list[float]:
    return value.flatten().double().tolist()


def gradients(module: nn.Module) -> list[list[float]]:
    return sorted(key(item.grad) for item in module.parameters() if item.grad is not None)


@pytest.mark.parametrize("layout", ["auto", "grouped"])
@pytest.mark.parametrize("depth", [0, 1, "blocks", "full"])
def test_at_every_depth(depth: int | str, layout: str) -> None:
    net, report = convert(depth=depth, layout=layout)
    assert report.status == "equivalent" and report.keymap is not None
    stir(net)
    new = load(report)
    new.load_state_dict(report.keymap.apply(net.state_dict()), strict=True)

    same(net, new, (2, 3, 8, 8), (5, 3, 8, 8), (3, 3, 12, 6))


UNITS = [f"unit{number}.{layer}" for number in range(3) for layer in ("conv1", "bn1", "conv2")]
NAMES: dict[tuple[int | str, str], list[str]] = {
    (0, "auto"): ["stem", *UNITS, "line.conv", "fc"],
    (0, "grouped"): [
        "features.0",
        *(f"features.{number}.{layer}" for number in (2, 3, 4) for layer in ("conv1", "bn1", "conv2")),
        "features.5.conv",
        "features.7",
    ],
    ("blocks", "auto"): ["stem", *UNITS, "line_conv", "fc"],
    ("full", "auto"): [
        "stem_layers.0",
        *(f"unit{number}.{place}" for number in range(3) for place in (0, 1, 3)),
        "features.0",
        "features.3",
    ],
}


@pytest.mark.parametrize(("depth", "layout"), NAMES)
def test_what_the_layers_are_called(depth: int | str, layout: str) -> None:
    net, report = convert(depth=depth, layout=layout)
    assert report.keymap is not None

    assert [name.removesuffix(".weight") for name in report.keymap.keys if name.endswith(".weight")] == NAMES[
        depth, layout
    ]
    assert [report.keymap.keys[name] for name in report.keymap.keys] == list(net.state_dict())
    assert report.keymap.parameter_order == tuple(range(len(list(net.parameters()))))


def test_the_file_stands_alone(tmp_path: Path) -> None:
    net, report = convert(depth="full")
    path = report.write(str(tmp_path / "emitted.py"))
    torch.save(net.state_dict(), tmp_path / "old.pt")
    imported = {node.module for node in ast.walk(ast.parse(report.source)) if isinstance(node, ast.ImportFrom)}
    imported |= {item.name for node in ast.walk(ast.parse(report.source)) if isinstance(node, ast.Import)
                 for item in node.names}  # fmt: skip
    program = f"""
import sys, torch
sys.modules["seqify"] = None
from emitted import *
new = {report.build if "(" in (report.build or "") else f"{report.build}()"}
print(len(new.state_dict()))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert path.read_text(encoding="utf-8") == report.source
    assert {str(name).split(".")[0] for name in imported} <= {"torch", "collections", "__future__", "math"}
    assert (done.stdout.strip(), done.stderr) == (str(len(net.state_dict())), "")


def test_a_new_class_has_no_file_to_replace(tmp_path: Path) -> None:
    _, report = convert()

    assert report.path is None
    with pytest.raises(seqify.CannotAsk, match="a new class has no file to replace"):
        report.write()


def double(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    return output * 2


def test_the_module_has_what_the_original_has() -> None:
    with seqify.recording() as made:
        net = Looped()
    net.stem.requires_grad_(False)
    net.eval()
    net.unit1.train()
    report = seqify.convert(net, EXAMPLE, source="new", made=made, dtypes=[torch.float32])
    net.fc.register_forward_hook(double)
    new, again = report.module(), report.module()

    assert report.keymap is not None
    old_state = report.keymap.apply(net.state_dict())
    assert list(new.state_dict()) == list(old_state)
    for name, value in new.state_dict().items():
        assert torch.equal(value, old_state[name]) and value.dtype == old_state[name].dtype
        assert value.device == old_state[name].device and value.data_ptr() != old_state[name].data_ptr()
    old_flags = {name: item.requires_grad for name, item in net.named_parameters()}
    new_flags = {report.keymap.keys[name]: item.requires_grad for name, item in new.named_parameters()}
    assert new_flags == old_flags and not all(new_flags.values())
    assert not new.training
    modes = {old: new.get_submodule(name).training for name, old in report.keymap.modules.items()}
    assert modes == {old: net.get_submodule(old).training for old in modes} and modes["unit1"]
    torch.manual_seed(1)
    expected = net(EXAMPLE)
    torch.manual_seed(1)
    assert torch.equal(new(EXAMPLE), expected)  # with the hook, too
    assert not {item.data_ptr() for item in new.parameters()} & {item.data_ptr() for item in again.parameters()}


def test_the_module_has_the_original_s_dtype() -> None:
    net, report = convert(lambda: Straight(3).double(), EXAMPLE.double(), depth="full", dtypes=[torch.float64])

    assert report.status == "equivalent"
    assert {item.dtype for item in report.module().parameters()} == {torch.float64}
    assert torch.equal(report.module()(EXAMPLE.double()), net(EXAMPLE.double()))


def test_nothing_of_the_workshop_is_told() -> None:
    for depth in (0, "full"):
        _, report = convert(depth=depth)
        texts = [json.dumps(report.to_dict()), render_text(report), render_markdown(report), report.diff]
        texts += [report._repr_markdown_(), report.source, report.elsewhere, repr(report)]

        for text in texts:
            assert tempfile.gettempdir() + os.sep not in text
            assert "seqify-" not in text


def test_the_diff_is_of_a_new_file() -> None:
    _, report = convert()
    lines = report.diff.splitlines()

    assert lines[:2] == ["--- /dev/null", "+++ b/looped.py"]
    assert "\n".join(line.removeprefix("+") for line in lines[3:]) + "\n" == report.source


LOOPED = """
    import torch
    from torch import nn

    def layer(width):
        return nn.Conv1d(width, width, 1)

    class Net(nn.Module):
        def __init__(self, depth=3):
            super().__init__()
            for index in range(depth):
                setattr(self, f"layer{index}", layer(4))
            self.depth = depth

        def forward(self, x):
            for index in range(self.depth):
                x = torch.relu(getattr(self, f"layer{index}")(x))
            return x
"""


def test_layers_from_a_loop_get_a_new_class(write: Callable[..., Path]) -> None:
    path = write(LOOPED)
    report = seqify.convert(f"{path}:Net(depth=2)", ["2,4,6"])

    assert report.status == "equivalent" and report.path is None
    assert [item.code for item in report.diagnostics if item.code == "SQ411"] == ["SQ411"]
    assert "layer1" in report.source and "for " not in report.source
    assert path.read_text(encoding="utf-8").startswith("import torch\n")


def test_layers_from_a_loop_are_not_edited(write: Callable[..., Path]) -> None:
    report = seqify.convert(f"{write(LOOPED)}:Net", ["2,4,6"], source="edit")

    assert report.status == "unchanged" and not report.source and not report.diff
    assert report.diagnostics[0].code == "SQ409"


def test_factories_of_installed_packages() -> None:
    pytest.importorskip("torchvision")
    target = "torchvision.models:resnet18(num_classes=3)"
    report = seqify.convert(target, ["2,3,64,64"], dtypes=[torch.float32])
    edited = seqify.convert(target, ["2,3,64,64"], dtypes=[torch.float32], source="edit")

    assert report.status == "equivalent" and report.path is None
    assert "class ResNet(" in report.source
    assert report.keymap is not None and not report.keymap.renamed
    assert edited.status == "unchanged" and not edited.source


@pytest.mark.parametrize(
    ("source", "init", "reason"),
    [
        ("import random", "self.a = Block(lambda: nn.ReLU())", "`act` is a lambda"),
        ("", "self.register_buffer('m', torch.ones(17), persistent=False)", "too long to write out"),
        ("", "self.c = torch.ones(4)", "`self.c` cannot be written as source: it is a tensor that is registered"),
        ("", "self.c = [nn.ReLU()]", "cannot be written as source: it is a module that is registered nowhere"),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(
    source: str, init: str, reason: str, write: Callable[..., Path]
) -> None:
    uses = {"self.a": "self.a(x)", "self.r": "x + self.m.sum()", "self.c": "x + self.c"}[init[:6]]
    uses = "self.c[0](x)" if "[" in init else uses
    path = write(
        f"""
        import torch
        from torch import nn
        {source}

        class Block(nn.Module):
            def __init__(self, act):
                super().__init__()
                self.act = act()

            def forward(self, x):
                return self.act(x)

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first = nn.Linear(4, 4)
                {init}

            def forward(self, x):
                x = self.first(x)
                return {uses}
        """
    )
    with pytest.raises(seqify.Refusal) as caught:
        seqify.convert(f"{path}:Net", ["2,4"], source="new")

    assert caught.value.diagnostic.code == "SQ410"
    assert reason in caught.value.diagnostic.message


@pytest.mark.parametrize("name", sorted(path.stem for path in ADVERSARIAL.glob("*.py")))
def test_models_that_were_written_to_fool(name: str) -> None:
    target = f"{ADVERSARIAL / name}.py:Net"
    shape = (2, 4, 8) if name in ("shared_pool_choice", "pool_arg_opt") else (2, 4)
    try:
        report = seqify.convert(target, [",".join(map(str, shape))], dtypes=[torch.float32], source="new")
    except seqify.SeqifyError as error:
        assert error.diagnostic.code not in ("SQ901", "SQ902"), str(error)
        assert error.diagnostic.message
        return
    assert report.status in ("equivalent", "unchanged")
    if report.status == "unchanged":
        return
    assert report.keymap is not None
    sys.path.insert(0, str(ADVERSARIAL))
    try:
        old, new = vars(__import__(name))["Net"](), load(report)
    finally:
        sys.path.remove(str(ADVERSARIAL))
    stir(old)
    new.load_state_dict(report.keymap.apply(old.state_dict()), strict=True)
    for training in (False, True):
        for other in (shape, (5, *shape[1:]), *([(3, 4, 12)] if len(shape) == 3 else [])):
            example = torch.randn(other, generator=torch.Generator().manual_seed(9))
            results = []
            for module in (old, new):
                torch.manual_seed(1)
                try:
                    results.append(module.train(training)(example.clone()))
                except Exception as error:
                    results.append(type(error))
            if isinstance(results[0], Tensor) and isinstance(results[1], Tensor):
                assert torch.equal(*results), (training, other)
            else:  # a class that was written for some sizes may raise where the other does not
                assert isinstance(results[1], type) and issubclass(results[1], Exception)
    assert "self" in inspect.signature(type(new).forward).parameters
