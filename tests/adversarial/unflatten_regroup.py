import torch
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 16)
        self.conv = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = x.view(-1, 4, 2, 2)
        return self.conv(x)
