# ---- input (Net(3), 2,3,8,8)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    """A small network.

    Args:
        channels: of the image.
    """

    def __init__(self, channels: int, *, width: int = 4, num_classes: int = 10) -> None:
        """Build it."""
        super().__init__()
        assert width > 0
        inner = width * 2  # twice
        self.num_classes = num_classes
        self.conv1 = nn.Conv2d(channels, width, 3)
        self.conv2 = nn.Conv2d(width, inner, 3)
        self.fc = nn.Linear(inner, num_classes)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.adaptive_avg_pool2d(x, 1)
        return self.fc(torch.flatten(x, 1))


if __name__ == "__main__":
    print(Net(3)(torch.zeros(1, 3, 8, 8)).shape)
# ---- refused (layout: function)
# 18:9 SQ403 attribute-used-elsewhere: the constructor keeps more than layers
# ---- output (layout: grouped)
import torch
import torch.nn as nn


class Net(nn.Module):
    """A small network.

    Args:
        channels: of the image.
    """

    def __init__(self, channels: int, *, width: int = 4, num_classes: int = 10) -> None:
        """Build it."""
        super().__init__()
        assert width > 0
        inner = width * 2  # twice
        self.num_classes = num_classes
        self.features = nn.Sequential(
            nn.Conv2d(channels, width, 3),
            nn.ReLU(),
            nn.Conv2d(width, inner, 3),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(inner, num_classes),
        )
        nn.init.zeros_(self.classifier[1].bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.features(x)
        return self.classifier(x)


if __name__ == "__main__":
    print(Net(3)(torch.zeros(1, 3, 8, 8)).shape)
