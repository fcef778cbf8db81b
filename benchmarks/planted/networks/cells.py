"""A decoder step by step: LSTM cells, attention over the memory, weights shared by all steps."""

import torch
import torch.nn.functional as F
from torch import nn


class StepDecoder(nn.Module):
    def __init__(self, features=5, hidden=8, steps=3):
        super().__init__()
        self.steps = steps
        self.hidden = hidden
        self.memory = nn.Linear(features, hidden)
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.cell1 = nn.LSTMCell(hidden, hidden)
        self.cell2 = nn.GRUCell(hidden, hidden)
        self.carry = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, features)
        self.start = nn.Parameter(torch.zeros(1, hidden))
        nn.init.normal_(self.start, std=0.3)

    def attend(self, query, memory):
        scores = torch.bmm(memory, self.query(query).unsqueeze(2)).squeeze(2)
        weights = F.softmax(scores / self.hidden**0.5, dim=1)
        return torch.bmm(weights.unsqueeze(1), memory).squeeze(1)

    def forward(self, x):
        memory = torch.tanh(self.memory(x))
        h = self.start.expand(x.size(0), -1)
        c = torch.zeros_like(h)
        g = memory[:, 0]
        outputs = []
        for _ in range(self.steps):
            context = self.attend(h, memory)
            h, c = self.cell1(context, (h, c))
            g = self.cell2(h, g)
            t = torch.sigmoid(self.carry(g))
            y = t * g + (1 - t) * h
            outputs.append(self.out(y))
        return torch.stack(outputs, dim=1)


def seqify_inputs():
    return (torch.randn(4, 6, 5),)
