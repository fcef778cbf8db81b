"""Which of all possible mutants are taken: the same ones each time, and no kind or network more than its share."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator

from . import kinds
from .mutant import KINDS, Mutant, Network, Plant, networks

__all__ = ["LEFT_OUT", "allotment", "chosen"]

assert kinds  # imported for what it enters

# At most so many mutants of a kind in all networks, and so many in one network; more for a kind that few networks have.
CAP = 22
SHARE, LARGER_SHARE = 2, 6

# What a kind makes of these rows is no bug after all: network, the row as it becomes, why.
LEFT_OUT = (
    *(
        (network, row, "the sizes here leave nothing over to round up")
        for network, row in (
            ("groupnorm", "self.pool = nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True)"),
            ("inplace", "self.pool = nn.MaxPool2d(2, ceil_mode=True)"),
            ("lenet", "x = F.avg_pool2d(torch.tanh(self.conv2(x)), 2, ceil_mode=True)"),
            ("preact", "x = F.avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True)"),
            ("separable", "self.pool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1, ceil_mode=True)"),
            ("textcnn", "x = F.max_pool1d(x, x.size(2), ceil_mode=True).squeeze(2)"),
            ("unet", "x2 = self.down1(F.max_pool2d(x1, 2, ceil_mode=True))"),
            ("unet", "x3 = self.down2(F.max_pool2d(x2, 2, ceil_mode=True))"),
        )
    ),
    *(
        (network, row, "one dimension, or one of size 1, has the same strides either way")
        for network, row in (
            ("discriminator", "return self.fc2(x).squeeze(1).transpose(0, -1).contiguous().transpose(0, -1)"),
            ("gru", "return (y * horizon).transpose(0, -1).contiguous().transpose(0, -1)"),
            ("recommender", "return scores.transpose(0, -1).contiguous().transpose(0, -1)"),
        )
    ),
    ("gru", "x = (x - mean.unsqueeze(1)) / std.unsqueeze(2)", "of (N, 1) both make (N, 1, 1)"),
    ("gru", "x = (x - mean.unsqueeze(2)) / std.unsqueeze(1)", "of (N, 1) both make (N, 1, 1)"),
    ("window", "scores = q @ k.transpose(-2, -1) + bias", "broadcasting adds the dimension that is not there"),
    ("masked", "scores = self.score(h).squeeze() / temperature", "the mask broadcasts a single sample back to (1, T)"),
    ("textcnn", "gate = torch.sigmoid(self.gate(x)).squeeze()", "a single sample broadcasts back to (1, 1)"),
    ("vae", "z = self.reparameterize(mu, logvar.mul_(temperature))", "the default temperature is 1"),
)
_LEFT_OUT = {(network, row) for network, row, _ in LEFT_OUT}


@functools.cache
def candidates(kind: str, network: Network) -> tuple[Plant, ...]:
    """All that a kind does to a network but what is no bug after all."""

    def taken(plant: Plant) -> bool:
        lines = plant.text.splitlines()
        return not any((network.name, lines[row - 1].strip()) in _LEFT_OUT for row in plant.new_rows)

    return tuple(plant for plant in KINDS[kind].plants(network) if taken(plant))


@functools.cache
def allotment(name: str) -> dict[str, int]:
    """How many mutants of a kind each network gets: one each in turn, until the kind has its number."""
    left = {network.name: len(candidates(name, network)) for network in networks()}
    order = sorted(left, key=lambda network: hashlib.sha256(f"{name}/{network}".encode()).digest())
    found = dict.fromkeys(left, 0)
    for turn in range(LARGER_SHARE):
        for network in order:
            if left[network] > turn and sum(found.values()) < (CAP if turn < SHARE else CAP // 2):
                found[network] += 1
    return found


def chosen(network: Network, runs: Callable[[str], bool], only: str = "") -> Iterator[Mutant]:
    """
    The mutants of a network.

    Args:
        network: one of `networks()`.
        runs: whether the forward of a text runs on the example. One that does not is passed over for the next of its
            kind, except where raising is what the kind does.
        only: kinds whose name has this in it.
    """
    seen = {network.source.text}
    for name, kind in KINDS.items():
        wanted = allotment(name)[network.name] if only in name else 0
        for plant in candidates(name, network) if wanted else ():
            if plant.text not in seen and (kind.raises or runs(plant.text)):
                seen.add(plant.text)
                wanted -= 1
                yield plant.mutant()
            if not wanted:
                break
