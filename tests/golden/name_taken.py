# ---- input (Net, 2,3,8,8)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = 16  # a number, not a layer
        self.conv1 = nn.Conv2d(3, 4, 3)
        self.conv2 = nn.Conv2d(4, 4, 3)
        self.fc1 = nn.Linear(4, 8)
        self.append = nn.Linear(8, 2)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = x.mean((2, 3))
        x = F.relu(self.fc1(x))
        return self.append(x)
# ---- refused (layout: flat)
# 6:1 SQ406 name-taken: `append` is a method of `nn.Sequential`
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
    def __init__(self):
        super().__init__()
        self.features = 16  # a number, not a layer
        self.features2 = nn.Sequential(
            nn.Conv2d(3, 4, 3),
            nn.ReLU(),
            nn.Conv2d(4, 4, 3),
            nn.ReLU(),
            Mean((2, 3)),
            nn.Linear(4, 8),
            nn.ReLU(),
            nn.Linear(8, 2),
        )

    def forward(self, x):
        return self.features2(x)
