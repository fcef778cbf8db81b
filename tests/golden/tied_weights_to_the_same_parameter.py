# ---- input (Net, 4,8)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(8, 8, bias=False)
        self.hidden = nn.Linear(8, 8)
        self.decode = nn.Linear(8, 8, bias=False)
        # one matrix for both
        self.decode.weight = self.encode.weight

    def forward(self, x):
        x = F.relu(self.encode(x))
        x = F.relu(self.hidden(x))
        return self.decode(x)
# ---- output (layout: auto)
from collections import OrderedDict

import torch
import torch.nn as nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(8, 8, bias=False)
        self.relu1 = nn.ReLU()
        self.hidden = nn.Linear(8, 8)
        self.relu2 = nn.ReLU()
        self.decode = nn.Linear(8, 8, bias=False)
        # one matrix for both
        self.decode.weight = self.encode.weight

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
            nn.Linear(8, 8, bias=False),
            nn.ReLU(),
            nn.Linear(8, 8),
            nn.ReLU(),
            nn.Linear(8, 8, bias=False),
        )
        # one matrix for both
        self.layers[4].weight = self.layers[0].weight

    def forward(self, x):
        return self.layers(x)
# ---- output (layout: function)
import torch
import torch.nn as nn


def net() -> nn.Sequential:
    model = nn.Sequential(
        nn.Linear(8, 8, bias=False),
        nn.ReLU(),
        nn.Linear(8, 8),
        nn.ReLU(),
        nn.Linear(8, 8, bias=False),
    )
    # one matrix for both
    model[4].weight = model[0].weight
    return model
