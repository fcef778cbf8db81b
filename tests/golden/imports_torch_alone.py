# ---- input (Net, 4,10)
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = torch.nn.Linear(10, 8)
        self.fc2 = torch.nn.Linear(8, 2)

    def forward(self, x):
        x = torch.nn.functional.dropout(torch.nn.functional.relu(self.fc1(x)), training=self.training)
        return self.fc2(x)
# ---- output (layout: flat)
from collections import OrderedDict

import torch


class Net(torch.nn.Sequential):
    def __init__(self):
        super().__init__()
        self.fc1 = torch.nn.Linear(10, 8)
        self.relu = torch.nn.ReLU()
        self.dropout = torch.nn.Dropout()
        self.fc2 = torch.nn.Linear(8, 2)

    def __getitem__(self, idx):
        if isinstance(idx, slice):  # nn.Sequential would pass the layers to the constructor of this class
            return torch.nn.Sequential(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)
# ---- output (layout: grouped)
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(10, 8),
            torch.nn.ReLU(),
            torch.nn.Dropout(),
            torch.nn.Linear(8, 2),
        )

    def forward(self, x):
        return self.layers(x)
# ---- output (layout: function)
import torch


def net() -> torch.nn.Sequential:
    return torch.nn.Sequential(
        torch.nn.Linear(10, 8),
        torch.nn.ReLU(),
        torch.nn.Dropout(),
        torch.nn.Linear(8, 2),
    )
