"""Graph convolutions and attention over neighbours, from a matrix of edges."""

import torch
import torch.nn.functional as F
from torch import nn


class GraphConv(nn.Module):
    def __init__(self, size, width):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size, width))
        self.bias = nn.Parameter(torch.empty(width))
        nn.init.xavier_uniform_(self.weight)
        nn.init.constant_(self.bias, 0.05)

    def forward(self, x, edges):
        degree = edges.sum(dim=-1, keepdim=True)
        return (edges / degree) @ (x @ self.weight) + self.bias


class GraphAttention(nn.Module):
    def __init__(self, size, slope=0.2):
        super().__init__()
        self.linear = nn.Linear(size, size, bias=False)
        self.source = nn.Linear(size, 1, bias=False)
        self.target = nn.Linear(size, 1, bias=False)
        self.leaky = nn.LeakyReLU(slope)

    def forward(self, x, edges):
        h = self.linear(x)
        scores = self.leaky(self.source(h) + self.target(h).transpose(1, 2))
        scores = scores.masked_fill(edges <= 0.5, -20.0)
        return F.elu(torch.softmax(scores, dim=-1) @ h)


class GraphNet(nn.Module):
    def __init__(self, size=5, hidden=8, classes=3):
        super().__init__()
        self.conv1 = GraphConv(size, hidden)
        self.conv2 = GraphConv(hidden, hidden)
        self.attention = GraphAttention(hidden)
        self.norm = nn.LayerNorm(hidden)
        self.dropout = nn.Dropout(0.2)
        self.readout = nn.Linear(hidden, classes)

    def forward(self, nodes, edges):
        x = F.relu(self.conv1(nodes, edges))
        x = self.dropout(x)
        x = x + F.relu(self.conv2(x, edges))
        x = self.norm(x + self.attention(x, edges))
        x = x.sum(dim=1) * 0.25
        return self.readout(x)


def seqify_inputs():
    edges = (torch.rand(4, 6, 6) > 0.5).float()
    return {"nodes": torch.randn(4, 6, 5), "edges": torch.maximum(edges, torch.eye(6))}
