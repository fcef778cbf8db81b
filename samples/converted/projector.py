"""The projection head of a self-supervised model, after SimSiam."""
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


class Projector(nn.Sequential):
    """Maps features (N, dim) to points (N, dim) on the unit sphere."""

    def __init__(self, dim=256, hidden_dim=256):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.bn1 = nn.BatchNorm1d(hidden_dim)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(hidden_dim, dim)
        self.bn2 = nn.BatchNorm1d(dim)
        self.relu2 = nn.ReLU()
        self.normalize = Normalize(dim=1)

    def __getitem__(self, idx):
        if isinstance(idx, slice):  # nn.Sequential would pass the layers to the constructor of this class
            return nn.Sequential(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)
