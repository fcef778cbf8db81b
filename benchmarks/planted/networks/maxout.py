"""Maxout units and a head of log-probabilities at a temperature."""

import torch
import torch.nn.functional as F
from torch import nn


class Maxout(nn.Module):
    def __init__(self, size, width, pieces=3):
        super().__init__()
        self.width = width
        self.pieces = pieces
        self.linear = nn.Linear(size, width * pieces)

    def forward(self, x):
        x = self.linear(x)
        x = x.view(x.size(0), self.width, self.pieces)
        return x.max(dim=2)[0]


class MaxoutNet(nn.Module):
    def __init__(self, size=8, classes=5):
        super().__init__()
        self.maxout1 = Maxout(size, 10)
        self.dropout = nn.Dropout(p=0.2)
        self.maxout2 = Maxout(10, 10, pieces=2)
        self.low = nn.Linear(10, 4, bias=False)
        self.high = nn.Linear(4, 10, bias=False)
        self.fc = nn.Linear(10, classes, bias=False)
        self.log_softmax = nn.LogSoftmax(dim=-1)
        self.temperature = nn.Parameter(torch.tensor(0.5))

    def forward(self, x):
        x = self.maxout1(x)
        x = self.dropout(x)
        x = self.maxout2(x)
        x = x - self.high(F.softmax(self.low(x), dim=-1))
        x = self.fc(x) / self.temperature
        return self.log_softmax(x)


def seqify_inputs():
    return (torch.randn(4, 8),)
