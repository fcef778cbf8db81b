"""The kinds of change, by what they concern; importing them enters them in `mutant.KINDS`."""

from . import (  # noqa: F401
    arguments,
    construction,
    formulas,
    gradients,
    identities,
    interface,
    layers,
    masks,
    references,
    renames,
    sequence,
    shapes,
    sizes,
    spellings,
    structure,
    sums,
    training,
    weights,
)
