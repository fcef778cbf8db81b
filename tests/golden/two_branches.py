# ---- input (Net, 4,10)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    """Two towers."""

    def __init__(self):
        super().__init__()
        # left
        self.left1 = nn.Linear(10, 8)
        self.left2 = nn.Linear(8, 4)
        # right
        self.right1 = nn.Linear(10, 8)
        self.right2 = nn.Linear(8, 4)
        # both
        self.out = nn.Linear(8, 2)

    def forward(self, x):
        left = F.relu(self.left1(x))
        left = F.relu(self.left2(left))
        right = F.relu(self.right1(x))
        right = F.relu(self.right2(right))
        both = torch.cat([left, right], dim=1)
        return torch.sigmoid(self.out(both))
# ---- output (layout: auto)
import torch
import torch.nn as nn


class Net(nn.Module):
    """Two towers."""

    def __init__(self):
        super().__init__()
        self.left = nn.Sequential(
            # left
            nn.Linear(10, 8),
            nn.ReLU(),
            nn.Linear(8, 4),
            nn.ReLU(),
        )
        self.right = nn.Sequential(
            # right
            nn.Linear(10, 8),
            nn.ReLU(),
            nn.Linear(8, 4),
            nn.ReLU(),
        )
        self.out_layers = nn.Sequential(
            # both
            nn.Linear(8, 2),
            nn.Sigmoid(),
        )

    def forward(self, x):
        left = self.left(x)
        right = self.right(x)
        both = torch.cat([left, right], dim=1)
        return self.out_layers(both)
