# ---- input (Net, 4,8)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate1 = nn.Linear(8, 8)
        self.fc1 = nn.Linear(8, 8)
        self.fc2 = nn.Linear(8, 8)

    def forward(self, x):
        gate = torch.sigmoid(self.gate1(x))  # from the input
        x = F.relu(self.fc1(x))
        x = torch.tanh(self.fc2(x))
        return gate * x, gate
# ---- output (layout: auto)
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate1_layers = nn.Sequential(
            nn.Linear(8, 8),
            nn.Sigmoid(),
        )
        self.layers = nn.Sequential(
            nn.Linear(8, 8),
            nn.ReLU(),
            nn.Linear(8, 8),
            nn.Tanh(),
        )

    def forward(self, x):
        gate = self.gate1_layers(x)  # from the input
        x = self.layers(x)
        return gate * x, gate
