# ---- input (Net, 2,8,6)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Mean:
    """Something else."""


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.proj = nn.Linear(6, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(F.relu(self.proj(x)).mean(1))
# ---- output (layout: flat)
from collections import OrderedDict

import torch
import torch.nn as nn


class Mean:
    """Something else."""


class Mean2(nn.Module):
    """The mean over some dimensions."""

    def __init__(self, dim: int | tuple[int, ...], keepdim: bool = False) -> None:
        super().__init__()
        self.dim = dim
        self.keepdim = keepdim

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return input.mean(self.dim, self.keepdim)


class Net(nn.Sequential):
    def __init__(self):
        super().__init__()
        self.proj = nn.Linear(6, 4)
        self.relu = nn.ReLU()
        self.mean = Mean2(1)
        self.head = nn.Linear(4, 3)

    def __getitem__(self, idx):
        if isinstance(idx, slice):  # nn.Sequential would pass the layers to the constructor of this class
            return nn.Sequential(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)
