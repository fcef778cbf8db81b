"""The small modules that a result defines for itself, where `torch.nn` has none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

__all__ = ["HELPERS", "Helper"]


@dataclass(frozen=True)
class Helper:
    """
    A module class as text, without seqify in it.

    In the text `nn.` and `torch.` stand for however the file reaches them.
    """

    name: str
    text: str

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The constructor's parameters; `*dims` for one that takes the rest."""
        match = re.search(r"def __init__\(self, ([^)]*)\)", self.text)
        return tuple(part.split(":")[0].strip() for part in match[1].split(",")) if match else ()


def _stored(parameters: str) -> str:
    names = [part.split(":")[0].strip(" *") for part in re.sub(r"\[[^\]]*\]", "", parameters).split(",")]
    return "\n".join(f"        self.{name} = {name}" for name in names)


def _helper(name: str, doc: str, parameters: str, expression: str) -> Helper:
    """A module with these constructor parameters that returns this expression of `input`."""
    init = (
        f"    def __init__(self, {parameters}) -> None:\n        super().__init__()\n{_stored(parameters)}\n\n"
        if parameters
        else ""
    )
    forward = f"    def forward(self, input: torch.Tensor) -> torch.Tensor:\n        return {expression}\n"
    return Helper(name, f'class {name}(nn.Module):\n    """{doc}"""\n\n{init}{forward}')


_ALL = (
    _helper("Abs", "The absolute value.", "", "input.abs()"),
    _helper("Exp", "The exponential.", "", "input.exp()"),
    _helper("Log", "The natural logarithm.", "", "input.log()"),
    _helper("Sqrt", "The square root.", "", "input.sqrt()"),
    _helper("Square", "The square.", "", "input.square()"),
    _helper("Sin", "The sine.", "", "input.sin()"),
    _helper("Cos", "The cosine.", "", "input.cos()"),
    _helper("Negative", "The negative.", "", "-input"),
    _helper("Contiguous", "The same values, contiguous in memory.", "", "input.contiguous()"),
    _helper("Add", "Adds a constant.", "value: float", "input + self.value"),
    _helper("Subtract", "Subtracts a constant.", "value: float", "input - self.value"),
    _helper("SubtractFrom", "Subtracts the input from a constant.", "value: float", "self.value - input"),
    _helper("Multiply", "Multiplies by a constant.", "value: float", "input * self.value"),
    _helper("Divide", "Divides by a constant.", "value: float", "input / self.value"),
    _helper("Power", "Raises to a constant power.", "exponent: float", "input**self.exponent"),
    _helper("Permute", "Reorders the dimensions.", "*dims: int", "input.permute(self.dims)"),
    _helper("Transpose", "Swaps two dimensions.", "dim0: int, dim1: int", "input.transpose(self.dim0, self.dim1)"),
    _helper("Unsqueeze", "Inserts a dimension of size 1.", "dim: int", "input.unsqueeze(self.dim)"),
    _helper("SqueezeAll", "Removes every dimension of size 1.", "", "input.squeeze()"),
    _helper("Squeeze", "Removes a dimension of size 1.", "dim: int", "input.squeeze(self.dim)"),
    _helper("View", "Views the values in another shape.", "*shape: int", "input.view(self.shape)"),
    _helper("Reshape", "Gives the values another shape.", "*shape: int", "input.reshape(self.shape)"),
    Helper(
        "Mean",
        'class Mean(nn.Module):\n    """The mean over some dimensions."""\n\n'
        "    def __init__(self, dim: int | tuple[int, ...], keepdim: bool = False) -> None:\n"
        "        super().__init__()\n        self.dim = dim\n        self.keepdim = keepdim\n\n"
        "    def forward(self, input: torch.Tensor) -> torch.Tensor:\n"
        "        return input.mean(self.dim, self.keepdim)\n",
    ),
    Helper(
        "Sum",
        'class Sum(nn.Module):\n    """The sum over some dimensions."""\n\n'
        "    def __init__(self, dim: int | tuple[int, ...], keepdim: bool = False) -> None:\n"
        "        super().__init__()\n        self.dim = dim\n        self.keepdim = keepdim\n\n"
        "    def forward(self, input: torch.Tensor) -> torch.Tensor:\n"
        "        return input.sum(self.dim, self.keepdim)\n",
    ),
    Helper(
        "Clamp",
        'class Clamp(nn.Module):\n    """Limits every value to a range."""\n\n'
        "    def __init__(self, min: float | None = None, max: float | None = None) -> None:\n"
        "        super().__init__()\n        self.min = min\n        self.max = max\n\n"
        "    def forward(self, input: torch.Tensor) -> torch.Tensor:\n"
        "        return input.clamp(self.min, self.max)\n",
    ),
    Helper(
        "Normalize",
        'class Normalize(nn.Module):\n    """Divides by the p-norm along a dimension."""\n\n'
        "    def __init__(self, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> None:\n"
        "        super().__init__()\n        self.p = p\n        self.dim = dim\n        self.eps = eps\n\n"
        "    def forward(self, input: torch.Tensor) -> torch.Tensor:\n"
        "        return nn.functional.normalize(input, self.p, self.dim, self.eps)\n",
    ),
)

HELPERS = {helper.name: helper for helper in _ALL}
