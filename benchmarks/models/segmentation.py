"""The segmentation models of torchvision."""

from __future__ import annotations

import functools

from .entry import IMAGE, Entry, define_torchvision_operators, image


def entries() -> list[Entry]:
    define_torchvision_operators()
    from torchvision import models

    found = []
    for name in models.list_models(module=models.segmentation):
        build = functools.partial(models.get_model, name, weights=None, weights_backbone=None)
        found.append(Entry("segmentation", name, build, image(IMAGE, "input" if name.startswith("lraspp") else "x")))
    return found
