# ---- input (Net, 4,10)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 8)
        self.fc2 = nn.Linear(8, 8)
        self.fc3 = nn.Linear(8, 2)

    def forward(self, x):
        x = self.fc1(x)
        F.relu_(x)
        x = self.fc2(x)
        x.relu_()  # in place
        return self.fc3(x)
# ---- output (layout: flat)
from collections import OrderedDict

import torch
import torch.nn as nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 8)
        self.relu1 = nn.ReLU(inplace=True)
        self.fc2 = nn.Linear(8, 8)
        self.relu2 = nn.ReLU(inplace=True)  # in place
        self.fc3 = nn.Linear(8, 2)

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
            nn.ReLU(inplace=True),
            nn.Linear(8, 8),
            nn.ReLU(inplace=True),  # in place
            nn.Linear(8, 2),
        )

    def forward(self, x):
        return self.layers(x)
