"""MLP-Mixer: layers over the patches, then over the channels."""

import torch
from torch import nn


class Mlp(nn.Module):
    def __init__(self, size, hidden, dropout=0.1):
        super().__init__()
        self.fc1 = nn.Linear(size, hidden)
        self.act = nn.GELU()
        self.drop = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden, size)

    def forward(self, x):
        x = self.fc1(x)
        x = self.act(x)
        x = self.drop(x)
        x = self.fc2(x)
        return x


class MixerBlock(nn.Module):
    def __init__(self, patches, channels):
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=1e-6)
        self.tokens = Mlp(patches, 8)
        self.norm2 = nn.LayerNorm(channels, eps=1e-6)
        self.channels = Mlp(channels, 16)

    def forward(self, x):
        y = self.norm1(x).transpose(1, 2)
        y = self.tokens(y).transpose(1, 2)
        x = x + y
        return x + self.channels(self.norm2(x))


class Mixer(nn.Module):
    def __init__(self, depth=2, classes=6):
        super().__init__()
        self.patches = nn.Conv2d(3, 9, kernel_size=4, stride=4)
        self.blocks = nn.ModuleList(MixerBlock(9, 9) for _ in range(depth))
        self.norm = nn.LayerNorm(9, eps=1e-6)
        self.head = nn.Linear(9, classes)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        x = x.mean(dim=1)
        return self.head(x)


def seqify_inputs():
    return (torch.randn(4, 3, 12, 12),)
