# ---- input (Net, 4,10)
import torch
import torch.nn as nn
import torch.nn.functional as F


# above the class
class Net(nn.Module):  # behind the class
    # first in the class

    def __init__(self):
        super().__init__()  # behind super
        # above fc1
        self.fc1 = nn.Linear(10, 8)  # behind fc1

        # a block of comments
        # in two rows
        self.fc2 = nn.Linear(8, 2)
        # last in the constructor

    def forward(self, x):
        # first in forward
        x = self.fc1(x)  # behind the call of fc1
        x = F.relu(x)  # behind relu
        # above the call of fc2
        return self.fc2(x)  # behind return
        # last in forward


# below the class
# ---- output (layout: flat)
from collections import OrderedDict

import torch
import torch.nn as nn


# above the class
class Net(nn.Sequential):  # behind the class
    # first in the class

    def __init__(self):
        super().__init__()  # behind super
        # above fc1
        # first in forward
        # behind the call of fc1
        self.fc1 = nn.Linear(10, 8)  # behind fc1
        self.relu = nn.ReLU()  # behind relu

        # a block of comments
        # in two rows
        # above the call of fc2
        self.fc2 = nn.Linear(8, 2)  # behind return
        # last in the constructor

    def __getitem__(self, idx):
        if isinstance(idx, slice):  # nn.Sequential would pass the layers to the constructor of this class
            return nn.Sequential(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)
        # last in forward


# below the class
# ---- output (layout: grouped)
import torch
import torch.nn as nn


# above the class
class Net(nn.Module):  # behind the class
    # first in the class

    def __init__(self):
        super().__init__()  # behind super

        self.layers = nn.Sequential(
            # above fc1
            # first in forward
            # behind the call of fc1
            nn.Linear(10, 8),  # behind fc1
            nn.ReLU(),  # behind relu
            # a block of comments
            # in two rows
            nn.Linear(8, 2),
        )
        # last in the constructor

    def forward(self, x):
        # above the call of fc2
        return self.layers(x)  # behind return
        # last in forward


# below the class
# ---- output (layout: function)
import torch
import torch.nn as nn


# above the class
def net() -> nn.Sequential:
    # behind the class
    # first in the class
    # last in the constructor
    # behind super

    return nn.Sequential(
        # above fc1
        # first in forward
        # behind the call of fc1
        nn.Linear(10, 8),  # behind fc1
        nn.ReLU(),  # behind relu
        # a block of comments
        # in two rows
        # above the call of fc2
        nn.Linear(8, 2),  # behind return
    )
        # last in forward


# below the class
