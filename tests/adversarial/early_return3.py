import torch
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, tiny=False):
        super().__init__()
        self.fc2 = nn.Linear(8, 2)
        self.a = 1
        if tiny:
            return
        self.fc1 = nn.Linear(4, 8)

    def forward(self, x):
        return torch.tanh(self.fc2(F.relu(self.fc1(x))))

    def head(self, h):
        return self.fc2(h)
