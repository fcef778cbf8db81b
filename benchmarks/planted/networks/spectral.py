"""A Fourier layer: complex weights, single precision inside and double where it is summed."""

import torch
import torch.nn.functional as F
from torch import nn


class SpectralConv1d(nn.Module):
    def __init__(self, channels, modes):
        super().__init__()
        self.modes = modes
        scale = 1 / (channels * channels)
        self.weights = nn.Parameter(scale * torch.randn(channels, channels, modes, dtype=torch.cfloat))

    def forward(self, x):
        spectrum = torch.fft.rfft(x)
        mixed = torch.einsum("bix,iox->box", spectrum[:, :, : self.modes], self.weights)
        out = torch.zeros_like(spectrum)
        out[:, :, : self.modes] = mixed
        return torch.fft.irfft(out, n=x.size(-1))


class FourierNet(nn.Module):
    def __init__(self, channels=6, modes=4):
        super().__init__()
        self.lift = nn.Linear(2, channels)
        self.spectral1 = SpectralConv1d(channels, modes)
        self.local1 = nn.Conv1d(channels, channels, 1)
        self.spectral2 = SpectralConv1d(channels, modes)
        self.local2 = nn.Conv1d(channels, channels, 1)
        self.project = nn.Linear(channels, 1)

    def forward(self, field, grid):
        x = self.lift(torch.stack([field, grid], dim=-1)).transpose(1, 2)
        x = F.gelu(self.spectral1(x) + self.local1(x))
        x = self.spectral2(x) + self.local2(x)
        x = self.project(x.transpose(1, 2)).squeeze(-1)
        energy = x.double().pow(2).mean(dim=1, keepdim=True).sqrt()
        total = (x.double() / 3.0).cumsum(dim=1).to(x.dtype)
        return (x / (energy + 1e-3)).to(x.dtype) + 0.1 * total


def seqify_inputs():
    return {"field": torch.randn(4, 12), "grid": torch.rand(4, 12)}
