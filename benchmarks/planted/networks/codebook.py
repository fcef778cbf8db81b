"""Buffers that forward updates in training: a running mean, a count, a codebook by moving average."""

import torch
import torch.nn.functional as F
from torch import nn


class Codebook(nn.Module):
    def __init__(self, size=8, dim=5, codes=6, decay=0.9):
        super().__init__()
        self.decay = decay
        self.encoder = nn.Linear(size, dim)
        self.decoder = nn.Linear(dim, size)
        self.register_buffer("codes", torch.randn(codes, dim))
        self.register_buffer("running", torch.zeros(dim))
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))

    def quantize(self, z):
        distance = (z.unsqueeze(1) - self.codes).pow(2).sum(dim=-1)
        index = distance.argmin(dim=1)
        chosen = self.codes[index]
        if self.training:
            with torch.no_grad():
                hits = F.one_hot(index, self.codes.size(0)).to(z.dtype)
                total = hits.t() @ z
                count = hits.sum(dim=0).unsqueeze(1)
                target = torch.where(count > 0, total / count.clamp(min=1.0), self.codes)
                self.codes.mul_(self.decay).add_(target, alpha=1 - self.decay)
        return z + (chosen - z).detach(), index

    def forward(self, x):
        z = torch.tanh(self.encoder(x))
        if self.training:
            self.running.mul_(0.95).add_(z.detach().mean(dim=0), alpha=0.05)
            self.calls += 1
        z = z - self.running
        quantized, index = self.quantize(z)
        out = self.decoder(quantized)
        commitment = F.mse_loss(z, quantized.detach(), reduction="mean")
        return out, commitment, index


def seqify_inputs():
    return (torch.randn(4, 8),)
