"""The folder for texts that are being made."""

from __future__ import annotations

import linecache
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import seqify
from seqify.emit import Rewrite
from seqify.load import Model, load_file, load_live, load_target
from seqify.source import read_source
from seqify.workshop import load_text, package_of, save_text, workshop

NET = """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x):
            return self.fc(x)
"""


def rewritten(path: Path, text: str) -> Rewrite:
    return Rewrite(read_source(str(path)), text, (), ())


def test_there_is_one_folder() -> None:
    assert workshop() is workshop()
    assert workshop().is_dir()


def test_every_text_has_a_file_of_its_own() -> None:
    first, second = save_text("A = 1\n", "net"), save_text("A = 2\n", "net")

    assert first != second and first.name == second.name == "net.py"
    assert (first.read_text(encoding="utf-8"), second.read_text(encoding="utf-8")) == ("A = 1\n", "A = 2\n")
    assert workshop() in first.parents


def test_a_text_in_any_letters() -> None:
    file = save_text('NAME = "größe ✓"\n', "größe")

    assert load_file(file).NAME == "größe ✓"


def test_the_folder_goes_when_python_ends() -> None:
    program = "from seqify.workshop import save_text; print(save_text('', 'net'))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert not Path(done.stdout.strip()).parent.parent.exists()


def test_a_rewritten_file_is_imported_beside_the_old_one(write: Callable[..., Path]) -> None:
    path = write(NET)
    model = load_target(f"{path}:Net")
    text = path.read_text(encoding="utf-8").replace("nn.Linear(4, 2)", "nn.Linear(4, 3)")
    new = load_text(rewritten(path, text), model)

    assert model.module is not None and new is not model.module
    assert model.module.Net().fc.out_features == 2 and new.Net().fc.out_features == 3
    assert new.Net.forward.__code__.co_filename != str(path)  # what TorchScript and tracebacks read
    assert new.Net().forward(torch.ones(1, 4)).shape == (1, 3)
    assert linecache.getline(new.Net.forward.__code__.co_filename, 7) == text.splitlines(keepends=True)[6]


def test_a_rewritten_file_sees_its_neighbours(write: Callable[..., Path]) -> None:
    write("WIDTH = 3\n", "package/sizes.py")
    write("", "package/__init__.py")
    path = write(NET.replace("from torch import nn", "from torch import nn\n    from .sizes import WIDTH"),
                 "package/model.py")  # fmt: skip
    model = load_target(f"{path}:Net")
    text = path.read_text(encoding="utf-8").replace("nn.Linear(4, 2)", "nn.Linear(4, WIDTH)")

    assert package_of(model) == "package"
    assert load_text(rewritten(path, text), model).Net().fc.out_features == 3


def test_a_file_outside_of_any_package(write: Callable[..., Path]) -> None:
    assert package_of(load_target(f"{write(NET)}:Net")) == ""
    assert package_of(Model("x", nn.ReLU(), nn.ReLU, None, None, None, None)) == ""


def test_a_script_with_a_live_model_does_not_run_again(write: Callable[..., Path]) -> None:
    runs = Path(write("", "runs.txt"))
    path = write(NET + f"    with open({str(runs)!r}, 'a') as file:\n        file.write('x')\n")
    model = load_live(load_target(f"{path}:Net").instance)
    text = path.read_text(encoding="utf-8").replace("nn.Linear(4, 2)", "nn.Linear(4, 3)")
    new = load_text(rewritten(path, text), model)

    assert runs.read_text(encoding="utf-8") == "x"
    assert new.Net().fc.out_features == 3


def test_a_text_that_cannot_be_imported_is_an_error_of_ours(write: Callable[..., Path]) -> None:
    path = write(NET)

    with pytest.raises(seqify.Refusal, match="the converted file cannot be imported") as caught:
        load_text(rewritten(path, "import torch\nraise ValueError('no')\n"), load_target(f"{path}:Net"))
    assert caught.value.diagnostic.code == "SQ901"
