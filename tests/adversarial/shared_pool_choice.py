import torch
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, pool="max"):
        super().__init__()
        self.conv1 = nn.Conv1d(4, 8, 3, padding=1)
        self.pool = nn.MaxPool1d(2) if pool == "max" else nn.Conv1d(8, 8, 2, 2)
        self.conv2 = nn.Conv1d(8, 8, 3, padding=1)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        return self.pool(F.relu(self.conv2(x)))
