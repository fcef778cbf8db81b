"""A text CNN: parallel convolutions over an embedding, maximum over time, squeezed dimensions."""

import torch
import torch.nn.functional as F
from torch import nn


class TextCNN(nn.Module):
    def __init__(self, tokens=25, dim=8, width=5, classes=3):
        super().__init__()
        self.embed = nn.Embedding(tokens, dim, padding_idx=1)
        self.conv3 = nn.Conv2d(1, width, (3, dim))
        self.conv4 = nn.Conv2d(1, width, (4, dim))
        self.conv5 = nn.Conv2d(1, width, (5, dim))
        self.dropout = nn.Dropout(0.3)
        self.fc = nn.Linear(3 * width, classes)
        self.gate = nn.Linear(3 * width, 1)

    def conv_and_pool(self, x, conv):
        x = F.relu(conv(x)).squeeze(3)
        x = F.max_pool1d(x, x.size(2)).squeeze(2)
        return x

    def forward(self, tokens):
        x = self.embed(tokens)
        x = x.unsqueeze(1)
        x1 = self.conv_and_pool(x, self.conv3)
        x2 = self.conv_and_pool(x, self.conv4)
        x3 = self.conv_and_pool(x, self.conv5)
        x = torch.cat((x1, x2, x3), 1)
        gate = torch.sigmoid(self.gate(x)).squeeze(-1)
        x = self.dropout(x)
        return self.fc(x) * gate.unsqueeze(-1)


def seqify_inputs():
    return (torch.randint(0, 25, (4, 9)),)
