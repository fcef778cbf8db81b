import torch
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 8)
        self.fc2 = nn.Linear(8, 2)
        self.fc3 = nn.Linear(2, 2)

    def forward(self, x):
        x = self.fc1(x); x = F.relu(x)
        x = self.fc2(x); y = x
        z = self.fc3(x); z = torch.tanh(z); return z + y
