"""Sound: strided convolutions over a waveform, gated units, attention over time."""

import torch
import torch.nn.functional as F
from torch import nn


class GatedBlock(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.filter = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.gate = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(channels, channels, 1)
        self.skip = nn.Conv1d(channels, channels, 1)

    def forward(self, x):
        h = torch.tanh(self.filter(x)) * torch.sigmoid(self.gate(x))
        return x + self.mix(h), self.skip(h)


class Audio(nn.Module):
    def __init__(self, channels=6, classes=4):
        super().__init__()
        self.front = nn.Conv1d(1, 2 * channels, 8, stride=4, padding=2)
        self.norm = nn.InstanceNorm1d(channels)
        self.block1 = GatedBlock(channels, 1)
        self.block2 = GatedBlock(channels, 2)
        self.attention = nn.Conv1d(channels, 1, 1)
        self.dropout = nn.Dropout(0.1)
        self.fc = nn.Linear(2 * channels, classes)

    def forward(self, wave):
        x = torch.cat([wave[:, :1], wave[:, 1:] - 0.97 * wave[:, :-1]], dim=1)
        x = F.glu(self.front(x.unsqueeze(1)), dim=1)
        x = self.norm(x)
        x, skip1 = self.block1(x)
        x, skip2 = self.block2(x)
        x = F.relu(skip1 + skip2 + x)
        weights = torch.softmax(self.attention(x), dim=2)
        mean = (x * weights).sum(dim=2)
        spread = (x * x * weights).sum(dim=2) - mean * mean
        x = torch.cat([mean, torch.sqrt(spread.clamp(min=1e-4))], dim=1)
        return self.fc(self.dropout(x))


def seqify_inputs():
    return (torch.randn(4, 48),)
