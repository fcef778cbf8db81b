"""Stochastic depth: whole blocks are dropped for a sample, drawn in forward."""

import torch
import torch.nn.functional as F
from torch import nn


class DropPath(nn.Module):
    def __init__(self, drop_prob=0.3):
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x):
        if not self.training or self.drop_prob == 0.0:
            return x
        keep = 1 - self.drop_prob
        mask = torch.rand(x.shape[0], 1, device=x.device) < keep
        return x / keep * mask


class Branch(nn.Module):
    def __init__(self, size, hidden):
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.fc1 = nn.Linear(size, hidden)
        self.fc2 = nn.Linear(hidden, size)
        self.drop_path = DropPath()

    def forward(self, x):
        y = self.norm(x)
        y = F.gelu(self.fc1(y), approximate="tanh")
        y = self.fc2(y)
        return x + self.drop_path(y)


class Stochastic(nn.Module):
    def __init__(self, size=10, classes=4):
        super().__init__()
        self.stem = nn.Linear(6, size)
        self.branch1 = Branch(size, 14)
        self.branch2 = Branch(size, 14)
        self.branch3 = Branch(size, 14)
        self.noise = 0.2
        self.head = nn.Linear(size, classes)

    def forward(self, x):
        x = self.stem(x)
        if self.training:
            x = x + torch.randn_like(x) * self.noise
        x = self.branch1(x)
        x = self.branch2(x)
        x = self.branch3(x)
        return self.head(F.relu(x))


def seqify_inputs():
    return (torch.randn(4, 6),)
