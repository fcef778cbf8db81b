# ---- input (Net, 2,3,8,8)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4 * 6 * 6, 5)

    def forward(self, x):
        b = x.size(0)
        x = F.relu(self.conv(x))
        x = x.view(b, -1)  # one row each
        return self.fc(x)
# ---- refused (layout: flat)
# 15:13 SQ308 runtime-argument: the shape is computed from a tensor's size
# ---- output (layout: grouped)
import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, 3),
            nn.ReLU(),
        )
        self.fc = nn.Linear(4 * 6 * 6, 5)

    def forward(self, x):
        b = x.size(0)
        x = self.features(x)
        x = x.view(b, -1)  # one row each
        return self.fc(x)
