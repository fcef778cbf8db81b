"""A temporal convolutional network: dilated causal convolutions with weight norm."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm


class TemporalBlock(nn.Module):
    def __init__(self, channels, width, kernel_size=3, dilation=1, dropout=0.2):
        super().__init__()
        self.pad = (kernel_size - 1) * dilation
        self.conv1 = weight_norm(nn.Conv1d(channels, width, kernel_size, dilation=dilation))
        self.conv2 = weight_norm(nn.Conv1d(width, width, kernel_size, dilation=dilation))
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.downsample = nn.Conv1d(channels, width, 1) if channels != width else None

    def forward(self, x):
        out = self.conv1(F.pad(x, (self.pad, 0)))
        out = self.dropout(self.relu(out))
        out = self.conv2(F.pad(out, (self.pad, 0)))
        out = self.dropout(self.relu(out))
        res = x if self.downsample is None else self.downsample(x)
        return self.relu(out + res)


class TCN(nn.Module):
    def __init__(self, features=4, classes=5):
        super().__init__()
        self.block1 = TemporalBlock(features, 8, dilation=1)
        self.block2 = TemporalBlock(8, 8, dilation=2)
        self.block3 = TemporalBlock(8, 8, dilation=4)
        self.linear = nn.Linear(8, classes)

    def forward(self, x):
        x = x.transpose(1, 2)
        x = self.block1(x)
        x = self.block2(x)
        x = self.block3(x)
        return self.linear(x[:, :, -1])


def seqify_inputs():
    return (torch.randn(4, 10, 4),)
