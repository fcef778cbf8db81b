import torch
from torch import nn
import torch.nn.functional as F


class cfg:
    p = 0.5


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 8)
        self.fc2 = nn.Linear(8, 2)

    def forward(self, x):
        return self.fc2(F.dropout(F.relu(self.fc1(x)), cfg.p, self.training))


def set_p(p):
    cfg.p = p
