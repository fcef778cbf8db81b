# ---- input (Net, 4,10, crlf)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    """Two
    rows."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 8)  # wide
        self.fc2 = nn.Linear(8, 2)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        return F.normalize(self.fc2(x))
# ---- output (layout: flat)
from collections import OrderedDict

import torch
import torch.nn as nn


class Normalize(nn.Module):
    """Divides by the p-norm along a dimension."""

    def __init__(self, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> None:
        super().__init__()
        self.p = p
        self.dim = dim
        self.eps = eps

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(input, self.p, self.dim, self.eps)


class Net(nn.Sequential):
    """Two
    rows."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 8)  # wide
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(8, 2)
        self.normalize = Normalize()

    def __getitem__(self, idx):
        if isinstance(idx, slice):  # nn.Sequential would pass the layers to the constructor of this class
            return nn.Sequential(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)
# ---- output (layout: grouped)
import torch
import torch.nn as nn


class Normalize(nn.Module):
    """Divides by the p-norm along a dimension."""

    def __init__(self, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> None:
        super().__init__()
        self.p = p
        self.dim = dim
        self.eps = eps

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(input, self.p, self.dim, self.eps)


class Net(nn.Module):
    """Two
    rows."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(10, 8),  # wide
            nn.ReLU(),
            nn.Linear(8, 2),
            Normalize(),
        )

    def forward(self, x):
        return self.layers(x)
