import torch
from torch import nn
import torch.nn.functional as F


FROZEN = ["fc1"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 8)
        self.fc2 = nn.Linear(8, 8)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))


def freeze(net):
    for n, p in net.named_parameters():
        if n.split(".")[0] in FROZEN:
            p.requires_grad = False
    return [p.requires_grad for p in net.parameters()]
