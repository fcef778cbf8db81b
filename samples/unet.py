"""A small U-Net for binary segmentation."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class UNet(nn.Module):
    """Two steps down, two steps up, with a skip at each level.

    Args:
        in_channels: channels of the image (N, in_channels, H, W), H and W multiples of 4.
        out_channels: channels of the mask (N, out_channels, H, W).
        width: channels at full resolution; they double with every step down.
    """

    def __init__(self, in_channels: int = 1, out_channels: int = 1, width: int = 16) -> None:
        super().__init__()
        # down
        self.down1a = nn.Conv2d(in_channels, width, 3, padding=1)
        self.down1b = nn.Conv2d(width, width, 3, padding=1)
        self.down2a = nn.Conv2d(width, width * 2, 3, padding=1)
        self.down2b = nn.Conv2d(width * 2, width * 2, 3, padding=1)
        self.pool = nn.MaxPool2d(2)

        # bottleneck
        self.mid1 = nn.Conv2d(width * 2, width * 4, 3, padding=1)
        self.mid2 = nn.Conv2d(width * 4, width * 4, 3, padding=1)

        # up
        self.up2 = nn.ConvTranspose2d(width * 4, width * 2, 2, stride=2)
        self.up2a = nn.Conv2d(width * 4, width * 2, 3, padding=1)  # twice the channels: skip + up
        self.up2b = nn.Conv2d(width * 2, width * 2, 3, padding=1)
        self.up1 = nn.ConvTranspose2d(width * 2, width, 2, stride=2)
        self.up1a = nn.Conv2d(width * 2, width, 3, padding=1)
        self.up1b = nn.Conv2d(width, width, 3, padding=1)

        self.head = nn.Conv2d(width, out_channels, kernel_size=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skip1 = F.relu(self.down1a(x))
        skip1 = F.relu(self.down1b(skip1))

        skip2 = F.relu(self.down2a(self.pool(skip1)))
        skip2 = F.relu(self.down2b(skip2))

        x = F.relu(self.mid1(self.pool(skip2)))
        x = F.relu(self.mid2(x))

        x = torch.cat([skip2, self.up2(x)], dim=1)
        x = F.relu(self.up2a(x))
        x = F.relu(self.up2b(x))

        x = torch.cat([skip1, self.up1(x)], dim=1)
        x = F.relu(self.up1a(x))
        x = F.relu(self.up1b(x))
        return self.head(x)
