"""A discriminator with spectral norm and a statistic over the batch."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = spectral_norm(nn.Conv2d(3, 6, 4, stride=2, padding=1))
        self.conv2 = spectral_norm(nn.Conv2d(6, 8, 4, stride=2, padding=1))
        self.conv3 = nn.Conv2d(9, 8, 3, padding=1)
        self.leak = nn.LeakyReLU(0.2, inplace=True)
        self.fc1 = spectral_norm(nn.Linear(8, 8))
        self.fc2 = nn.Linear(8, 1)

    def minibatch_std(self, x):
        std = torch.sqrt(x.var(0, unbiased=False) + 1e-3)
        return std.mean().expand(x.shape[0], 1, x.shape[2], x.shape[3])

    def forward(self, x):
        x = self.leak(self.conv1(x))
        x = self.leak(self.conv2(x))
        x = torch.cat([x, self.minibatch_std(x)], dim=1)
        x = F.leaky_relu(self.conv3(x), 0.2)
        x = x.sum(dim=[2, 3])
        x = F.leaky_relu(self.fc1(x), 0.2)
        return self.fc2(x).squeeze(1)


def seqify_inputs():
    return (torch.randn(4, 3, 12, 12),)
