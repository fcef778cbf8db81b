# ---- input (Net, 4,10)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 8)
        self.fc2 = nn.Linear(8, 8)
        self.fc3 = nn.Linear(8, 2)

    def forward(self, x):
        x = self.fc1(x)
        F.relu_(x)
        x = self.fc2(x)
        x.relu_()  # in place
        return self.fc3(x)
# ---- refused (layout: flat)
# 15:9 SQ409 forward-keeps: a statement between two layers stays in forward
# ---- output (layout: grouped)
import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 8)
        self.layers = nn.Sequential(
            nn.ReLU(inplace=True),
            nn.Linear(8, 8),
        )
        self.layers2 = nn.Sequential(
            nn.ReLU(inplace=True),  # in place
            nn.Linear(8, 2),
        )

    def forward(self, x):
        x = self.fc1(x)
        x = self.layers(x)
        return self.layers2(x)
