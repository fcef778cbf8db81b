import torch
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, dims=None):
        super().__init__()
        it = iter(dims or (8, 8, 8))
        self.norm2 = nn.LayerNorm(next(it))
        self.norm1 = nn.LayerNorm(next(it))
        self.fc1 = nn.Linear(4, next(it))

    def forward(self, x):
        return self.norm2(F.relu(self.norm1(self.fc1(x))))
