import torch
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 2)
        self.fc1 = nn.Linear(4, 8)

    def head_params(self):
        return list(self.parameters())[:2]

    def forward(self, x):
        return self.head(F.relu(self.fc1(x)))
