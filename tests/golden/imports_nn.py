# ---- input (Net, 4,10)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 8)
        self.fc2 = nn.Linear(8, 2)

    def forward(self, x):
        x = F.dropout(F.relu(self.fc1(x)), training=self.training)
        return self.fc2(x)
# ---- output (layout: flat)
from collections import OrderedDict

import torch
import torch.nn as nn


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
# ---- output (layout: grouped)
import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(10, 8),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(8, 2),
        )

    def forward(self, x):
        return self.layers(x)
# ---- output (layout: function)
import torch
import torch.nn as nn


def net() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(10, 8),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(8, 2),
    )
