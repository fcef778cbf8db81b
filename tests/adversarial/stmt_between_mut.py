import torch
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, cfg=None):
        super().__init__()
        cfg = dict(cfg or {"h": 8})
        self.norm = nn.LayerNorm(cfg["h"])
        cfg["p"] = 0.5
        self.drop = nn.Dropout(cfg["p"])
        cfg["p"] = cfg.get("q", 0.5)
        self.fc1 = nn.Linear(4, cfg["h"])

    def forward(self, x):
        return self.norm(self.drop(self.fc1(x)))
