"""PointNet: a learned transform of the points, one perceptron for all of them, the maximum."""

import torch
import torch.nn.functional as F
from torch import nn


class Transform(nn.Module):
    def __init__(self, size=3):
        super().__init__()
        self.size = size
        self.conv = nn.Conv1d(size, 8, 1)
        self.bn = nn.BatchNorm1d(8)
        self.fc = nn.Linear(8, size * size)
        self.register_buffer("identity", torch.eye(size))
        nn.init.zeros_(self.fc.bias)

    def forward(self, x):
        x = F.relu(self.bn(self.conv(x)))
        x = torch.max(x, 2)[0]
        x = self.fc(x).view(-1, self.size, self.size)
        return x * 0.1 + self.identity


class PointNet(nn.Module):
    def __init__(self, classes=4):
        super().__init__()
        self.transform = Transform()
        self.conv1 = nn.Conv1d(3, 8, 1)
        self.conv2 = nn.Conv1d(8, 12, 1)
        self.bn1 = nn.BatchNorm1d(8)
        self.bn2 = nn.BatchNorm1d(12)
        self.fc1 = nn.Linear(24, 10)
        self.fc2 = nn.Linear(10, classes)
        self.dropout = nn.Dropout(p=0.3)

    def forward(self, points):
        points = points - points.mean(dim=1, keepdim=True)
        matrix = self.transform(points.transpose(2, 1))
        x = torch.bmm(points, matrix).transpose(2, 1)
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        x = torch.cat([x.amax(dim=2), x.mean(dim=2)], dim=1)
        x = F.relu(self.dropout(self.fc1(x)))
        return F.log_softmax(self.fc2(x), dim=-1), matrix


def seqify_inputs():
    return (torch.randn(4, 9, 3),)
