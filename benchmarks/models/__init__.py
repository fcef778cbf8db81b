"""The model collections that the coverage benchmark runs on.

Five collections, each a list of entries that build one model with random weights and make its inputs; nothing is
downloaded, and nothing here knows seqify:

    torchvision     the 80 classifiers of torchvision.models
    segmentation    torchvision.models.segmentation
    timm            one model of each family, that is, of each file of timm.models that registers models
    smp             the decoders of segmentation_models_pytorch
    transformers    50 architectures of transformers, at small configurations

The packages are imported when entries are listed or built, so that a collection needs only its own package.
"""

from __future__ import annotations

from collections.abc import Callable

from . import segmentation, smp, timm, torchvision, transformers
from .entry import Entry, define_torchvision_operators

__all__ = ["COLLECTIONS", "Entry", "define_torchvision_operators", "entries"]

LISTS: dict[str, Callable[[], list[Entry]]] = {
    "torchvision": torchvision.entries,
    "segmentation": segmentation.entries,
    "timm": timm.entries,
    "smp": smp.entries,
    "transformers": transformers.entries,
}
COLLECTIONS = tuple(LISTS)


def entries(collection: str) -> list[Entry]:
    """Entries of a collection, in a fixed order.

    Raises:
        ValueError: there is no such collection.
    """
    if collection not in LISTS:
        raise ValueError(f"no collection {collection!r}; there are {', '.join(COLLECTIONS)}")
    return LISTS[collection]()
