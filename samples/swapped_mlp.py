"""A small classifier for tabular data."""
import torch.nn.functional as F
from torch import Tensor, nn


class SwappedMLP(nn.Module):
    """Two hidden layers, written down in another order than they run."""

    def __init__(self, in_features: int = 16, hidden: int = 32, num_classes: int = 4):
        super().__init__()
        # the head
        self.out = nn.Linear(hidden, num_classes)

        # the body
        self.norm1 = nn.BatchNorm1d(hidden)
        self.norm2 = nn.BatchNorm1d(hidden)
        self.fc2 = nn.Linear(hidden, hidden, bias=False)  # norm2 has the bias
        self.fc1 = nn.Linear(in_features, hidden)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(self.fc1(x))
        x = F.relu(x)
        x = F.dropout(x, p=0.2, training=self.training)

        x = self.norm2(self.fc2(x))
        x = F.relu(x)
        return self.out(x)
