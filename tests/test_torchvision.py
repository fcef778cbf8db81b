"""Conversions of torchvision's own model classes, from its installed files."""

from __future__ import annotations

import pytest
import torch

import seqify

pytest.importorskip("torchvision.models", reason="torchvision is not installed")

M = "torchvision.models"

# target, input, layout of the result
CONVERTED = [
    (f"{M}.densenet:_DenseLayer(8, 4, 2, 0.0)", "2,8,8,8", "grouped"),
    (f"{M}.densenet:DenseNet(8, (2, 2), 16)", "2,3,64,64", "flat"),
    (f"{M}.squeezenet:Fire(8, 4, 4, 4)", "2,8,16,16", "grouped"),
    (f"{M}.regnet:regnet_y_400mf()", "2,3,32,32", "grouped"),
    (f"{M}.swin_transformer:PatchMerging(8)", "2,4,4,8", "grouped"),
    (f"{M}.optical_flow.raft:FlowHead(in_channels=8, hidden_size=8)", "2,8,16,16", "flat"),
    (f"{M}.optical_flow.raft:MaskPredictor(in_channels=8, hidden_size=8)", "2,8,16,16", "flat"),
    (f"{M}.detection.faster_rcnn:TwoMLPHead(32, 8)", "2,2,4,4", "flat"),
    (f"{M}.video.resnet:r3d_18()", "1,3,4,16,16", "grouped"),
]

# target, input, code of the first diagnostic: nothing to convert, or nothing that an edit could express
LEFT_ALONE = [
    # torchvision.models.quantization inherits from these, and reads the layers by their names
    (f"{M}.resnet:BasicBlock(8, 8)", "2,8,16,16", "SQ403"),
    (f"{M}.resnet:Bottleneck(16, 4)", "2,16,16,16", "SQ403"),
    (f"{M}.resnet:resnet18()", "2,3,64,64", "SQ403"),
    (f"{M}.googlenet:InceptionAux(8, 10)", "2,8,16,16", "SQ403"),
    (f"{M}.googlenet:BasicConv2d(8, 4, kernel_size=3)", "2,8,16,16", "SQ403"),
    (f"{M}.inception:InceptionAux(8, 10)", "2,8,17,17", "SQ403"),
    (f"{M}.inception:BasicConv2d(8, 4, kernel_size=3)", "2,8,16,16", "SQ403"),
    (f"{M}.densenet:_DenseBlock(2, 8, 2, 4, 0.0)", "2,8,8,8", "SQ409"),
    (f"{M}.densenet:_Transition(8, 4)", "2,8,8,8", "SQ209"),
    (f"{M}.googlenet:GoogLeNet(init_weights=False)", "2,3,64,64", "SQ103"),
    (f"{M}.inception:InceptionA(8, 4)", "2,8,16,16", "SQ409"),
    (f"{M}.inception:InceptionB(8)", "2,8,16,16", "SQ409"),
    (f"{M}.inception:InceptionC(8, 4)", "2,8,16,16", "SQ409"),
    (f"{M}.inception:InceptionD(8)", "2,8,16,16", "SQ409"),
    (f"{M}.inception:InceptionE(8)", "2,8,16,16", "SQ409"),
    (f"{M}.mobilenetv2:InvertedResidual(8, 8, 1, 2)", "2,8,16,16", "SQ409"),
    (f"{M}.mnasnet:_InvertedResidual(8, 8, 3, 1, 2)", "2,8,16,16", "SQ409"),
    (f"{M}.shufflenetv2:InvertedResidual(8, 8, 1)", "2,8,16,16", "SQ203"),
    (f"{M}.convnext:CNBlock(8, 1e-6, 0.0)", "2,8,8,8", "SQ208"),
    (f"{M}.vision_transformer:EncoderBlock(2, 8, 16, 0.0, 0.0)", "2,4,8", "SQ208"),
    (f"{M}.swin_transformer:SwinTransformerBlock(8, 2, [4, 4], [0, 0])", "2,8,8,8", "SQ208"),
    (f"{M}.segmentation.deeplabv3:ASPP(8, [2, 4])", "2,8,8,8", "SQ409"),
    (f"{M}.segmentation.deeplabv3:DeepLabHead(8, 4)", "2,8,16,16", "SQ209"),
    (f"{M}.segmentation.fcn:FCNHead(8, 4)", "2,8,16,16", "SQ209"),
    ("torchvision.ops.misc:SqueezeExcitation(8, 4)", "2,8,8,8", "SQ409"),
    ('torchvision.ops.stochastic_depth:StochasticDepth(0.2, "row")', "2,4,8", "SQ103"),
]


@pytest.mark.parametrize(("target", "shape", "layout"), CONVERTED, ids=[row[0].split(":")[1] for row in CONVERTED])
def test_converts(target: str, shape: str, layout: str) -> None:
    report = seqify.convert(target, [shape], dtypes=[torch.float32], source="edit")

    assert report.status == "equivalent"
    assert report.layout == layout
    assert all(check.bitwise for check in report.checks)


@pytest.mark.parametrize(("target", "shape", "code"), LEFT_ALONE, ids=[row[0].split(":")[1] for row in LEFT_ALONE])
def test_is_left_alone(target: str, shape: str, code: str) -> None:
    try:
        report = seqify.convert(target, [shape], dtypes=[torch.float32], source="edit")
    except seqify.Refusal as refusal:
        assert refusal.diagnostic.code == code
    else:
        assert report.status == "unchanged"
        assert report.diagnostics[0].code == code


def test_at_least_thirty_classes_are_looked_at() -> None:
    assert len(CONVERTED) + len(LEFT_ALONE) >= 30
