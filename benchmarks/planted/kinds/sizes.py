"""Wrong sizes: of kernels, strides, groups, dimensions."""

from __future__ import annotations

from collections.abc import Iterator

from ..mutant import kind
from ..source import Source
from .arguments import flipped, number, with_arguments
from .sites import CONVS, Edits

__all__: list[str] = []

POOLS = tuple(f"{where}{what}" for n in (1, 2, 3) for where, what in (("nn.", f"MaxPool{n}d"), ("F.", f"max_pool{n}d")))


@kind("dilation")
def dilation(source: Source) -> Iterator[Edits]:
    """A kernel of three, spread over five: the shapes stay."""
    for call in source.calls(*CONVS):
        kernel, padding = source.argument(call, "kernel_size", 2), source.argument(call, "padding", 4)
        shapes = [None if item is None else source.of(item) for item in (kernel, padding)]
        if shapes == ["3", "1"] and source.argument(call, "dilation", 5) is None:
            edit = source.appended(call, "dilation=2")
            if source.end(padding) < edit.start:
                yield [source.replace(padding, "2"), edit]
            else:
                yield [source.replace(padding, "2, dilation=2")]
        elif shapes == ["3", "dilation"]:
            yield [source.replace(item.value, "1") for item in call.keywords if item.arg in ("padding", "dilation")]


@kind("kernel size")
def kernel_size(source: Source) -> Iterator[Edits]:
    for call in source.calls(*CONVS):
        kernel, padding = source.argument(call, "kernel_size", 2), source.argument(call, "padding", 4)
        if kernel is not None and padding is not None and (source.of(kernel), source.of(padding)) == ("3", "1"):
            yield [source.replace(kernel, "5"), source.replace(padding, "2")]


@kind("stride", raises=True)
def stride(source: Source) -> Iterator[Edits]:
    for call in source.calls(*CONVS, "nn.AvgPool2d", "F.avg_pool2d", *POOLS):
        value = source.argument(call, "stride", 3 if "onv" in source.of(call.func) else None)
        if value is not None and number(source.of(value)) is not None:
            yield [source.replace(value, "1" if source.of(value) != "1" else "2")]


@kind("groups")
def groups(source: Source) -> Iterator[Edits]:
    for call in source.calls(*CONVS):
        value = source.argument(call, "groups", 6)
        if value is not None:
            yield [source.replace(value, "1")]
        elif all(number(source.of(item)) is not None and number(source.of(item)) % 2 == 0 for item in call.args[:2]):
            yield [source.appended(call, "groups=2")]


@kind("edge of a pooling")
def pooled_edge(source: Source) -> Iterator[Edits]:
    averages = ("nn.AvgPool2d", "F.avg_pool2d")
    yield from with_arguments(source, [((*POOLS, *averages), "ceil_mode", None, flipped("False"))])
    for call in source.calls(*averages):
        if source.argument(call, "padding", None) is not None:
            yield [source.with_argument(call, "count_include_pad", None, "False")]


@kind("number of groups or heads")
def heads(source: Source) -> Iterator[Edits]:
    for call in source.calls("nn.GroupNorm"):
        value = source.argument(call, "num_groups", 0)
        yield [source.replace(value, "1" if source.of(value) == "2" else "2")]
    for function in source.constructors():
        for name, value in zip(reversed(function.args.args), reversed(function.args.defaults), strict=False):
            if name.arg == "heads":
                yield [source.replace(value, "2" if source.of(value) == "4" else "1")]
    for call in source.calls("WindowAttention"):
        yield [source.replace(call.args[-1], "1")]


@kind("size of a constructor")
def constructor_size(source: Source) -> Iterator[Edits]:
    sizes = ("hidden", "depth", "length", "steps", "width", "pieces", "growth", "codes", "modes")
    for function in source.constructors():
        for name, value in zip(reversed(function.args.args), reversed(function.args.defaults), strict=False):
            if name.arg in sizes and source.of(value).isdigit():
                yield [source.replace(value, str(int(source.of(value)) + 1))]


@kind("dimension of a softmax")
def softmax_dim(source: Source) -> Iterator[Edits]:
    swapped = {"-1": "-2", "1": "0", "2": "1", "-2": "-1"}
    names = ("F.softmax", "torch.softmax", "F.log_softmax", "nn.LogSoftmax", "F.normalize", "F.cosine_similarity")
    for call in [*source.calls(*names), *source.methods("softmax")]:
        value = source.argument(call, "dim", None)
        if value is not None and source.of(value) in swapped:
            yield [source.replace(value, swapped[source.of(value)])]


@kind("dimension of a reduction")
def reduced_dim(source: Source) -> Iterator[Edits]:
    others = {"-1": ("-2", "0"), "1": ("2", "0"), "0": ("1",), "2": ("1",), "(2, 3)": ("(1, 2)",)}
    functions = source.calls("torch.sum", "torch.max", "torch.stack", "torch.cat", "F.glu")
    for call in [*functions, *source.methods("mean", "sum", "var", "amax", "max", "std", "norm", "cumsum", "argmin")]:
        value = source.argument(call, "dim", 1 if call in functions else 0)
        for text in others.get(source.of(value), ()) if value is not None else ():
            yield [source.replace(value, text)]
