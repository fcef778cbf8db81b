"""Every way to drop: modules, functions with and without a flag, channels, alpha dropout."""

import torch
import torch.nn.functional as F
from torch import nn


class Dropouts(nn.Module):
    def __init__(self, channels=8, classes=5):
        super().__init__()
        self.conv1 = nn.Conv1d(4, channels, 3, padding=1)
        self.conv2 = nn.Conv1d(channels, channels, 3, padding=1)
        self.drop1 = nn.Dropout1d(0.2)
        self.drop2 = nn.Dropout(0.4)
        self.alpha = nn.AlphaDropout(0.1)
        self.fc1 = nn.Linear(channels, 12)
        self.fc2 = nn.Linear(12, 12)
        self.fc3 = nn.Linear(12, classes)

    def forward(self, x):
        x = self.drop1(self.conv1(x))
        x = F.gelu(x)
        a = F.dropout(self.conv2(x), 0.3, self.training)
        b = self.drop2(x)
        x = a * 0.5 + b
        x = x.mean(dim=2)
        x = self.fc1(x)
        x = F.dropout(x, p=0.5, training=self.training)
        x = F.silu(x)
        x = F.selu(self.fc2(x))
        x = self.alpha(x)
        if self.training:
            x = x + 0.1 * torch.randn_like(x)
        x = F.dropout(x, 0.2)
        return self.fc3(x)


def seqify_inputs():
    return (torch.randn(4, 4, 9),)
