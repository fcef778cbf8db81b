"""Bottlenecks with grouped convolutions and a learned scale of the residual."""

import torch
import torch.nn.functional as F
from torch import nn


class Bottleneck(nn.Module):
    def __init__(self, channels, width, groups=2):
        super().__init__()
        self.reduce = nn.Conv2d(channels, width, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv = nn.Conv2d(width, width, 3, padding=1, groups=groups, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.expand = nn.Conv2d(width, channels, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(channels)
        self.scale = nn.Parameter(torch.ones(1) * 0.5)
        nn.init.constant_(self.norm3.weight, 0.2)

    def forward(self, x):
        out = F.relu(self.norm1(self.reduce(x)))
        out = F.relu(self.norm2(self.conv(out)))
        out = self.norm3(self.expand(out))
        return F.relu(x + self.scale * out)


class ResNeXt(nn.Module):
    def __init__(self, classes=5, depth=3):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 12, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(12),
            nn.ReLU(),
            nn.MaxPool2d(2, ceil_mode=True),
        )
        self.blocks = nn.ModuleList([Bottleneck(12, 8) for _ in range(depth)])
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(12, classes)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        x = self.pool(x).flatten(1)
        x = self.dropout(x)
        return self.fc(x)


def seqify_inputs():
    return (torch.randn(4, 3, 13, 13),)
