"""Example inputs: given on the command line, by the project, by the user's file, or found by probing."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqify.diagnostics import Diagnostic
from seqify.errors import CannotAsk

__all__ = ["Inputs", "find_inputs", "from_values", "parse_inputs"]

_BATCH, _SMALL_BATCH = 8, 2
_LARGE = 20_000_000  # parameters, from which on a small batch has to do


@dataclass(frozen=True)
class Inputs:
    """The arguments of forward by name, in order; `origin` is "given", "configured", "file" or "probed"."""

    values: Mapping[str, Any]
    origin: str

    @property
    def batch(self) -> int:
        """The size of the first tensor's first dimension; 0 when no tensor has one."""
        return next((int(value.shape[0]) for value in _tensors_in(self.values) if value.dim()), 0)

    def _changed(self, change: Callable[[Tensor], Tensor]) -> Inputs:
        return dataclasses.replace(self, values={name: _each(value, change) for name, value in self.values.items()})

    def with_batch(self, batch: int) -> Inputs:
        """The same inputs at another batch size: every tensor that starts with the batch dimension changes."""
        old = self.batch
        return self._changed(lambda value: _resize(value, old, batch))

    def with_extents(self) -> Iterator[Inputs]:
        """
        The same inputs at other sizes than the batch's, longer by half or, when they are long, shorter by a quarter:
        first every dimension behind `(N, C)` of floating-point tensors and behind `(N)` of the others, an image size or
        sequence length; then the second dimension alone, which is a length for some.
        """

        for change in (_other_extent, _other_second):
            found = self._changed(change)
            pairs = zip(_tensors_in(found.values), _tensors_in(self.values), strict=True)
            if any(new.shape != old.shape for new, old in pairs):
                yield found

    def turned(self) -> Inputs:
        """The same shapes with other values: floating-point tensors negated, others in reverse order."""
        return self._changed(
            lambda value: -value if value.is_floating_point() else value.flip(list(range(value.dim())))
        )

    def in_dtype(self, dtype: torch.dtype) -> Inputs:
        """The same inputs with floating-point tensors in another dtype."""
        return self._changed(lambda value: value.to(dtype) if value.is_floating_point() else value)

    def to(self, device: str | torch.device) -> Inputs:
        """The same inputs on a device."""
        return self._changed(lambda value: value.to(device))

    def describe(self) -> tuple[dict[str, Any], ...]:
        """Name, shape, dtype and origin of each tensor."""
        return tuple(
            {
                "name": name,
                "shape": list(value.shape),
                "dtype": str(value.dtype).removeprefix("torch."),
                "origin": self.origin,
            }
            for name, value in self.values.items()
            if isinstance(value, Tensor)
        )


def _each(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A value, tensors in tuples, lists and dicts included, with each tensor changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_each(item, change) for item in value))
    if isinstance(value, tuple | list):
        return type(value)(_each(item, change) for item in value)
    if type(value) is dict:
        return {key: _each(item, change) for key, item in value.items()}
    return value


