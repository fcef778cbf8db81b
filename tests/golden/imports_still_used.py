# ---- input (Net, 4,10)
"""Docs."""

from __future__ import annotations

import torch.nn as nn, torch
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 8)
        self.fc2 = nn.Linear(8, 2)

    def forward(self, x):
        x = F.dropout(F.relu(self.fc1(x)), training=self.training)
        return self.fc2(x)


def loss(output, target):
    return F.cross_entropy(output, target)
# ---- output (layout: flat)
"""Docs."""

from __future__ import annotations

from collections import OrderedDict

import torch.nn as nn, torch
from torch.nn import functional as F


class Net(nn.Sequential):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 8)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout()
        self.fc2 = nn.Linear(8, 2)

    def __getitem__(self, idx):
        if isinstance(idx, slice):  # nn.Sequential would pass the layers to the constructor of this class
            return nn.Sequential(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)


def loss(output, target):
    return F.cross_entropy(output, target)
