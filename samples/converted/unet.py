"""A small U-Net for binary segmentation."""
import torch
import torch.nn as nn


class UNet(nn.Module):
    """Two steps down, two steps up, with a skip at each level.

    Args:
        in_channels: channels of the image (N, in_channels, H, W), H and W multiples of 4.
        out_channels: channels of the mask (N, out_channels, H, W).
        width: channels at full resolution; they double with every step down.
    """

    def __init__(self, in_channels: int = 1, out_channels: int = 1, width: int = 16) -> None:
        super().__init__()
        self.down1 = nn.Sequential(
            # down
            nn.Conv2d(in_channels, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
        )
        self.down2 = nn.Sequential(
            nn.MaxPool2d(2),
            nn.Conv2d(width, width * 2, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width * 2, width * 2, 3, padding=1),
            nn.ReLU(),
        )

        self.mid = nn.Sequential(
            nn.MaxPool2d(2),
            # bottleneck
            nn.Conv2d(width * 2, width * 4, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width * 4, width * 4, 3, padding=1),
            nn.ReLU(),
            # up
            nn.ConvTranspose2d(width * 4, width * 2, 2, stride=2),
        )
        self.up = nn.Sequential(
            nn.Conv2d(width * 4, width * 2, 3, padding=1),  # twice the channels: skip + up
            nn.ReLU(),
            nn.Conv2d(width * 2, width * 2, 3, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width * 2, width, 2, stride=2),
        )

        self.up1_layers = nn.Sequential(
            nn.Conv2d(width * 2, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, out_channels, kernel_size=1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skip1 = self.down1(x)

        skip2 = self.down2(skip1)

        x = torch.cat([skip2, self.mid(skip2)], dim=1)

        x = torch.cat([skip1, self.up(x)], dim=1)
        return self.up1_layers(x)
