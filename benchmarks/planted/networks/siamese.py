"""One encoder for two inputs, and how much they differ."""

import torch
import torch.nn.functional as F
from torch import nn


class Siamese(nn.Module):
    def __init__(self, size=10, hidden=12, dim=6):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(size, hidden),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(hidden, hidden),
            nn.Tanh(),
            nn.Dropout(0.2),
        )
        self.embed = nn.Linear(hidden, dim)
        self.out = nn.Linear(2 * dim + 1, 1)

    def forward(self, left, right):
        a = self.encoder(left)
        b = self.encoder(right)
        a = self.embed(a)
        b = self.embed(b)
        a = a / (a.norm(dim=1, keepdim=True) + 1e-2)
        b = b / (b.norm(dim=1, keepdim=True) + 1e-2)
        distance = torch.sqrt(((a - b) ** 2).sum(dim=1, keepdim=True) + 1e-3)
        similarity = F.cosine_similarity(a, b, dim=1)
        x = torch.cat([torch.abs(a - b), a * b, distance], dim=1)
        return {"score": self.out(x).squeeze(1), "similarity": similarity * 2.0}


def seqify_inputs():
    return {"left": torch.randn(4, 10), "right": torch.randn(4, 10)}
