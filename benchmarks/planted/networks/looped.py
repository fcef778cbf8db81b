"""Layers in lists and dicts, called in loops: forwards, in reverse, with an index."""

import torch
import torch.nn.functional as F
from torch import nn


class Looped(nn.Module):
    def __init__(self, size=10, depth=3):
        super().__init__()
        self.encoders = nn.ModuleList()
        for _ in range(depth):
            self.encoders.append(nn.Linear(size, size))
        self.norms = nn.ModuleList([nn.LayerNorm(size) for _ in range(depth)])
        self.decoders = nn.ModuleList(nn.Linear(size, size) for _ in range(depth))
        self.heads = nn.ModuleDict({"mean": nn.Linear(size, 3), "scale": nn.Linear(size, 3)})
        self.temperature = 0.7

    def forward(self, x):
        skips = []
        for index, encoder in enumerate(self.encoders):
            x = encoder(x)
            x = self.norms[index](x)
            if index < 2:
                x = F.relu(x)
            skips.append(x)
        for decoder, skip in zip(self.decoders, reversed(skips), strict=True):
            x = torch.tanh(decoder(x)) + skip
        mean = self.heads["mean"](x)
        scale = F.softplus(self.heads["scale"](x)) + 0.01
        return mean / scale * self.temperature


def seqify_inputs():
    return (torch.randn(4, 10),)
