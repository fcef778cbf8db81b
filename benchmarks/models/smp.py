"""The decoders of segmentation_models_pytorch."""

from __future__ import annotations

import functools

from torch import nn

from .entry import IMAGE, Entry, define_torchvision_operators, image

# Decoder, encoder, image. PAN pools the last map three times, and DPT's encoder has a fixed image.
DECODERS = {
    "Unet": ("resnet18", IMAGE),
    "UnetPlusPlus": ("resnet18", IMAGE),
    "MAnet": ("resnet18", IMAGE),
    "Linknet": ("resnet18", IMAGE),
    "FPN": ("resnet18", IMAGE),
    "PSPNet": ("resnet18", IMAGE),
    "DeepLabV3": ("resnet18", IMAGE),
    "DeepLabV3Plus": ("resnet18", IMAGE),
    "PAN": ("resnet18", 128),
    "UPerNet": ("resnet18", IMAGE),
    "Segformer": ("resnet18", IMAGE),
    "DPT": ("tu-vit_tiny_patch16_224", 224),
}


def entries() -> list[Entry]:
    return [
        Entry("smp", decoder, functools.partial(_build, decoder, encoder), image(size))
        for decoder, (encoder, size) in DECODERS.items()
    ]


def _build(decoder: str, encoder: str) -> nn.Module:
    define_torchvision_operators()
    import segmentation_models_pytorch as smp

    return getattr(smp, decoder)(encoder_name=encoder, encoder_weights=None)
