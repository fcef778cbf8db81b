"""Window attention with a table of relative positions, and blocks that are shifted."""

import torch
from torch import nn


class WindowAttention(nn.Module):
    def __init__(self, dim, window, heads):
        super().__init__()
        self.heads = heads
        self.scale = (dim // heads) ** -0.5
        self.bias_table = nn.Parameter(torch.zeros(2 * window - 1, heads))
        steps = torch.arange(window)
        self.register_buffer("index", steps[:, None] - steps[None, :] + window - 1)
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim, bias=False)
        self.proj = nn.Linear(dim, dim)
        nn.init.trunc_normal_(self.bias_table, std=0.5)

    def forward(self, x):
        n, t, d = x.shape
        q = self.q(x).reshape(n, t, self.heads, -1).transpose(1, 2) * self.scale
        k, v = self.kv(x).chunk(2, dim=-1)
        k = k.reshape(n, t, self.heads, -1).transpose(1, 2)
        v = v.reshape(n, t, self.heads, -1).transpose(1, 2)
        bias = self.bias_table[self.index].permute(2, 0, 1)
        scores = q @ k.transpose(-2, -1) + bias.unsqueeze(0)
        return self.proj((scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(n, t, d))


class WindowBlock(nn.Module):
    def __init__(self, dim, window=4, shift=0):
        super().__init__()
        self.window = window
        self.shift = shift
        self.norm1 = nn.LayerNorm(dim)
        self.attn = WindowAttention(dim, window, 2)
        self.norm2 = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, dim)
        self.fc2 = nn.Linear(dim, dim)
        self.act = nn.GELU()

    def forward(self, x):
        n, t, d = x.shape
        h = torch.roll(self.norm1(x), shifts=-self.shift, dims=1)
        h = h.reshape(n * t // self.window, self.window, d)
        h = self.attn(h).reshape(n, t, d)
        x = x + torch.roll(h, shifts=self.shift, dims=1)
        return x + self.fc2(self.act(self.fc1(self.norm2(x))))


class WindowNet(nn.Module):
    def __init__(self, dim=12, classes=4):
        super().__init__()
        self.embed = nn.Linear(5, dim)
        self.block1 = WindowBlock(dim)
        self.block2 = WindowBlock(dim, shift=2)
        self.merge = nn.Linear(2 * dim, dim, bias=False)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)

    def forward(self, x):
        x = self.embed(x)
        x = self.block1(x)
        x = self.block2(x)
        x = self.merge(torch.cat([x[:, 0::2], x[:, 1::2]], dim=-1))
        x = self.norm(x).mean(dim=1)
        return self.head(x)


def seqify_inputs():
    return (torch.randn(4, 8, 5),)
