"""A text classifier: bidirectional LSTM, last states of both directions."""

import torch
import torch.nn.functional as F
from torch import nn


class LSTMClassifier(nn.Module):
    def __init__(self, tokens=30, dim=10, hidden=8, classes=4, dropout=0.25):
        super().__init__()
        self.embedding = nn.Embedding(tokens, dim, padding_idx=0)
        self.embedding_dropout = nn.Dropout(dropout)
        self.lstm = nn.LSTM(dim, hidden, num_layers=2, batch_first=True, dropout=dropout, bidirectional=True)
        self.norm = nn.LayerNorm(2 * hidden)
        self.fc1 = nn.Linear(2 * hidden, hidden)
        self.fc2 = nn.Linear(hidden, classes)
        for name, parameter in self.lstm.named_parameters():
            if "bias" in name:
                nn.init.constant_(parameter, 0.1)
            else:
                nn.init.orthogonal_(parameter)

    def forward(self, tokens):
        x = self.embedding(tokens)
        x = self.embedding_dropout(x)
        outputs, (hidden, cell) = self.lstm(x)
        last = torch.cat([hidden[-2], hidden[-1]], dim=1)
        mean = outputs.mean(dim=1)
        x = self.norm(last + mean + 0.5 * cell[-1].repeat(1, 2))
        x = F.relu(self.fc1(x))
        return F.log_softmax(self.fc2(x), dim=1)


def seqify_inputs():
    return (torch.randint(0, 30, (4, 6)),)
