"""Group norm and silu, with convolutions whose weights are standardised in forward."""

import torch
import torch.nn.functional as F
from torch import nn


class StandardConv2d(nn.Conv2d):
    def forward(self, x):
        mean = self.weight.mean(dim=(1, 2, 3), keepdim=True)
        variance = self.weight.var(dim=(1, 2, 3), keepdim=True, unbiased=False)
        weight = (self.weight - mean) / torch.sqrt(variance + 1e-4)
        return F.conv2d(x, weight, self.bias, stride=self.stride, padding=self.padding)


class GroupNormNet(nn.Module):
    def __init__(self, classes=5):
        super().__init__()
        self.conv1 = StandardConv2d(3, 8, 3, padding=1)
        self.norm1 = nn.GroupNorm(4, 8)
        self.conv2 = StandardConv2d(8, 8, 3, padding=1)
        self.norm2 = nn.GroupNorm(4, 8)
        self.conv3 = StandardConv2d(8, 8, 3, padding=1)
        self.norm3 = nn.GroupNorm(num_groups=2, num_channels=8, eps=1e-4)
        self.act = nn.SiLU()
        self.pool = nn.AvgPool2d(3, stride=2, padding=1)
        self.fc = nn.Linear(8, classes)

    def forward(self, x):
        x = self.act(self.norm1(self.conv1(x)))
        skip = x
        x = self.act(self.norm2(self.conv2(x)))
        x = F.silu(self.norm3(self.conv3(x)) + skip)
        x = self.pool(x)
        x = F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1)
        return self.fc(x)


def seqify_inputs():
    return (torch.randn(4, 3, 9, 9),)
