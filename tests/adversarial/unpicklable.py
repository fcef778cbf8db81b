import threading, torch
from torch import nn
import torch.nn.functional as F
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 8)
        self.fc2 = nn.Linear(8, 2)
        self.lock = threading.Lock()

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))
