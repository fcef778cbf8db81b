"""The class behind a model: its source, and whether that is what the model runs."""

from __future__ import annotations

import os
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import seqify
from seqify.classfile import class_source, plain_attributes, shown
from seqify.load import load_live, load_target

NET = """
    import torch
    from torch import nn

    class Base(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x):
            return self.fc(x)
"""


class Here(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x)  # type: ignore[no-any-return]


def test_paths_are_shown_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    inside, outside = str(tmp_path / "a" / "model.py"), str(tmp_path.parent / "model.py")

    assert shown(inside) == os.path.join("a", "model.py")
    assert shown(outside) == outside.lstrip("/")


def test_the_source_of_a_target(write: Callable[..., Path]) -> None:
    path = write(NET)
    cls = class_source(load_target(f"{path}:Base"))

    assert cls.node.name == "Base" and cls.source.path == str(path)
    assert cls.forward is not None and cls.forward.lineno == 9


def test_the_source_of_a_live_model() -> None:
    cls = class_source(load_live(Here()))

    assert cls.node.name == "Here" and os.path.samefile(cls.source.path, __file__)


def test_the_last_of_two_classes_of_one_name_counts(write: Callable[..., Path]) -> None:
    path = write(NET + NET.replace("nn.Linear(4, 2)", "nn.Linear(4, 3)").split("from torch import nn\n")[1])
    cls = class_source(load_target(f"{path}:Base"))

    assert cls.node.lineno > 9


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("class Net(Base):\n        pass", "SQ404", "`Net` inherits its forward from `Base`"),
        (
            "class Net(Base):\n        def forward(self, x):\n            return x\n"
            "        def __call__(self, x):\n            return x",
            "SQ404",
            "`Net` has a `__call__` of its own",
        ),
        (
            "class Net(Base):\n        def __init__(self):\n            super().__init__()\n"
            "            self.forward = lambda x: x\n        def forward(self, x):\n            return x",
            "SQ404",
            "the instance has a `forward` of its own, which `Net` does not show",
        ),
        (
            "Net = type('Net', (nn.Module,), {'forward': lambda self, x: x})",
            "SQ401",
            "`Net` is not written as a class in",
        ),
        ("Net = nn.ReLU", "SQ401", "`ReLU` has no source file of the user's"),
    ],
)
def test_a_class_that_its_source_does_not_show(text: str, code: str, message: str, write: Callable[..., Path]) -> None:
    path = write(NET + f"\n    {text}\n")
    with pytest.raises(seqify.Refusal) as caught:
        class_source(load_target(f"{path}:Net"))

    assert caught.value.diagnostic.code == code
    assert message in caught.value.diagnostic.message


def test_a_forward_that_was_set_on_the_instance() -> None:
    net = Here()
    net.forward = types.MethodType(lambda self, x: self.fc(x) * 2, net)  # type: ignore[method-assign]

    with pytest.raises(seqify.Refusal, match="the instance has a `forward` of its own"):
        class_source(load_live(net))


def test_a_class_of_another_file(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    home = write(NET, "home.py")
    path = write("from home import Base\n\ndef net():\n    return Base()\n", "other.py")
    monkeypatch.chdir(path.parent)
    with pytest.raises(seqify.Refusal) as caught:
        class_source(load_target(f"{path}:net"))

    assert caught.value.diagnostic.help == "name it there: `home.py:Base`"
    assert caught.value.diagnostic.location is not None and caught.value.diagnostic.location.filename == str(home)


def test_a_live_model_of_a_local_class() -> None:
    class Local(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(x)

    with pytest.raises(seqify.Refusal, match="is defined inside a function") as caught:
        class_source(load_live(Local()))
    assert caught.value.diagnostic.code == "SQ402"


def attributes(write: Callable[..., Path], init: str, more: str = "") -> dict[str, object]:
    path = write(
        f"""
        import torch
        from torch import nn

        class Net(nn.Module):
            {more or 'kind = "a"'}

            def __init__(self, width=3):
                super().__init__()
                {init.replace(chr(10), chr(10) + " " * 16)}

            def forward(self, x):
                return x
        """
    )
    model = load_target(f"{path}:Net")
    return plain_attributes(model, class_source(model))


def test_constants_that_are_assigned_once(write: Callable[..., Path]) -> None:
    assert attributes(write, "self.rate = 0.5\nself.size = (1, 2)\nself.name = 'net'") == {
        "kind": "a",
        "rate": 0.5,
        "size": (1, 2),
        "name": "net",
    }


@pytest.mark.parametrize(
    "init",
    [
        "self.rate = 0.5\nself.rate = 0.25",
        "self.rate = 0.5\nsetattr(self, 'rate', 0.25)",
        "self.rate = 0.5\nself.__dict__['rate'] = 0.25",
        "self.rate = 0.5\nvars(self)['rate'] = 0.25",
        "self.rate = [0.5]",
    ],
)
def test_what_is_no_such_constant(init: str, write: Callable[..., Path]) -> None:
    assert "rate" not in attributes(write, init)


def test_a_method_that_assigns_it_again(write: Callable[..., Path]) -> None:
    assert attributes(write, "self.rate = 0.5", "def stop(self):\n                self.rate = 0.0\n") == {}
