"""What every collection is made of: an entry, and inputs."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

IMAGE = 64  # height and width, where a model takes it; five halvings leave 2 by 2
VOCABULARY = 100  # token ids

Inputs = Callable[[int], dict[str, Any]]


@dataclass(frozen=True)
class Entry:
    """One model: how to build it, and its inputs.

    Attributes:
        build: the model with random weights; its mode, train or eval, is not specified.
        inputs: the keyword arguments of forward at a batch size, on the CPU and the same at each call.
        meta: the model is too large to allocate and `build` leaves it on the meta device; the inputs have to follow.
    """

    collection: str
    name: str
    build: Callable[[], nn.Module]
    inputs: Inputs
    meta: bool = False


@functools.cache  # the definitions last as long as the object, and a second definition would be an error
def define_torchvision_operators() -> torch.library.Library | None:
    """The two operators that torchvision's Python code expects, where its compiled half does not fit this torch.

    None where torchvision is absent or the operators are there already. To be called before the first import of
    torchvision, and so of timm, segmentation_models_pytorch and transformers, which import it.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None or hasattr(torch.ops.torchvision, "nms"):
        return None
    try:
        for extension in Path(spec.origin).parent.glob("_C*.so"):
            torch.ops.load_library(extension)
            return None
    except OSError:
        pass
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def floats(shapes: dict[str, tuple[int, ...]]) -> Inputs:
    """Inputs of normal floats, by name and shape without the batch."""

    def inputs(batch: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(0)
        return {name: torch.randn(batch, *shape, generator=generator) for name, shape in shapes.items()}

    return inputs


def tokens(*names: str, length: int = 16) -> Inputs:
    """Inputs of token ids, by name; the ids with a meaning of their own (padding, start, end) do not occur."""

    def inputs(batch: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(0)
        return {name: torch.randint(3, VOCABULARY, (batch, length), generator=generator) for name in names}

    return inputs


def both(first: Inputs, second: Inputs) -> Inputs:
    return lambda batch: first(batch) | second(batch)


def image(size: int, name: str = "x") -> Inputs:
    return floats({name: (3, size, size)})
