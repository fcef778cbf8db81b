# ---- input (Net, 4,10)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    fc1: nn.Linear

    def __init__(self) -> None:
        super().__init__()
        self.fc1: nn.Linear = nn.Linear(10, 8)
        self.fc2: nn.Module = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = F.relu(self.fc1(x))
        logits: torch.Tensor = self.fc2(hidden)
        return logits
# ---- output (layout: flat)
from collections import OrderedDict

import torch.nn as nn


class Net(nn.Sequential):
    fc1: nn.Linear

    def __init__(self) -> None:
        super().__init__()
        self.fc1: nn.Linear = nn.Linear(10, 8)
        self.relu = nn.ReLU()
        self.fc2: nn.Module = nn.Linear(8, 2)

    def __getitem__(self, idx):
        if isinstance(idx, slice):  # nn.Sequential would pass the layers to the constructor of this class
            return nn.Sequential(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)
# ---- output (layout: grouped)
import torch
import torch.nn as nn


class Net(nn.Module):
    fc1: nn.Linear

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(10, 8),
            nn.ReLU(),
            nn.Linear(8, 2),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layers(x)
        return logits
