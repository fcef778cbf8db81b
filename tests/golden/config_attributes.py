# ---- input (Net, 4,10)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    slope = 0.2

    def __init__(self, p=0.3):
        super().__init__()
        self.p = p
        self.fc1 = nn.Linear(10, 8)
        self.fc2 = nn.Linear(8, 2)

    def forward(self, x):
        x = F.leaky_relu(self.fc1(x), self.slope)
        x = F.dropout(x, self.p, self.training)
        return self.fc2(x)
# ---- output (layout: flat)
from collections import OrderedDict

import torch
import torch.nn as nn


class Net(nn.Sequential):
    slope = 0.2

    def __init__(self, p=0.3):
        super().__init__()
        self.p = p
        self.fc1 = nn.Linear(10, 8)
        self.leaky_relu = nn.LeakyReLU(self.slope)
        self.dropout = nn.Dropout(self.p)
        self.fc2 = nn.Linear(8, 2)

    def __getitem__(self, idx):
        if isinstance(idx, slice):  # nn.Sequential would pass the layers to the constructor of this class
            return nn.Sequential(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)
# ---- output (layout: grouped)
import torch
import torch.nn as nn


class Net(nn.Module):
    slope = 0.2

    def __init__(self, p=0.3):
        super().__init__()
        self.p = p
        self.layers = nn.Sequential(
            nn.Linear(10, 8),
            nn.LeakyReLU(self.slope),
            nn.Dropout(self.p),
            nn.Linear(8, 2),
        )

    def forward(self, x):
        return self.layers(x)
# ---- refused (layout: function)
# 7:5 SQ403 attribute-used-elsewhere: the class defines more than `__init__` and `forward`
