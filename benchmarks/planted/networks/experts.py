"""A mixture of experts with a softmax gate, root-mean-square norm and gated units."""

import torch
import torch.nn.functional as F
from torch import nn


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-3):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        variance = x.pow(2).mean(-1, keepdim=True)
        return x / torch.sqrt(variance + self.eps) * self.weight


class Expert(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.w1 = nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)
        self.w3 = nn.Linear(dim, hidden, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class Experts(nn.Module):
    def __init__(self, dim=8, hidden=12, count=3, classes=4):
        super().__init__()
        self.stem = nn.Linear(6, dim)
        self.norm = RMSNorm(dim)
        self.gate = nn.Linear(dim, count, bias=False)
        self.experts = nn.ModuleList([Expert(dim, hidden) for _ in range(count)])
        self.shared = Expert(dim, hidden)
        self.final_norm = RMSNorm(dim)
        self.head = nn.Linear(dim, classes)

    def forward(self, x):
        x = self.stem(x)
        h = self.norm(x)
        weights = torch.softmax(self.gate(h), dim=-1)
        mixed = torch.zeros_like(h)
        for index, expert in enumerate(self.experts):
            mixed = mixed + weights[:, index : index + 1] * expert(h)
        x = x + mixed + self.shared(h)
        return self.head(self.final_norm(x))


def seqify_inputs():
    return (torch.randn(4, 6),)
