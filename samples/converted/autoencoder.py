"""A fully connected autoencoder for MNIST."""
from collections import OrderedDict

import torch
from torch import nn


class Autoencoder(nn.Sequential):
    """Squeezes an image (N, 784) through ``code_dim`` numbers and draws it again."""

    def __init__(self, in_dim: int = 28 * 28, code_dim: int = 16):
        super().__init__()
        # encoder
        self.enc1 = nn.Linear(in_dim, 128)
        self.relu1 = nn.ReLU()
        self.enc2 = nn.Linear(128, 64)
        self.relu2 = nn.ReLU()
        self.enc3 = nn.Linear(64, code_dim)  # the code

        # decoder
        self.dec1 = nn.Linear(code_dim, 64)
        self.relu3 = nn.ReLU()
        self.dec2 = nn.Linear(64, 128)
        self.relu4 = nn.ReLU()
        # pixels in [0, 1]
        self.dec3 = nn.Linear(128, in_dim)
        self.sigmoid = nn.Sigmoid()

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.enc1(x))
        x = torch.relu(self.enc2(x))
        return self.enc3(x)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        z = torch.relu(self.dec1(z))
        z = torch.relu(self.dec2(z))
        return torch.sigmoid(self.dec3(z))

    @torch.no_grad()
    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Features for a linear probe: the hidden layers, without the bottleneck."""
        hidden = torch.relu(self.enc1(x))
        return torch.relu(self.enc2(hidden))

    def __getitem__(self, idx):
        if isinstance(idx, slice):  # nn.Sequential would pass the layers to the constructor of this class
            return nn.Sequential(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)
