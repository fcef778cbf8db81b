# ---- input (Net, 4,10)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 8)
        self.fc2 = nn.Linear(8, 2)

    def freeze(self):
        """Keep the first layer as it is."""
        for parameter in self.fc1.parameters():
            parameter.requires_grad = False

    @property
    def out_features(self):
        return self.fc2.out_features

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))

    def embed(self, x):
        return F.relu(self.fc1(x))  # without the head
# ---- output (layout: flat)
from collections import OrderedDict

import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Sequential):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 8)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(8, 2)

    def freeze(self):
        """Keep the first layer as it is."""
        for parameter in self.fc1.parameters():
            parameter.requires_grad = False

    @property
    def out_features(self):
        return self.fc2.out_features

    def __getitem__(self, idx):
        if isinstance(idx, slice):  # nn.Sequential would pass the layers to the constructor of this class
            return nn.Sequential(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)

    def embed(self, x):
        return F.relu(self.fc1(x))  # without the head
# ---- output (layout: grouped)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(10, 8),
            nn.ReLU(),
            nn.Linear(8, 2),
        )

    def freeze(self):
        """Keep the first layer as it is."""
        for parameter in self.layers[0].parameters():
            parameter.requires_grad = False

    @property
    def out_features(self):
        return self.layers[2].out_features

    def forward(self, x):
        return self.layers(x)

    def embed(self, x):
        return F.relu(self.layers[0](x))  # without the head
