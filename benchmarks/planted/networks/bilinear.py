"""Two kinds of features that meet in a bilinear layer; outputs in a tuple."""

import torch
import torch.nn.functional as F
from torch import nn


class BilinearFusion(nn.Module):
    def __init__(self, left=6, right=6, hidden=8, classes=3):
        super().__init__()
        self.left = nn.Linear(left, hidden)
        self.right = nn.Linear(right, hidden)
        self.bilinear = nn.Bilinear(hidden, hidden, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.classifier = nn.Linear(hidden, classes)
        self.regressor = nn.Linear(hidden, 1)
        self.act = nn.LeakyReLU(negative_slope=0.15)
        with torch.no_grad():
            self.classifier.bias.fill_(0.2)
        self.right.bias.requires_grad_(False)

    def forward(self, image, text, weight=0.5):
        a = self.act(self.left(image))
        b = self.act(self.right(text))
        fused = self.norm(self.bilinear(a, b)) + weight * a - weight * b
        fused = torch.tanh(fused)
        logits = self.classifier(F.dropout(fused, 0.2, self.training))
        value = self.regressor(fused)
        margin = logits.max(dim=1, keepdim=True)[0] - logits.mean(dim=1, keepdim=True)
        return logits, value * margin


def seqify_inputs():
    return {"image": torch.randn(4, 6), "text": torch.randn(4, 6)}
