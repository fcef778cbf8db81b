# ---- input (Net, 2,3,8,8)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc1 = nn.Linear(4 * 6 * 6, 6)
        self.fc2 = nn.Linear(6, 6)

    def forward(self, x):
        n, c, h, w = x.shape
        x = F.relu(self.conv(x))
        x = x.view(n, -1)
        x = F.relu(self.fc1(x))
        x = self.fc2(x)
        return x.view(n, 3, 2)
# ---- output (layout: auto)
import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, 3),
            nn.ReLU(),
        )
        self.layers = nn.Sequential(
            nn.Linear(4 * 6 * 6, 6),
            nn.ReLU(),
            nn.Linear(6, 6),
        )

    def forward(self, x):
        n, c, h, w = x.shape
        x = self.features(x)
        x = x.view(n, -1)
        x = self.layers(x)
        return x.view(n, 3, 2)
