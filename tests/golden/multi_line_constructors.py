# ---- input (Net, 2,3,8,8)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.conv1 = nn.Conv2d(
            in_channels=3,
            out_channels=width,  # narrow
            kernel_size=3,
            # same size
            padding=1,
        )
        self.conv2 = nn.Conv2d(width, width * 2,
                               kernel_size=3,
                               bias=False)  # no bias
        self.fc = nn.Linear(width * 2, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = x.mean((2, 3))
        return self.fc(x)
# ---- output (layout: flat)
from collections import OrderedDict

import torch
import torch.nn as nn


class Mean(nn.Module):
    """The mean over some dimensions."""

    def __init__(self, dim: int | tuple[int, ...], keepdim: bool = False) -> None:
        super().__init__()
        self.dim = dim
        self.keepdim = keepdim

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return input.mean(self.dim, self.keepdim)


class Net(nn.Sequential):
    def __init__(self, width=4):
        super().__init__()
        self.conv1 = nn.Conv2d(
            in_channels=3,
            out_channels=width,  # narrow
            kernel_size=3,
            # same size
            padding=1,
        )
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width * 2,
                               kernel_size=3,
                               bias=False)  # no bias
        self.relu2 = nn.ReLU()
        self.mean = Mean((2, 3))
        self.fc = nn.Linear(width * 2, 10)

    def __getitem__(self, idx):
        if isinstance(idx, slice):  # nn.Sequential would pass the layers to the constructor of this class
            return nn.Sequential(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)
# ---- output (layout: grouped)
import torch
import torch.nn as nn


class Mean(nn.Module):
    """The mean over some dimensions."""

    def __init__(self, dim: int | tuple[int, ...], keepdim: bool = False) -> None:
        super().__init__()
        self.dim = dim
        self.keepdim = keepdim

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return input.mean(self.dim, self.keepdim)


class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(
                in_channels=3,
                out_channels=width,  # narrow
                kernel_size=3,
                # same size
                padding=1,
            ),
            nn.ReLU(),
            nn.Conv2d(width, width * 2,
                                   kernel_size=3,
                                   bias=False),  # no bias
            nn.ReLU(),
            Mean((2, 3)),
            nn.Linear(width * 2, 10),
        )

    def forward(self, x):
        return self.features(x)
# ---- output (layout: function)
import torch
import torch.nn as nn


class Mean(nn.Module):
    """The mean over some dimensions."""

    def __init__(self, dim: int | tuple[int, ...], keepdim: bool = False) -> None:
        super().__init__()
        self.dim = dim
        self.keepdim = keepdim

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return input.mean(self.dim, self.keepdim)


def net(width=4) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(
            in_channels=3,
            out_channels=width,  # narrow
            kernel_size=3,
            # same size
            padding=1,
        ),
        nn.ReLU(),
        nn.Conv2d(width, width * 2,
                               kernel_size=3,
                               bias=False),  # no bias
        nn.ReLU(),
        Mean((2, 3)),
        nn.Linear(width * 2, 10),
    )
