# ---- input (Net, 2,8,6)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(6)
        self.proj = nn.Linear(8, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = self.norm(x) * 0.5
        x = x.permute(0, 2, 1)
        x = F.gelu(self.proj(x))
        x = x.mean(1)
        return F.normalize(self.head(x), dim=-1)
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


class Multiply(nn.Module):
    """Multiplies by a constant."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return input * self.value


class Normalize(nn.Module):
    """Divides by the p-norm along a dimension."""

    def __init__(self, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> None:
        super().__init__()
        self.p = p
        self.dim = dim
        self.eps = eps

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(input, self.p, self.dim, self.eps)


class Permute(nn.Module):
    """Reorders the dimensions."""

    def __init__(self, *dims: int) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return input.permute(self.dims)


class Net(nn.Sequential):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(6)
        self.multiply = Multiply(0.5)
        self.permute = Permute(0, 2, 1)
        self.proj = nn.Linear(8, 4)
        self.gelu = nn.GELU()
        self.mean = Mean(1)
        self.head = nn.Linear(4, 3)
        self.normalize = Normalize(dim=-1)

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


class Multiply(nn.Module):
    """Multiplies by a constant."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return input * self.value


class Normalize(nn.Module):
    """Divides by the p-norm along a dimension."""

    def __init__(self, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> None:
        super().__init__()
        self.p = p
        self.dim = dim
        self.eps = eps

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(input, self.p, self.dim, self.eps)


class Permute(nn.Module):
    """Reorders the dimensions."""

    def __init__(self, *dims: int) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return input.permute(self.dims)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(6),
            Multiply(0.5),
            Permute(0, 2, 1),
            nn.Linear(8, 4),
            nn.GELU(),
            Mean(1),
            nn.Linear(4, 3),
            Normalize(dim=-1),
        )

    def forward(self, x):
        return self.layers(x)
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


class Multiply(nn.Module):
    """Multiplies by a constant."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return input * self.value


class Normalize(nn.Module):
    """Divides by the p-norm along a dimension."""

    def __init__(self, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> None:
        super().__init__()
        self.p = p
        self.dim = dim
        self.eps = eps

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(input, self.p, self.dim, self.eps)


class Permute(nn.Module):
    """Reorders the dimensions."""

    def __init__(self, *dims: int) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return input.permute(self.dims)


def net() -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(6),
        Multiply(0.5),
        Permute(0, 2, 1),
        nn.Linear(8, 4),
        nn.GELU(),
        Mean(1),
        nn.Linear(4, 3),
        Normalize(dim=-1),
    )
