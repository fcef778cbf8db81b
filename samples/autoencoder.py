"""A fully connected autoencoder for MNIST."""
import torch
from torch import nn


class Autoencoder(nn.Module):
    """Squeezes an image (N, 784) through ``code_dim`` numbers and draws it again."""

    def __init__(self, in_dim: int = 28 * 28, code_dim: int = 16):
        super().__init__()
        self.enc1 = nn.Linear(in_dim, 128)
        self.enc2 = nn.Linear(128, 64)
        self.enc3 = nn.Linear(64, code_dim)

        self.dec1 = nn.Linear(code_dim, 64)
        self.dec2 = nn.Linear(64, 128)
        self.dec3 = nn.Linear(128, in_dim)

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

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # encoder
        x = torch.relu(self.enc1(x))
        x = torch.relu(self.enc2(x))
        x = self.enc3(x)  # the code
        # decoder
        x = torch.relu(self.dec1(x))
        x = torch.relu(self.dec2(x))
        return torch.sigmoid(self.dec3(x))  # pixels in [0, 1]
