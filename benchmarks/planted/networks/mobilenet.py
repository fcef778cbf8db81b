"""MobileNet: inverted residuals with squeeze and excitation, relu6 and hardswish."""

import torch
import torch.nn.functional as F
from torch import nn


class SqueezeExcitation(nn.Module):
    def __init__(self, channels, reduced):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, reduced, 1)
        self.fc2 = nn.Conv2d(reduced, channels, 1)

    def forward(self, x):
        scale = F.adaptive_avg_pool2d(x, 1)
        scale = F.relu(self.fc1(scale))
        scale = F.hardsigmoid(self.fc2(scale))
        return x * scale


class InvertedResidual(nn.Module):
    def __init__(self, channels, width, stride, expand, activation):
        super().__init__()
        hidden = channels * expand
        self.residual = stride == 1 and channels == width
        self.expand = nn.Conv2d(channels, hidden, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(hidden, eps=0.001, momentum=0.01)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, stride=stride, padding=1, groups=hidden, bias=False)
        self.norm2 = nn.BatchNorm2d(hidden, eps=0.001, momentum=0.01)
        self.activation = activation()
        self.se = SqueezeExcitation(hidden, 4)
        self.project = nn.Conv2d(hidden, width, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(width, eps=0.001, momentum=0.01)

    def forward(self, x):
        out = self.activation(self.norm1(self.expand(x)))
        out = self.activation(self.norm2(self.depthwise(out)))
        out = self.se(out)
        out = self.norm3(self.project(out))
        if self.residual:
            return x + out
        return out


class MobileNet(nn.Module):
    def __init__(self, classes=5):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(6),
            nn.ReLU6(inplace=True),
        )
        self.block1 = InvertedResidual(6, 6, 1, 2, nn.ReLU6)
        self.block2 = InvertedResidual(6, 8, 2, 2, nn.Hardswish)
        self.block3 = InvertedResidual(8, 8, 1, 2, nn.Hardswish)
        self.head = nn.Sequential(nn.Linear(8, 12), nn.Hardswish(), nn.Dropout(p=0.2), nn.Linear(12, classes))

    def forward(self, x):
        x = self.stem(x * 2.0)
        x = self.block1(x)
        x = self.block2(x)
        x = self.block3(x)
        x = x.mean([2, 3])
        return self.head(x)


def seqify_inputs():
    return (torch.randn(4, 3, 12, 12),)
