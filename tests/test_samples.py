"""The samples: each converts bit for bit, to the file that stands in `samples/converted`."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from torch import nn

import seqify
from seqify.load import build_in, load_file

SAMPLES = Path(__file__).parent.parent / "samples"

# Small models where the arguments allow it: what they are built with does not show in the text.
TARGETS = {
    "alexnet.py": ("AlexNet(num_classes=10, hidden=16)", ["1,3,224,224"]),
    "autoencoder.py": ("Autoencoder", None),
    "dcgan.py": ("Generator(ngf=4)", ["2,100,1,1"]),
    "lenet.py": ("LeNet", None),
    "projector.py": ("Projector", None),
    "residual.py": ("ResidualBlock", None),
    "swapped_mlp.py": ("SwappedMLP", None),
    "unet.py": ("UNet(width=4)", ["2,1,16,16"]),
}
LAYOUTS = {"residual.py": "grouped", "unet.py": "grouped"}  # flat otherwise


def test_every_sample_is_here() -> None:
    assert sorted(TARGETS) == sorted(path.name for path in SAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", TARGETS)
def test_sample(name: str, update_golden: bool) -> None:
    build, inputs = TARGETS[name]

    report = seqify.convert(f"{SAMPLES / name}:{build}", inputs)

    assert report.status == "equivalent"
    assert report.checks
    assert all(check.bitwise for check in report.checks)
    assert report.layout == LAYOUTS.get(name, "flat")
    file = SAMPLES / "converted" / name
    if update_golden:
        file.parent.mkdir(exist_ok=True)
        file.write_text(report.source, encoding="utf-8")
        return
    assert file.read_text(encoding="utf-8") == report.source


@pytest.mark.parametrize("name", [name for name in TARGETS if LAYOUTS.get(name) is None])
def test_flat_samples_keep_their_keys_and_slice(name: str) -> None:
    """On the file as it stands, imported by itself and without seqify's checks."""
    build, _ = TARGETS[name]
    expression = build if "(" in build else f"{build}()"
    old = build_in(load_file(SAMPLES / name, f"old_{Path(name).stem}"), expression).eval()
    new = build_in(load_file(SAMPLES / "converted" / name, f"new_{Path(name).stem}"), expression).eval()

    assert list(old.state_dict()) != [] and set(old.state_dict()) == set(new.state_dict())
    new.load_state_dict(old.state_dict(), strict=True)
    assert isinstance(new, nn.Sequential)
    assert isinstance(new[:-1], nn.Sequential)
    assert len(new[:-1]) == len(new) - 1


def test_children_answer_wrongly_for_the_projector() -> None:
    """The reason for all of this: `nn.Sequential(*model.children())` runs on this model, and says something else."""
    report = seqify.convert(f"{SAMPLES / 'projector.py'}:Projector", dtypes=[torch.float32])
    model = build_in(load_file(SAMPLES / "projector.py", "projector_sample"), "Projector()").eval()
    naive = nn.Sequential(*model.children())
    converted = build_in(load_file(SAMPLES / "converted" / "projector.py", "projector_converted"), "Projector()").eval()
    assert report.keymap is not None
    converted.load_state_dict(report.keymap.apply(model.state_dict()), strict=True)
    x = torch.randn(32, 256)

    expected, wrong, right = model(x), naive(x), converted(x)

    assert wrong.shape == expected.shape  # nothing tells the user
    assert not torch.allclose(wrong, expected, atol=0.1)
    assert torch.equal(right, expected)


def test_the_children_of_the_converted_projector_answer_rightly() -> None:
    converted = build_in(load_file(SAMPLES / "converted" / "projector.py", "projector_again"), "Projector()").eval()
    x = torch.randn(32, 256)

    assert torch.equal(nn.Sequential(*converted.children())(x), converted(x))


def test_samples_are_files_as_users_write_them() -> None:
    for path in itertools.chain(SAMPLES.glob("*.py"), (SAMPLES / "converted").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert "seqify" not in text
        assert text.endswith("\n") and not text.endswith("\n\n")
