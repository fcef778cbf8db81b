# ---- input (Net, 4,10)
import torch
import torch.nn as nn
import torch.nn.functional as F


def init_weights(module):
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 8)
        self.fc2 = nn.Linear(8, 2)
        self.apply(init_weights)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))
# ---- output (layout: flat)
from collections import OrderedDict

import torch
import torch.nn as nn


def init_weights(module):
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)


class Net(nn.Sequential):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 8)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(8, 2)
        self.apply(init_weights)

    def __getitem__(self, idx):
        if isinstance(idx, slice):  # nn.Sequential would pass the layers to the constructor of this class
            return nn.Sequential(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)
# ---- output (layout: grouped)
import torch
import torch.nn as nn


def init_weights(module):
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(10, 8),
            nn.ReLU(),
            nn.Linear(8, 2),
        )
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)
