# ---- input (Net, 4,10)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, hidden=8):
        super().__init__()
        self.out = nn.Linear(hidden, 2)  # the head
        self.norm = nn.BatchNorm1d(hidden)

        # the body
        self.fc = nn.Linear(10, hidden)

    def forward(self, x):
        return self.out(F.relu(self.norm(self.fc(x))))
# ---- output (layout: flat)
from collections import OrderedDict

import torch
import torch.nn as nn


class Net(nn.Sequential):
    def __init__(self, hidden=8):
        super().__init__()
        out = nn.Linear(hidden, 2)  # the head
        norm = nn.BatchNorm1d(hidden)

        # the body
        fc = nn.Linear(10, hidden)

        # nn.Sequential runs its layers in the order of these lines
        self.fc = fc
        self.norm = norm
        self.relu = nn.ReLU()
        self.out = out

    def __getitem__(self, idx):
        if isinstance(idx, slice):  # nn.Sequential would pass the layers to the constructor of this class
            return nn.Sequential(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)
# ---- output (layout: grouped)
import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self, hidden=8):
        super().__init__()
        out = nn.Linear(hidden, 2)  # the head
        norm = nn.BatchNorm1d(hidden)

        # the body
        fc = nn.Linear(10, hidden)
        self.layers = nn.Sequential(
            fc,
            norm,
            nn.ReLU(),
            out,
        )

    def forward(self, x):
        return self.layers(x)
# ---- output (layout: function)
import torch
import torch.nn as nn


def net(hidden=8) -> nn.Sequential:
    out = nn.Linear(hidden, 2)  # the head
    norm = nn.BatchNorm1d(hidden)

    # the body
    fc = nn.Linear(10, hidden)
    return nn.Sequential(
        fc,
        norm,
        nn.ReLU(),
        out,
    )
