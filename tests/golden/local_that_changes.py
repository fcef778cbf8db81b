# ---- input (Net, 4,10)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        size = 10
        self.fc1 = nn.Linear(size, 8)
        size = 8  # now narrower
        self.fc2 = nn.Linear(size, 6)
        size //= 4
        self.fc3 = nn.Linear(6, size)

    def forward(self, x):
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))
# ---- output (layout: flat)
from collections import OrderedDict

import torch
import torch.nn as nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__()
        size = 10
        self.fc1 = nn.Linear(size, 8)
        self.relu1 = nn.ReLU()
        size = 8  # now narrower
        self.fc2 = nn.Linear(size, 6)
        self.relu2 = nn.ReLU()
        size //= 4
        self.fc3 = nn.Linear(6, size)

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
        size = 10
        fc1 = nn.Linear(size, 8)
        size = 8  # now narrower
        fc2 = nn.Linear(size, 6)
        size //= 4
        self.layers = nn.Sequential(
            fc1,
            nn.ReLU(),
            fc2,
            nn.ReLU(),
            nn.Linear(6, size),
        )

    def forward(self, x):
        return self.layers(x)
# ---- output (layout: function)
import torch
import torch.nn as nn


def net() -> nn.Sequential:
    size = 10
    fc1 = nn.Linear(size, 8)
    size = 8  # now narrower
    fc2 = nn.Linear(size, 6)
    size //= 4
    return nn.Sequential(
        fc1,
        nn.ReLU(),
        fc2,
        nn.ReLU(),
        nn.Linear(6, size),
    )
