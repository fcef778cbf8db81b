"""A small classifier for tabular data."""
from collections import OrderedDict

from torch import nn


class SwappedMLP(nn.Sequential):
    """Two hidden layers, written down in another order than they run."""

    def __init__(self, in_features: int = 16, hidden: int = 32, num_classes: int = 4):
        super().__init__()
        # the head
        out = nn.Linear(hidden, num_classes)

        # the body
        norm1 = nn.BatchNorm1d(hidden)
        norm2 = nn.BatchNorm1d(hidden)
        fc2 = nn.Linear(hidden, hidden, bias=False)  # norm2 has the bias
        fc1 = nn.Linear(in_features, hidden)

        # nn.Sequential runs its layers in the order of these lines
        self.fc1 = fc1
        self.norm1 = norm1
        self.relu1 = nn.ReLU()
        self.dropout = nn.Dropout(p=0.2)
        self.fc2 = fc2
        self.norm2 = norm2
        self.relu2 = nn.ReLU()
        self.out = out

    def __getitem__(self, idx):
        if isinstance(idx, slice):  # nn.Sequential would pass the layers to the constructor of this class
            return nn.Sequential(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)
