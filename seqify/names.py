"""Names for new attributes, as an expert would choose them."""

from __future__ import annotations

import ast
import itertools
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from torch import nn

from seqify.chains import Chain
from seqify.classes import ClassSource
from seqify.flow import Flow

__all__ = ["fresh", "group_name", "layer_names", "snake_case"]

# Prefixes that name a kind of layer, not a part of a network.
_KINDS = {"conv", "fc", "bn", "relu", "norm", "layer", "lin", "linear", "act", "block", "drop", "dropout", "pool",
          "deconv", "tconv", "dense", "ln", "hidden", "batchnorm", "maxpool", "upconv", "l", "b", "c"}  # fmt: skip
_PARTS = {"enc": "encoder", "dec": "decoder", "cls": "classifier", "clf": "classifier", "feat": "features",
          "proj": "projector", "pred": "predictor", "emb": "embedding", "gen": "generator", "disc": "discriminator",
          "bottle": "bottleneck", "res": "residual"}  # fmt: skip
_EMPTY_WORDS = {"out", "output", "res", "ret", "tmp", "temp", "result", "input", "inp", "val", "img", "xs", "hid"}


def fresh(name: str, taken: Collection[str]) -> str:
    """The name itself, or with the first number from 2 that makes it free."""
    if name not in taken:
        return name
    number = 2
    while f"{name}{number}" in taken:
        number += 1
    return f"{name}{number}"


def snake_case(name: str) -> str:
    """`LeNet` is `le_net`, `MLP` is `mlp`, `UNet2d` is `u_net2d`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def layer_names(stems: Sequence[str], taken: Collection[str]) -> list[str]:
    """
    A name for each new layer of a flat class: the stem alone where it is the only one, else with a number.

    `relu, relu, flatten` gives `relu1, relu2, flatten`, or `relu2, relu3, flatten` where `relu` is taken.
    """
    used = set(taken)
    names = []
    counts = Counter(stems)
    numbers: dict[str, int] = {}
    for stem in stems:
        if counts[stem] == 1 and stem not in used:
            name = stem
        else:
            number = numbers.get(stem, 1 if stem in taken else 0) + 1
            while f"{stem}{number}" in used:
                number += 1
            numbers[stem] = number
            name = f"{stem}{number}"
        used.add(name)
        names.append(name)
    return names


def group_name(
    chain: Chain, flow: Flow, cls: ClassSource, children: Mapping[str, nn.Module], taken: Collection[str]
) -> str:
    """What a group of layers inside a bigger forward is: the user's own word for it, or the kind of its layers."""
    attributes = [layer.attribute for layer in chain.layers if layer.attribute is not None]
    end = chain.layers[-1].step
    following = flow.steps[end + 1] if end + 1 < len(flow.steps) else None
    shared = _shared_prefix([name for name in attributes if next(children[name].parameters(), None) is not None])
    if shared:
        return shared if shared not in taken else f"{shared}_layers"
    if following is not None and ".add" in following.target and len(list(following.values())) == 2:
        return "body"
    word = _variable(chain, cls)
    if word and word not in taken:
        return word
    kinds = [type(children[name]) for name in attributes]
    opens = any(layer.callee == "nn.Flatten" for layer in chain.layers) or nn.Flatten in kinds
    if opens and nn.Linear in kinds and end == len(flow.steps) - 1 and "classifier" not in taken:
        return "classifier"
    if any(issubclass(kind, nn.modules.conv._ConvNd) for kind in kinds):
        return "features"
    return "layers"


def _shared_prefix(names: list[str]) -> str:
    """
    What most of the layers' names begin with, when it names a part of the network.

    `enc1, enc2` gives `encoder`, `down1a, down1b` gives `down1`, `conv1, conv2` nothing.
    """
    found: Counter[str] = Counter(names if len(names) == 1 else ())
    for left, right in itertools.combinations(names[:20], 2):
        prefix = _common(left, right)
        if any(name[len(prefix) :].isdigit() for name in (left, right)):
            prefix = prefix.rstrip("0123456789")
        found[re.sub(r"_[a-z]*$", "", prefix)] += 1
    for part, _ in found.most_common():
        members = sum(name.startswith(part) for name in names)
        stem = part.rstrip("0123456789")
        if len(stem) >= 2 and members * 3 >= len(names) * 2 and stem not in _KINDS and part.isidentifier():
            return _PARTS.get(part, part)
    return ""


def _common(left: str, right: str) -> str:
    """The letters with which both begin."""
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False))
    return "".join(letter for letter, _ in pairs)


def _variable(chain: Chain, cls: ClassSource) -> str:
    """The variable that takes a chain's value, when it says something."""
    node = cls.forward_body[chain.statements[-1]]
    target = node.targets[0] if isinstance(node, ast.Assign) and node.value is chain.layers[-1].node else None
    if not isinstance(target, ast.Name):
        return ""
    word = target.id
    return "" if re.fullmatch(r"[a-z]{1,2}\d*", word) or word.rstrip("0123456789") in _EMPTY_WORDS else word
