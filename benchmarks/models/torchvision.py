"""The classifiers of torchvision."""

from __future__ import annotations

import functools

import torch
from torch import nn

from .entry import IMAGE, Entry, define_torchvision_operators, image

# By the start of the name: the smallest that these take, of the sizes in use.
SIZES = {"inception": 299, "maxvit": 224, "vit": 224}
META = {"vit_h_14", "regnet_y_128gf"}  # 2.5 GB of weights each
# Without `init_weights` they warn that its default will change.
ASK_INIT = {"googlenet", "inception_v3"}


def entries() -> list[Entry]:
    define_torchvision_operators()
    from torchvision import models

    found = []
    for name in models.list_models(module=models):
        size = next((size for start, size in SIZES.items() if name.startswith(start)), IMAGE)
        build = functools.partial(_build, name)
        found.append(Entry("torchvision", name, build, image(size), meta=name in META))
    return found


def _build(name: str) -> nn.Module:
    from torchvision import models
    from torchvision.models.regnet import BlockParams, RegNet

    if name == "regnet_y_128gf":
        # Its function computes the widths with tensors, which have no values on the meta device; as it does, otherwise.
        widths = BlockParams.from_init_params(depth=27, w_0=456, w_a=160.83, w_m=2.52, group_width=264, se_ratio=0.25)
        with torch.device("meta"):
            return RegNet(widths, norm_layer=functools.partial(nn.BatchNorm2d, eps=1e-05, momentum=0.1))
    options = {"init_weights": False} if name in ASK_INIT else {}
    with torch.device("meta" if name in META else "cpu"):
        return models.get_model(name, weights=None, **options)
