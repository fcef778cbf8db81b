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
        x = F.relu(self.fc1(x))
        x = F.dropout(x, 0.5)  # in eval too
        x = F.relu(self.fc2(x))
        return self.fc3(x)
# ---- refused (layout: flat)
# 15:13 SQ303 dropout-always-on: `F.dropout` drops in eval too: `training=True`
# ---- output (layout: grouped)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(10, 8),
            nn.ReLU(),
        )
        self.layers2 = nn.Sequential(
            nn.Linear(8, 8),
            nn.ReLU(),
            nn.Linear(8, 2),
        )

    def forward(self, x):
        x = self.layers(x)
        x = F.dropout(x, 0.5)  # in eval too
        return self.layers2(x)
