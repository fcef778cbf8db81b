"""What the source of both sides has at the calls around a divergence."""

from __future__ import annotations

import pytest

from seqify.compare.verdict import Divergence, Pair, Spot
from seqify.excerpts import with_excerpts

TEXT = """
    import torch
    import torch.nn.functional as F
    from torch import nn


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm2d(8, eps=1e-3)
            self.relu = nn.ReLU()
            self.features = nn.Sequential(
                nn.Conv2d(3, 8, 3), nn.LeakyReLU(0.1),
            )
            self.größe = nn.Linear(2, 3); self.é = nn.Linear(
                2, 3)

        def forward(self, x):
            x = F.leaky_relu(self.norm(x), 0.2)
            x = self.relu(x) + F.relu(x)
            y = F.relu(F.relu(x))
            x = x * 2
            x = self.features(x)
            x = (
                x
                .flatten(1)
            )
            return self.relu(x)
"""


def excerpt(path, row: int, function: str, module: str = "", constructed: int | None = None) -> str:
    """The text that a spot points at."""
    built = (str(path), constructed) if constructed else None
    spot = Spot("aten.any.default", function, module, str(path), row, built, "forward", ())
    pair = Pair(1, spot, spot, None)
    found = with_excerpts(Divergence(spot, None, 0, None, None, None, "eval", (pair,), 1))
    assert found.old is not None and found.calls[0].new == found.old
    place = found.old.place
    assert place is not None and place.end_column is not None and place.row == place.end_row
    assert found.old.text == path.read_text().splitlines()[place.row - 1]
    return found.old.text[place.column - 1 : place.end_column - 1]


@pytest.mark.parametrize(
    ("row", "function", "module", "constructed", "expected"),
    [
        (18, "leaky_relu", "", None, "F.leaky_relu"),
        (18, "batch_norm", "norm", 9, "nn.BatchNorm2d(8, eps=1e-3)"),
        (19, "relu", "relu", 10, "nn.ReLU()"),
        (19, "relu", "", None, "x = self.relu(x) + F.relu(x)"),
        (19, "add", "", None, "self.relu(x) + F.relu(x)"),
        (20, "relu", "", None, "y = F.relu(F.relu(x))"),
        (21, "mul", "", None, "x * 2"),
        (22, "leaky_relu", "features.1", 12, "nn.LeakyReLU(0.1)"),
        (22, "conv2d", "features.0", 12, "nn.Conv2d(3, 8, 3)"),
        (22, "linear", "größe", 14, "nn.Linear(2, 3)"),
        (25, "flatten", "", None, ".flatten"),
        (27, "relu", "relu", 10, "nn.ReLU()"),
        (27, "", "relu", 10, "self.relu"),
        (27, "nothing", "", None, "return self.relu(x)"),
    ],
)
def test_the_text_of_a_call(write, row, function, module, constructed, expected):
    assert excerpt(write(TEXT), row, function, module, constructed) == expected


def test_a_place_that_cannot_be_read_is_left_out(write, tmp_path):
    spot = Spot("aten.any.default", "relu", "", str(tmp_path / "gone.py"), 3, None, "forward", ())
    divergence = Divergence(None, spot, 0, None, None, None, "eval")

    assert with_excerpts(divergence) == divergence
    broken = Spot("aten.any.default", "relu", "", str(write("x = (\n", "broken.py")), 1, None, "forward", ())
    found = with_excerpts(Divergence(broken, None, 0, None, None, None, "eval"))
    assert found.old is not None and found.old.place is None


def test_a_file_that_has_changed_is_read_anew(write):
    path = write(TEXT)
    assert excerpt(path, 21, "mul") == "x * 2"
    path.write_text(path.read_text().replace("x * 2", "x * 3 * 3 * 3 "))

    assert excerpt(path, 21, "nothing") == "x = x * 3 * 3 * 3"
