"""The arguments of constructors: their parameters, and what a live object's attributes say they were."""

# nn.Conv2d(3, 8, kernel_size=3)        parameters    in_channels, out_channels, kernel_size, stride, ...
#                                       attributes    3, 8, (3, 3), (1, 1), ...
#                                       tidy          3, 8, 3, and the rest is the default
#
# layer: a class of torch.nn under its public name, whose attributes have the names of its parameters, but for a table.

from __future__ import annotations

import inspect
from functools import cache
from operator import attrgetter
from typing import Any

from seqify.constructed import Construction, equals_default

__all__ = ["from_attributes", "is_layer", "parameters", "takes_anything", "takes_nothing", "tidy"]

# Where a layer of torch.nn holds an argument that is no attribute of the same name.
_ATTENTION = {"d_model": "self_attn.embed_dim", "nhead": "self_attn.num_heads", "batch_first": "self_attn.batch_first"}
_BLOCK = {"dim_feedforward": "linear1.out_features", "dropout": "dropout.p", "layer_norm_eps": "norm1.eps"}
_ELSEWHERE: dict[str, dict[str, str]] = {
    "MultiheadAttention": {"bias": "in_proj_bias", "add_bias_kv": "bias_k"},
    "TransformerEncoderLayer": {**_ATTENTION, **_BLOCK, "bias": "linear1.bias"},
    "TransformerDecoderLayer": {**_ATTENTION, **_BLOCK, "bias": "linear1.bias"},
    "TransformerEncoder": {"encoder_layer": "layers.0"},
    "TransformerDecoder": {"decoder_layer": "layers.0"},
}
# An argument whose default, None, stands for the value of another one.
_FOLLOWS = {"kdim": "embed_dim", "vdim": "embed_dim", "stride": "kernel_size"}
# Arguments that the layer repeats for each dimension, so that a number says as much as the tuple.
_REPEATED = {"kernel_size", "stride", "padding", "dilation", "output_padding"}


def is_layer(kind: type) -> bool:
    """Whether a class is one of torch.nn."""
    from torch import nn

    return kind.__module__.startswith("torch.nn.") and getattr(nn, kind.__name__, None) is kind


@cache
def parameters(kind: type) -> dict[str, inspect.Parameter]:
    """The parameters of a class by name, those with a star left out."""
    from torch import nn

    if issubclass(kind, nn.RNNBase) and is_layer(kind):  # they take *args, and hand them on to this one
        found = list(inspect.signature(nn.RNNBase.__init__).parameters.values())[2:]
        if kind is nn.RNN:
            found.insert(3, inspect.Parameter("nonlinearity", inspect.Parameter.KEYWORD_ONLY, default="tanh"))
    else:
        try:
            found = list(inspect.signature(kind.__init__).parameters.values())[1:]  # type: ignore[misc]
        except (TypeError, ValueError):
            found = []
    return {item.name: item for item in found if item.kind not in (item.VAR_POSITIONAL, item.VAR_KEYWORD)}


def takes_anything(kind: type) -> bool:
    """Whether a constructor has `*args`."""
    found = inspect.signature(kind.__init__).parameters.values()  # type: ignore[misc]
    return any(item.kind is item.VAR_POSITIONAL for item in found)


def takes_nothing(kind: type) -> bool:
    """Whether a constructor has no arguments."""
    from torch import nn

    return kind.__init__ is nn.Module.__init__ or list(inspect.signature(kind.__init__).parameters) == ["self"]  # type: ignore[misc]


def tidy(kind: type, name: str, value: Any) -> Any:
    """A number for a tuple that repeats it, where the layer makes the same of both."""
    if not isinstance(value, tuple | list) or len(set(map(str, value))) != 1 or type(value[0]) is not int:
        return value
    norm = kind.__name__ in ("LayerNorm", "RMSNorm") and name == "normalized_shape" and len(value) == 1
    spread = (kind.__name__.startswith("Conv") or kind.__name__ == "AvgPool1d") and name in _REPEATED
    padding = "Pad" in kind.__name__ and name == "padding"
    return value[0] if norm or padding or spread else value


def from_attributes(value: Any) -> list[Construction]:
    """The construction that an object's attributes speak of, by the names of its class's parameters."""
    import torch

    kind: type = type(value)
    layer, places = is_layer(kind), _ELSEWHERE.get(kind.__name__, {})
    given: dict[str, Any] = {}
    for name, parameter in parameters(kind).items():
        if layer and name in ("device", "dtype"):
            continue
        try:
            found = attrgetter(places.get(name, name) if layer else name)(value)
        except AttributeError:
            if parameter.default is parameter.empty:
                return []
            continue
        if layer and isinstance(parameter.default, bool) and (found is None or isinstance(found, torch.Tensor)):
            # a norm without any weights has no bias either, and nobody says so
            found = found is not None or not getattr(value, "affine", getattr(value, "elementwise_affine", True))
        if layer and parameter.default is None and found == getattr(value, _FOLLOWS.get(name, ""), None):
            continue
        if not equals_default(found, parameter.default):
            given[name] = found
    if layer and "dtype" in parameters(kind):
        kinds = {item.dtype for item in value.parameters() if item.is_floating_point()}
        if len(kinds) == 1 and kinds != {torch.float32}:
            given["dtype"] = kinds.pop()
    return [Construction(kind, (), given)]
