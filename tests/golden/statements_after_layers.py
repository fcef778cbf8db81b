# ---- input (Net, 4,10)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 8)
        self.fc2 = nn.Linear(8, 2)

        # start small
        nn.init.normal_(self.fc1.weight, std=0.01)
        nn.init.zeros_(self.fc2.bias)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.constant_(m.bias, 0.1)  # a little push

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))
# ---- output (layout: flat)
from collections import OrderedDict

import torch
import torch.nn as nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 8)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(8, 2)

        # start small
        nn.init.normal_(self.fc1.weight, std=0.01)
        nn.init.zeros_(self.fc2.bias)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.constant_(m.bias, 0.1)  # a little push

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
            nn.Linear(8, 2),
        )

        # start small
        nn.init.normal_(self.layers[0].weight, std=0.01)
        nn.init.zeros_(self.layers[2].bias)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.constant_(m.bias, 0.1)  # a little push

    def forward(self, x):
        return self.layers(x)
# ---- output (layout: function)
import torch
import torch.nn as nn


def net() -> nn.Sequential:
    model = nn.Sequential(
        nn.Linear(10, 8),
        nn.ReLU(),
        nn.Linear(8, 2),
    )

    # start small
    nn.init.normal_(model[0].weight, std=0.01)
    nn.init.zeros_(model[2].bias)
    for m in model.modules():
        if isinstance(m, nn.Linear):
            nn.init.constant_(m.bias, 0.1)  # a little push
    return model
