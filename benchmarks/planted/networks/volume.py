"""Volumes: three-dimensional convolutions with a skip, and a head for each of two tasks."""

import torch
import torch.nn.functional as F
from torch import nn


class Volume(nn.Module):
    def __init__(self, width=4, classes=3):
        super().__init__()
        self.conv1 = nn.Conv3d(1, width, kernel_size=3, padding=1)
        self.norm1 = nn.BatchNorm3d(width)
        self.conv2 = nn.Conv3d(width, width, kernel_size=3, padding=1)
        self.norm2 = nn.InstanceNorm3d(width, affine=True)
        self.conv3 = nn.Conv3d(width, width, kernel_size=3, padding=1, padding_mode="replicate")
        self.pool = nn.MaxPool3d(2, ceil_mode=True)
        self.act = nn.PReLU()
        self.drop = nn.Dropout3d(0.2)
        self.fc = nn.Linear(width, classes)
        self.age = nn.Linear(width, 1)

    def forward(self, scan):
        x = self.act(self.norm1(self.conv1(scan)))
        x = self.pool(x)
        y = self.act(self.norm2(self.conv2(x)))
        y = self.conv3(y)
        x = F.relu(x + y)
        x = self.drop(x)
        x = F.adaptive_max_pool3d(x, 1).flatten(1)
        age = F.softplus(self.age(x)) * 10.0
        return [self.fc(x), age]


def seqify_inputs():
    return (torch.randn(4, 1, 5, 5, 5),)