def _tensors_in(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors_in(item)


def _resize(value: Tensor, old: int, new: int) -> Tensor:
    if not value.dim() or value.shape[0] != old:
        return value
    repeats = -(-new // old)
    return value.repeat(repeats, *[1] * (value.dim() - 1))[:new].clone()


def _other_size(size: int) -> int:
    return size if size == 1 else size * 3 // 4 // 32 * 32 if size >= 128 else size + (size + 1) // 2


def _other_second(value: Tensor) -> Tensor:
    if value.dim() < 2 or not value.is_floating_point():
        return value
    return _extend(value, [_other_size(size) if dim == 1 else size for dim, size in enumerate(value.shape)])


def _other_extent(value: Tensor) -> Tensor:
    if value.dim() < 2 or (value.is_floating_point() and value.dim() == 2):
        return value
    first = 2 if value.is_floating_point() else 1
    return _extend(value, [size if dim < first else _other_size(size) for dim, size in enumerate(value.shape)])


def _extend(value: Tensor, shape: Sequence[int]) -> Tensor:
    """A tensor's numbers, repeated or cut to a shape."""
    repeats = [-(-new // old) if old else 1 for new, old in zip(shape, value.shape, strict=True)]
    return value.repeat(repeats)[tuple(slice(size) for size in shape)].clone()


def _parameters(module: nn.Module) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(type(module).forward).parameters.values())[1:]
    except (AttributeError, TypeError, ValueError):  # a scripted module has none there
        return list(inspect.signature(module.forward).parameters.values())


def _make(shape: tuple[int, ...], dtype: torch.dtype, bound: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    if dtype.is_floating_point or dtype.is_complex:
        return torch.randn(shape, generator=generator, dtype=dtype)
    return torch.randint(0, bound, shape, generator=generator).to(dtype)


def parse_inputs(module: nn.Module, texts: Sequence[str], origin: str = "given") -> Inputs:
    """
    Read inputs such as `8,1,28,28`, `int64:4,16` or `mask=bool:4,16`.

    Values are standard normal for floating-point dtypes, else 0 and 1.

    Raises:
        CannotAsk: SQ005, when a text has another form or names no argument of forward.
    """
    positional = [parameter.name for parameter in _parameters(module) if parameter.kind is not parameter.KEYWORD_ONLY]
    values: dict[str, Tensor] = {}
    for text in texts:
        match = re.fullmatch(
            r"(?:(?P<name>\w+)=)?(?:(?P<dtype>[a-z]+\d*):)?(?P<shape>\d+(?:,\d+)*)", text.replace(" ", "")
        )
        dtype = getattr(torch, (match["dtype"] or "float32") if match else "", None)
        if match is None or not isinstance(dtype, torch.dtype):
            raise CannotAsk(
                Diagnostic(
                    "SQ005",
                    f"`{text}` is not an input",
                    help="write `[NAME=][DTYPE:]SHAPE`, as `8,3,32,32` or `ids=int64:4,16`",
                )
            )
        free = [name for name in positional if name not in values]
        if 0 in (int(size) for size in match["shape"].split(",")):
            raise CannotAsk(Diagnostic("SQ005", f"`{text}` holds no number", help="every size is at least 1"))
        name = match["name"] or (free[0] if free else "")
        if name not in {parameter.name for parameter in _parameters(module)} or name in values:
            known = ", ".join(parameter.name for parameter in _parameters(module))
            raise CannotAsk(Diagnostic("SQ005", f"`{text}`: forward has no such argument ({known})"))
        values[name] = _make(tuple(int(size) for size in match["shape"].split(",")), dtype)
    return Inputs(values, origin)


def from_values(module: nn.Module, values: Any, origin: str = "given") -> Inputs:
    """
    Inputs from live values: a tensor, a tuple of positional arguments, or a dict by name.

    Raises:
        CannotAsk: SQ005, when forward does not take so many.
    """
    names = [parameter.name for parameter in _parameters(module)]
    if isinstance(values, Mapping):
        return Inputs(dict(values), origin)
    given = tuple(values) if isinstance(values, tuple | list) else (values,)
    if len(given) > len(names):
        raise CannotAsk(Diagnostic("SQ005", f"forward takes {len(names)} arguments, {len(given)} were given"))
    return Inputs(dict(zip(names, given, strict=False)), origin)


def find_inputs(module: nn.Module, accepts: Callable[[Inputs], bool]) -> Inputs:
    """
    Find an input by probing: guesses from the module's layers, until one is accepted.

    Args:
        module: the module; only its layers' attributes are read.
        accepts: whether forward runs on these inputs.

    Raises:
        CannotAsk: SQ005, when nothing fits or forward needs several arguments.
    """
    required = [
        item for item in _parameters(module) if item.default is item.empty and item.kind is not item.VAR_KEYWORD
    ]
    names = [item.name for item in required]
    if len(required) != 1 or required[0].kind is required[0].VAR_POSITIONAL:
        example = " ".join(f"--input {name}=..." for name in names)
        raise CannotAsk(
            Diagnostic(
                "SQ005", f"forward takes {len(required)} arguments ({', '.join(names)})", help=f"give each: {example}"
            )
        )
    batch = _BATCH if sum(item.numel() for item in module.parameters()) < _LARGE else _SMALL_BATCH
    for value in _guesses(module, batch):
        candidate = Inputs({names[0]: value}, "probed")
        if accepts(candidate):
            return candidate
    raise CannotAsk(
        Diagnostic("SQ005", "no input was given and probing found none", help="give its shape: `--input 8,3,64,64`")
    )


# Sizes in the order in which people use them; a gray image is more often 28 wide.
_SIDES = (32, 28, 64, 224, 128, 16, 96, 227, 256, 299, 48, 100, 160, 8, 4, 1, 2, 7, 512, 572)
_LENGTHS = (32, 128, 16, 100, 1024, 256, 64, 16000, 1)
_LAYERS_READ = 12


def _guesses(module: nn.Module, batch: int) -> Iterator[Tensor]:
    seen = set()
    leaves = [layer for layer in module.modules() if not list(layer.children())]
    for layer in leaves[:_LAYERS_READ]:
        for shape, dtype, bound in _shapes(layer):
            if (shape, dtype) not in seen:
                seen.add((shape, dtype))
                yield _make((batch, *shape), dtype, bound)


def _shapes(layer: nn.Module) -> Iterator[tuple[tuple[int, ...], torch.dtype, int]]:
    """Input shapes that a layer takes, without the batch: (C, ...) or (L, C)."""
    float32 = torch.float32
    if isinstance(layer, nn.modules.conv._ConvNd):
        rank = len(layer.kernel_size)
        sides: tuple[int, ...] = _SIDES if rank > 1 else _LENGTHS
        if layer.in_channels == 1 and rank == 2:
            sides = (28, *sides)
        if layer.transposed:
            sides = (1, 4, 7, 8, *sides)
        for side in sides:
            if rank < 3 or side <= 64:
                yield (layer.in_channels, *[side] * rank), float32, 2
    elif isinstance(layer, nn.Linear):
        for channels in (1, 3):  # an image, which only a model that flattens it takes
            side = int((layer.in_features / channels) ** 0.5)
            if channels * side * side == layer.in_features and side >= 8:
                yield (channels, side, side), float32, 2
        yield (layer.in_features,), float32, 2
        yield (16, layer.in_features), float32, 2
    elif isinstance(layer, nn.Embedding | nn.EmbeddingBag):
        for length in (16, 32, 64):
            yield (length,), torch.int64, layer.num_embeddings
    elif isinstance(layer, nn.RNNBase):
        yield (16, layer.input_size), float32, 2
    elif isinstance(layer, nn.LayerNorm):
        yield (*layer.normalized_shape,), float32, 2
        yield (16, *layer.normalized_shape), float32, 2
    elif isinstance(layer, nn.modules.batchnorm._NormBase):
        yield (layer.num_features,), float32, 2
        for side in (32, 28, 64):
            yield (layer.num_features, side, side), float32, 2
        yield (layer.num_features, 32), float32, 2
    elif isinstance(layer, nn.GroupNorm):
        yield (layer.num_channels, 32, 32), float32, 2
