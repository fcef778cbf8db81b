# ---- input (Net, 4,10)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 8)
        self.old_head = nn.Linear(8, 5)  # kept for old checkpoints
        self.fc2 = nn.Linear(8, 2)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))
# ---- refused (layout: flat)
# 7:5 SQ207 unused-module: `self.old_head` is never called, and a flat class would run it
# ---- output (layout: auto)
import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        fc1 = nn.Linear(10, 8)
        self.old_head = nn.Linear(8, 5)  # kept for old checkpoints
        fc2 = nn.Linear(8, 2)
        self.layers = nn.Sequential(
            fc1,
            nn.ReLU(),
            fc2,
        )

    def forward(self, x):
        return self.layers(x)
