# ---- input (Block, 2,4,8,8)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    expansion = 1

    def __init__(self, channels=4):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x):
        # pre-activation
        out = self.conv1(F.relu(self.bn1(x)))
        out = self.conv2(F.relu(self.bn2(out)))
        return out + x
# ---- output (layout: auto)
import torch
import torch.nn as nn


class Block(nn.Module):
    expansion = 1

    def __init__(self, channels=4):
        super().__init__()
        self.body = nn.Sequential(
            # pre-activation
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        )

    def forward(self, x):
        out = self.body(x)
        return out + x
# ---- refused (layout: flat)
# 20:16 SQ202 many-inputs: `out + x` takes 2 tensors
