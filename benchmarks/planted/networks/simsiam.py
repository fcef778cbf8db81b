"""Self-supervised learning: a target without gradient, a checkpointed stage, frozen layers."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint


class SimSiam(nn.Module):
    def __init__(self, size=10, dim=12, hidden=6):
        super().__init__()
        self.backbone = nn.Linear(size, dim)
        self.stage = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.projector = nn.Linear(dim, dim)
        self.bn = nn.BatchNorm1d(dim)
        self.predictor1 = nn.Linear(dim, hidden)
        self.predictor2 = nn.Linear(hidden, dim)
        self.teacher = nn.Linear(dim, dim)
        self.prototypes = nn.Linear(dim, 4, bias=False)
        self.teacher.requires_grad_(False)
        self.prototypes.weight.requires_grad_(False)

    def encode(self, x):
        h = F.relu(self.backbone(x))
        h = h + checkpoint(self.stage, h, use_reentrant=False)
        return self.bn(self.projector(h))

    def forward(self, view1, view2):
        z1 = self.encode(view1)
        z2 = self.encode(view2)
        p1 = self.predictor2(F.relu(self.predictor1(z1)))
        p2 = self.predictor2(F.relu(self.predictor1(z2)))
        with torch.no_grad():
            scale = z1.std(dim=0) + z2.std(dim=0)
            t1 = self.teacher(z1)
        loss = -F.cosine_similarity(p1, z2.detach(), dim=1) - F.cosine_similarity(p2, z1.detach(), dim=1)
        distill = (p1 - t1).pow(2).mean(dim=1)
        codes = F.softmax(self.prototypes(z1 / scale) / 0.1, dim=1)
        return loss + 0.5 * distill, codes


def seqify_inputs():
    return {"view1": torch.randn(4, 10), "view2": torch.randn(4, 10)}
