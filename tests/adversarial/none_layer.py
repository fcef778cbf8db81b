import torch
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, drop=0.5):
        super().__init__()
        self.fc1 = nn.Linear(4, 8)
        self.drop = nn.Dropout(drop) if drop else None
        self.fc2 = nn.Linear(8, 2)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = self.drop(x)
        return self.fc2(x)
