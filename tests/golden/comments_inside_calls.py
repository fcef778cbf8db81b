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
        x = F.leaky_relu(  # opening
            self.fc1(x),  # the value
            # the slope
            0.2,
        )  # closing
        return F.softmax(
            self.fc2(x),
            dim=1,  # classes
        )
# ---- output (layout: flat)
from collections import OrderedDict

import torch
import torch.nn as nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__()
        # opening
        self.fc1 = nn.Linear(10, 8)  # the value
        # the slope
        self.leaky_relu = nn.LeakyReLU(0.2)  # closing
        self.fc2 = nn.Linear(8, 2)
        # classes
        self.softmax = nn.Softmax(dim=1)

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
            # opening
            nn.Linear(10, 8),  # the value
            # the slope
            nn.LeakyReLU(0.2),  # closing
            nn.Linear(8, 2),
            # classes
            nn.Softmax(dim=1),
        )

    def forward(self, x):
        return self.layers(x)
