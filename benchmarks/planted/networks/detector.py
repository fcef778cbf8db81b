"""A detector: two scales, a dict of outputs, a focal initialisation of the class bias."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Detector(nn.Module):
    def __init__(self, classes=3, anchors=2, prior=0.01):
        super().__init__()
        self.classes = classes
        self.stage1 = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.stage2 = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.lateral1 = nn.Conv2d(8, 8, 1)
        self.lateral2 = nn.Conv2d(8, 8, 1)
        self.smooth = nn.Conv2d(8, 8, 3, padding=1)
        self.cls_head = nn.Conv2d(8, anchors * classes, 3, padding=1)
        self.box_head = nn.Conv2d(8, anchors * 4, 3, padding=1)
        nn.init.normal_(self.cls_head.weight, std=0.01)
        nn.init.constant_(self.cls_head.bias, -math.log((1 - prior) / prior))

    def flatten(self, x, size):
        x = x.permute(0, 2, 3, 1)
        return x.reshape(x.shape[0], -1, size)

    def forward(self, images):
        c1 = F.relu(self.stage1(images))
        c2 = F.relu(self.stage2(c1))
        p2 = self.lateral2(c2)
        p1 = self.lateral1(c1) + F.interpolate(p2, scale_factor=2.0, mode="nearest")
        p1 = self.smooth(p1)
        logits = [self.flatten(self.cls_head(p), self.classes) for p in (p1, p2)]
        boxes = [self.flatten(self.box_head(p), 4) for p in (p1, p2)]
        logits = torch.cat(logits, dim=1)
        boxes = torch.cat(boxes, dim=1)
        centers, sizes = boxes.chunk(2, dim=-1)
        corners = torch.cat([centers - sizes.exp() * 0.5, centers + sizes.exp() * 0.5], dim=-1)
        return {"logits": logits, "boxes": corners, "features": (p1, p2)}


def seqify_inputs():
    return (torch.randn(4, 3, 12, 12),)
