"""Wrong arguments of layers and functions."""

# Most of them are rows of a table: the callees with the position of a parameter, and what becomes of its value. A
# change is given the value's text, or None where the argument is left out, and gives the new text, or None to leave it.

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from ..mutant import kind
from ..source import Source
from .sites import BATCH_NORMS, CONVS, DROPOUTS, INSTANCE_NORMS, Edits

__all__: list[str] = []

Change = Callable[[str | None], str | None]


def number(text: str | None) -> float | None:
    return float(text) if text is not None and re.fullmatch(r"-?\d+\.?\d*(e-?\d+)?", text) else None


def other(default: str, explicit: str | None = None) -> Change:
    """`default` where nothing is given, else `explicit`, else three times a number."""

    def change(text: str | None) -> str | None:
        if text is None:
            return default
        if explicit is not None:
            return None if number(text) == number(explicit) else explicit
        value = number(text)
        return None if value is None else repr(round(value * 3, 6)) if value else default

    return change


def only(**given: str) -> Change:
    """One value for another; a value in quotes is named without them."""
    return lambda text: next((new for old, new in given.items() if text is not None and text.strip("\"'") == old), None)


def flipped(default: str) -> Change:
    return lambda text: {"True": "False", "False": "True"}.get(text or default)


def fraction(default: str) -> Change:
    """Another probability; a name is replaced by a number."""

    def change(text: str | None) -> str:
        value = number(text)
        return default if value is None else repr(round(value + 0.15, 3))

    return change


def with_arguments(source: Source, table: Sequence[tuple[Sequence[str], str, int | None, Change]]) -> Iterator[Edits]:
    for callees, name, position, change in table:
        for call in source.calls(*callees):
            value = source.argument(call, name, position)
            text = change(None if value is None else source.of(value))
            if text is not None:
                yield [source.with_argument(call, name, position, text)]


def table(title: str, *rows: tuple[Sequence[str], str, int | None, Change]) -> None:
    kind(title)(lambda source: with_arguments(source, rows))


table(
    "slope or shape of an activation",
    (("nn.LeakyReLU",), "negative_slope", 0, other("0.2", "0.01")),
    (("F.leaky_relu",), "negative_slope", 1, other("0.2", "0.01")),
    (("nn.ELU", "F.elu"), "alpha", None, other("0.5")),
    (("nn.Softplus",), "beta", 0, other("2")),
    (("F.softplus",), "beta", 1, other("2")),
    (("F.hardtanh",), "min_val", 1, other("-0.5")),
    (("nn.PReLU",), "init", None, other("0.1")),
)


table(
    "eps of a norm",
    ((*BATCH_NORMS, *INSTANCE_NORMS), "eps", 1, other("1e-3", "1e-5")),
    (("nn.LayerNorm",), "eps", 1, other("1e-6", "1e-5")),
    (("nn.GroupNorm",), "eps", 2, other("1e-3", "1e-5")),
    (("F.layer_norm", "F.batch_norm"), "eps", None, other("1e-3", "1e-5")),
)


table(
    "probability of a dropout",
    (DROPOUTS, "p", 0, fraction("0.35")),
    (("F.dropout",), "p", 1, fraction("0.35")),
)


table(
    "affine",
    ((*BATCH_NORMS, "nn.GroupNorm"), "affine", 3, flipped("True")),
    (INSTANCE_NORMS, "affine", 3, flipped("False")),
    (("nn.LayerNorm",), "elementwise_affine", 2, flipped("True")),
)


table("bias lost", (("nn.Linear",), "bias", 2, other("False", "False")), (CONVS, "bias", None, other("False", "False")))


table(
    "running statistics",
    (BATCH_NORMS, "track_running_stats", 4, flipped("True")),
    (INSTANCE_NORMS, "track_running_stats", 4, flipped("False")),
)


table(
    "approximation of gelu",
    (("nn.GELU",), "approximate", 0, lambda text: '"tanh"' if text is None else '"none"'),
    (("F.gelu",), "approximate", None, lambda text: '"tanh"' if text is None else '"none"'),
)


table(
    "interpolation",
    (("F.interpolate",), "align_corners", None, lambda text: flipped("False")(text) if text else None),
    (("F.interpolate", "nn.Upsample"), "mode", None, only(nearest='"bilinear"', bilinear='"bicubic"')),
)


@kind("momentum")
def momentum(source: Source) -> Iterator[Edits]:
    rows = [
        (BATCH_NORMS, "momentum", 2, other("0.01", "0.1")),
        (("F.batch_norm",), "momentum", 6, other("0.01", "0.1")),
    ]
    for edits in with_arguments(source, rows):
        row = source.text[source.text.rindex("\n", 0, edits[0].start) : source.text.index("\n", edits[0].end)]
        if "track_running_stats" not in row and "self.frozen" not in row:
            yield edits


@kind("padding mode")
def padding_mode(source: Source) -> Iterator[Edits]:
    for call in source.calls(*CONVS):
        if source.argument(call, "padding", 4) is not None:
            mode = source.argument(call, "padding_mode", None)
            yield [source.with_argument(call, "padding_mode", None, '"circular"' if mode is None else '"zeros"')]


@kind("bias added")
def bias_added(source: Source) -> Iterator[Edits]:
    for call in source.calls("nn.Linear", *CONVS):
        value = source.argument(call, "bias", 2 if source.of(call.func) == "nn.Linear" else 7)
        if value is not None and source.of(value) == "False":
            yield [source.without_argument(call, value)]


@kind("batch not first")
def batch_first(source: Source) -> Iterator[Edits]:
    for call in source.calls("nn.LSTM", "nn.GRU", "nn.MultiheadAttention"):
        value = source.argument(call, "batch_first", None)
        if value is not None:
            yield [source.without_argument(call, value)]


@kind("padding index lost")
def padding_idx(source: Source) -> Iterator[Edits]:
    for call in source.calls("nn.Embedding"):
        value = source.argument(call, "padding_idx", 2)
        if value is not None:
            yield [source.without_argument(call, value)]


@kind("correction of a variance")
def unbiased(source: Source) -> Iterator[Edits]:
    for call in source.methods("var", "std"):
        value = source.argument(call, "unbiased", None)
        if value is not None:
            yield [source.without_argument(call, value)]
        else:
            yield [source.appended(call, "unbiased=False")]


@kind("bound of a clamp")
def bounds(source: Source) -> Iterator[Edits]:
    for call in [*source.calls("torch.clamp"), *source.methods("clamp")]:
        for keyword in call.keywords:
            if len(call.keywords) > 1:
                yield [source.without_argument(call, keyword.value)]
            else:
                yield [source.replace(keyword.value, repr(3 * float(source.of(keyword.value))))]
        for value in call.args[1:]:
            yield [source.replace(value, "0.25")]


@kind("default of a constructor")
def constructor_default(source: Source) -> Iterator[Edits]:
    """Numbers with a point are no sizes, so the network can still be built."""
    for function in source.constructors():
        for value in function.args.defaults:
            if "." in source.of(value) and number(source.of(value)) is not None:
                yield [source.replace(value, repr(round(number(source.of(value)) + 0.25, 4)))]
