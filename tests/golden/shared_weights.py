# ---- input (Net, 4,8)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.start = nn.Linear(8, 8)
        self.middle = nn.Linear(8, 8)
        self.end = nn.Linear(8, 2)

    def forward(self, x):
        x = torch.tanh(self.start(x))
        x = torch.tanh(self.middle(x))
        x = torch.tanh(self.middle(x))  # again
        return self.end(torch.tanh(x))
# ---- refused (layout: flat)
# 15:24 SQ204 shared-weights: `self.middle` is called 2 times
# ---- output (layout: auto)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.start_layers = nn.Sequential(
            nn.Linear(8, 8),
            nn.Tanh(),
        )
        self.middle = nn.Linear(8, 8)
        self.end_layers = nn.Sequential(
            nn.Tanh(),  # again
            nn.Tanh(),
            nn.Linear(8, 2),
        )

    def forward(self, x):
        x = self.start_layers(x)
        x = torch.tanh(self.middle(x))
        return self.end_layers(self.middle(x))
