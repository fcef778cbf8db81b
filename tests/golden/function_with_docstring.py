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
        super().__init__()
        inner = width * 2  # twice
        self.conv1 = nn.Conv2d(channels, width, 3)
        self.conv2 = nn.Conv2d(width, inner, 3)
        self.fc = nn.Linear(inner, num_classes)
        nn.init.zeros_(self.fc.bias)  # start at zero

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Classify images (N, channels, H, W)."""
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.adaptive_avg_pool2d(x, 1)
        return self.fc(torch.flatten(x, 1))


if __name__ == "__main__":
    print(Net(3)(torch.zeros(1, 3, 8, 8)).shape)
# ---- output (layout: function)
import torch
import torch.nn as nn


def net(channels: int, *, width: int = 4, num_classes: int = 10) -> nn.Sequential:
    """A small network.

    Args:
        channels: of the image.
    """
    # Classify images (N, channels, H, W).
    inner = width * 2  # twice
    model = nn.Sequential(
        nn.Conv2d(channels, width, 3),
        nn.ReLU(),
        nn.Conv2d(width, inner, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(inner, num_classes),
    )
    nn.init.zeros_(model[6].bias)  # start at zero
    return model


if __name__ == "__main__":
    print(net(3)(torch.zeros(1, 3, 8, 8)).shape)
# ---- output (layout: flat)
from collections import OrderedDict

import torch
import torch.nn as nn


class Net(nn.Sequential):
    """A small network.

    Args:
        channels: of the image.
    """

    def __init__(self, channels: int, *, width: int = 4, num_classes: int = 10) -> None:
        super().__init__()
        inner = width * 2  # twice
        # Classify images (N, channels, H, W).
        self.conv1 = nn.Conv2d(channels, width, 3)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, inner, 3)
        self.relu2 = nn.ReLU()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(inner, num_classes)
        nn.init.zeros_(self.fc.bias)  # start at zero

    def __getitem__(self, idx):
        if isinstance(idx, slice):  # nn.Sequential would pass the layers to the constructor of this class
            return nn.Sequential(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)


if __name__ == "__main__":
    print(Net(3)(torch.zeros(1, 3, 8, 8)).shape)
