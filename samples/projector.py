"""The projection head of a self-supervised model, after SimSiam."""
import torch.nn as nn
import torch.nn.functional as F


class Projector(nn.Module):
    """Maps features (N, dim) to points (N, dim) on the unit sphere."""

    def __init__(self, dim=256, hidden_dim=256):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.bn1 = nn.BatchNorm1d(hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, dim)
        self.bn2 = nn.BatchNorm1d(dim)
        self.relu = nn.ReLU()

    def forward(self, x):
        x = self.relu(self.bn1(self.fc1(x)))
        x = self.relu(self.bn2(self.fc2(x)))
        return F.normalize(x, dim=1)
