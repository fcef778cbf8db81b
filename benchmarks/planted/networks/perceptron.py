"""A perceptron for tables: batch norm, leaky activations, dropout."""

import torch
import torch.nn.functional as F
from torch import nn


class Perceptron(nn.Module):
    def __init__(self, features=9, hidden=16, dropout=0.3):
        super().__init__()
        self.input_norm = nn.BatchNorm1d(features)
        self.fc1 = nn.Linear(features, hidden)
        self.bn1 = nn.BatchNorm1d(hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.bn2 = nn.BatchNorm1d(hidden)
        self.fc3 = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)
        self.act = nn.ELU(alpha=0.5)
        self.out = nn.Linear(hidden, 3)
        nn.init.xavier_uniform_(self.fc1.weight)
        nn.init.constant_(self.out.bias, 0.1)

    def forward(self, x):
        x = self.input_norm(x)
        x = F.leaky_relu(self.bn1(self.fc1(x)), 0.2)
        x = self.dropout(x)
        x = F.leaky_relu(self.bn2(self.fc2(x)), negative_slope=0.2)
        x = self.dropout(x)
        x = self.act(self.fc3(x))
        return self.out(x)


def seqify_inputs():
    return (torch.randn(4, 9),)
