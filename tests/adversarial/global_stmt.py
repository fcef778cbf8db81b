import torch
from torch import nn
import torch.nn.functional as F


SLOPE = 0.2


def set_slope(value):
    global SLOPE
    SLOPE = value


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 8)
        self.fc2 = nn.Linear(8, 2)

    def forward(self, x):
        return self.fc2(F.leaky_relu(self.fc1(x), SLOPE))
