"""A transformer encoder with torch's attention, sinusoidal positions and a padding mask."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class PositionalEncoding(nn.Module):
    def __init__(self, dim, dropout=0.1, length=12):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)
        position = torch.arange(length).unsqueeze(1)
        frequency = torch.exp(torch.arange(0, dim, 2) * (-math.log(10000.0) / dim))
        table = torch.zeros(1, length, dim)
        table[0, :, 0::2] = torch.sin(position * frequency)
        table[0, :, 1::2] = torch.cos(position * frequency)
        self.register_buffer("table", table, persistent=False)

    def forward(self, x):
        x = x + self.table[:, : x.size(1)]
        return self.dropout(x)


class EncoderLayer(nn.Module):
    def __init__(self, dim, heads=4, dropout=0.1):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(dim, heads, dropout=dropout, batch_first=True)
        self.linear1 = nn.Linear(dim, 2 * dim)
        self.dropout = nn.Dropout(dropout)
        self.linear2 = nn.Linear(2 * dim, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.dropout1 = nn.Dropout(dropout)
        self.dropout2 = nn.Dropout(dropout)

    def forward(self, x, padding):
        attended, _ = self.self_attn(x, x, x, key_padding_mask=padding, need_weights=False)
        x = self.norm1(x + self.dropout1(attended))
        hidden = self.linear2(self.dropout(F.relu(self.linear1(x))))
        return self.norm2(x + self.dropout2(hidden))


class Encoder(nn.Module):
    def __init__(self, tokens=20, dim=16, depth=2, classes=4):
        super().__init__()
        self.dim = dim
        self.embedding = nn.Embedding(tokens, dim, padding_idx=0)
        self.positions = PositionalEncoding(dim)
        self.layers = nn.ModuleList(EncoderLayer(dim) for _ in range(depth))
        self.decoder = nn.Linear(dim, classes)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, tokens):
        padding = tokens == 0
        x = self.embedding(tokens) * math.sqrt(self.dim)
        x = self.positions(x)
        for layer in self.layers:
            x = layer(x, padding)
        x = x.masked_fill(padding.unsqueeze(-1), 0.0)
        x = x.sum(dim=1) / (~padding).sum(dim=1, keepdim=True)
        return self.decoder(x)


def seqify_inputs():
    tokens = torch.randint(1, 20, (4, 8))
    tokens[1, 5:] = 0
    tokens[3, 7:] = 0
    return (tokens,)
