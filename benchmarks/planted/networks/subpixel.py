"""Super-resolution by sub-pixel convolution, with a bilinear skip around everything."""

import torch
import torch.nn.functional as F
from torch import nn


class SubPixel(nn.Module):
    def __init__(self, upscale=2, width=8, blocks=2):
        super().__init__()
        self.upscale = upscale
        self.head = nn.Conv2d(3, width, 5, padding=2)
        self.body = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for _ in range(blocks)])
        self.fuse = nn.Conv2d(width, width, 1)
        self.conv = nn.Conv2d(width, 3 * upscale**2, 3, padding=1)
        self.pixel_shuffle = nn.PixelShuffle(upscale)
        self.register_buffer("mean", torch.tensor([0.4, 0.45, 0.5]).reshape(1, 3, 1, 1))
        nn.init.orthogonal_(self.conv.weight, gain=0.5)

    def forward(self, x):
        x = x - self.mean
        base = F.interpolate(x, scale_factor=self.upscale, mode="bilinear", align_corners=False)
        h = torch.tanh(self.head(x))
        res = h
        for conv in self.body:
            res = F.relu(conv(res))
        h = h + self.fuse(res) * 0.1
        out = self.pixel_shuffle(self.conv(h))
        out = out + base + self.mean
        return out.permute(0, 2, 3, 1).contiguous()


def seqify_inputs():
    return (torch.rand(4, 3, 5, 5),)
