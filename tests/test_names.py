"""Names for new attributes."""

from __future__ import annotations

import pytest
import torch

from seqify.names import fresh, group_name, layer_names, snake_case

IMAGE = torch.randn(2, 3, 8, 8)


@pytest.mark.parametrize(
    ("name", "taken", "expected"),
    [("a", [], "a"), ("a", ["a"], "a2"), ("a", ["a", "a2", "a4"], "a3"), ("a", ["a2"], "a")],
)
def test_fresh(name, taken, expected):
    assert fresh(name, taken) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("LeNet", "le_net"), ("MLP", "mlp"), ("UNet2d", "u_net2d"), ("net", "net"), ("ResNet18", "res_net18"),
     ("DCGANGenerator", "dcgan_generator"), ("my_Net", "my_net")],
)  # fmt: skip
def test_snake_case(name, expected):
    assert snake_case(name) == expected


@pytest.mark.parametrize(
    ("stems", "taken", "expected"),
    [
        (["relu"], [], ["relu"]),
        (["relu", "relu", "flatten"], [], ["relu1", "relu2", "flatten"]),
        (["relu", "relu", "flatten"], ["relu"], ["relu2", "relu3", "flatten"]),
        (["relu"], ["relu"], ["relu2"]),
        (["relu", "relu"], ["relu1"], ["relu2", "relu3"]),
        (["pool", "relu", "pool", "relu"], [], ["pool1", "relu1", "pool2", "relu2"]),
        ([], ["relu"], []),
    ],
)
def test_layer_names(stems, taken, expected):
    assert layer_names(stems, taken) == expected


def test_layer_names_are_always_new():
    stems = ["relu"] * 5 + ["relu1"] * 3 + ["pool"] * 2
    names = layer_names(stems, ["relu2", "relu11", "pool1"])

    assert len({*names, "relu2", "relu11", "pool1"}) == len(names) + 3


def named(look, attributes: str, statements: str, taken: tuple[str, ...] = ()) -> list[str]:
    """The names of the groups of a network with these attributes (name=layer) and this forward."""
    layers = {"C": "nn.Conv2d(3, 3, 3, padding=1)", "L": "nn.Linear(192, 192)", "R": "nn.ReLU()"}
    pairs = [item.partition("=")[::2] for item in attributes.split()]
    rows = "".join(f"        self.{name} = {layers[kind]}\n" for name, kind in pairs)
    body = "".join(f"        {row}\n" for row in statements.splitlines())
    text = f"\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n{rows}"
    seen = look(text + f"\n    def forward(self, x):\n{body}", IMAGE)
    return [
        group_name(chain, seen.flow, seen.cls, dict(seen.module.named_children()), taken)
        for chain in seen.chains.chains
    ]


@pytest.mark.parametrize(
    ("attributes", "statements", "expected"),
    [
        ("conv1=C conv2=C", "y = self.conv2(self.conv1(x))\nreturn torch.stack([y, y])", ["features"]),
        ("enc1=C enc2=C", "y = self.enc2(self.enc1(x))\nreturn torch.stack([y, y])", ["encoder"]),
        ("stem_conv=C stem_out=C", "y = self.stem_out(self.stem_conv(x))\nreturn torch.stack([y, y])", ["stem"]),
        ("c1=C c2=C", "return x + self.c2(self.c1(x))", ["body"]),
        ("c1=C c2=C", "feature_map = self.c2(self.c1(x))\nreturn torch.stack([feature_map] * 2)", ["feature_map"]),
        ("c1=C c2=C", "out = self.c2(self.c1(x))\nreturn torch.stack([out] * 2)", ["features"]),
        ("c1=C fc=L", "y = torch.stack([self.c1(x)])[0]\nreturn self.fc(torch.flatten(y, 1))",
         ["features", "classifier"]),
        ("fc1=L fc2=L", "y = torch.flatten(x, 1).clone()\nz = self.fc2(self.fc1(y))\nreturn z, z", ["layers"]),
    ],
)  # fmt: skip
def test_group_name(look, attributes, statements, expected):
    names = named(look, attributes, statements)

    assert [name for name in expected if name in names] == expected


def test_a_name_that_is_taken_is_not_given(look):
    statements = "return torch.stack([self.enc2(self.enc1(x))] * 2)"

    assert named(look, "enc1=C enc2=C", statements) == ["encoder"]
    assert named(look, "enc1=C enc2=C", statements, taken=("encoder",)) == ["encoder_layers"]
