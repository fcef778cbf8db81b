"""A radiance field: sines and cosines of the position, a skip in the middle, two heads."""

import torch
import torch.nn.functional as F
from torch import nn


class Radiance(nn.Module):
    def __init__(self, levels=3, hidden=16):
        super().__init__()
        self.register_buffer("frequencies", 2.0 ** torch.arange(levels), persistent=False)
        size = 3 + 3 * 2 * levels
        self.layer1 = nn.Linear(size, hidden)
        self.layer2 = nn.Linear(hidden, hidden)
        self.layer3 = nn.Linear(hidden + size, hidden)
        self.layer4 = nn.Linear(hidden, hidden)
        self.sigma = nn.Linear(hidden, 1)
        self.feature = nn.Linear(hidden, hidden)
        self.view = nn.Linear(hidden + 3, 8)
        self.rgb = nn.Linear(8, 3)

    def encode(self, x):
        angles = x.unsqueeze(-1) * self.frequencies
        return torch.cat([x, torch.sin(angles).flatten(1), torch.cos(angles).flatten(1)], dim=-1)

    def forward(self, position, direction):
        encoded = self.encode(position)
        h = F.relu(self.layer1(encoded))
        h = F.relu(self.layer2(h))
        h = torch.cat([encoded, h], dim=-1)
        h = F.relu(self.layer3(h))
        h = F.relu(self.layer4(h))
        sigma = F.softplus(self.sigma(h) - 1.0)
        direction = direction / direction.norm(dim=-1, keepdim=True).clamp(min=1e-3)
        h = F.relu(self.view(torch.cat([self.feature(h), direction], dim=-1)))
        return {"rgb": torch.sigmoid(self.rgb(h)) * 1.002 - 0.001, "sigma": sigma}


def seqify_inputs():
    return {"position": torch.rand(4, 3), "direction": torch.randn(4, 3)}
