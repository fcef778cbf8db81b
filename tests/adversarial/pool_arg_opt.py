import torch
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, norm=nn.Identity):
        super().__init__()
        self.conv1 = nn.Conv1d(4, 8, 3, padding=1)
        self.norm = norm(8)
        self.conv2 = nn.Conv1d(8, 8, 3, padding=1)

    def forward(self, x):
        x = F.relu(self.norm(self.conv1(x)))
        return self.norm(self.conv2(x))
