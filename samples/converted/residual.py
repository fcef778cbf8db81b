"""The basic block of a ResNet."""
import torch
import torch.nn as nn


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a skip connection; the shape (N, C, H, W) stays."""

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        identity = x

        out = self.body(x)

        out += identity
        return self.relu(out)
