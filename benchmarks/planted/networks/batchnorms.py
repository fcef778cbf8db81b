"""Batch norms of all kinds: cumulative average, no statistics, no scale, one of them called twice."""

import torch
from torch import nn


class BatchNorms(nn.Module):
    def __init__(self, channels=6, classes=4):
        super().__init__()
        self.conv1 = nn.Conv2d(2, channels, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(channels, momentum=None)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels, track_running_stats=False)
        self.conv3 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn3 = nn.BatchNorm2d(channels, affine=False)
        self.shared = nn.BatchNorm2d(channels, momentum=0.3)
        self.frozen = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(channels, classes)
        for parameter in self.frozen.parameters():
            parameter.requires_grad = False

    def train(self, mode=True):
        super().train(mode)
        self.frozen.eval()
        return self

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        y = self.shared(x)
        x = self.relu(self.bn3(self.conv3(y)))
        x = self.frozen(x)
        x = self.relu(self.shared(x) + y)
        x = x.mean(dim=(-2, -1))
        return self.fc(x)


def seqify_inputs():
    return (torch.randn(4, 2, 7, 7) + 0.5,)
