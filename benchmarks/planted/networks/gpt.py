"""A small GPT: causal attention, and an output layer that is the embedding."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class CausalSelfAttention(nn.Module):
    def __init__(self, dim, heads, length, dropout):
        super().__init__()
        self.heads = heads
        self.c_attn = nn.Linear(dim, 3 * dim)
        self.c_proj = nn.Linear(dim, dim)
        self.attn_dropout = nn.Dropout(dropout)
        self.resid_dropout = nn.Dropout(dropout)
        self.register_buffer("mask", torch.tril(torch.ones(length, length)).view(1, 1, length, length))

    def forward(self, x):
        batch, length, dim = x.size()
        q, k, v = self.c_attn(x).split(dim, dim=2)
        k = k.view(batch, length, self.heads, dim // self.heads).transpose(1, 2)
        q = q.view(batch, length, self.heads, dim // self.heads).transpose(1, 2)
        v = v.view(batch, length, self.heads, dim // self.heads).transpose(1, 2)
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        att = att.masked_fill(self.mask[:, :, :length, :length] == 0, float("-inf"))
        att = F.softmax(att, dim=-1)
        att = self.attn_dropout(att)
        y = att @ v
        y = y.transpose(1, 2).contiguous().view(batch, length, dim)
        return self.resid_dropout(self.c_proj(y))


class Block(nn.Module):
    def __init__(self, dim, heads, length, dropout):
        super().__init__()
        self.ln_1 = nn.LayerNorm(dim)
        self.attn = CausalSelfAttention(dim, heads, length, dropout)
        self.ln_2 = nn.LayerNorm(dim)
        self.c_fc = nn.Linear(dim, 2 * dim)
        self.c_proj = nn.Linear(2 * dim, dim)
        self.gelu = nn.GELU(approximate="tanh")
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        hidden = self.c_proj(self.gelu(self.c_fc(self.ln_2(x))))
        return x + self.dropout(hidden)


class GPT(nn.Module):
    def __init__(self, tokens=17, length=8, dim=12, heads=3, depth=2, dropout=0.1):
        super().__init__()
        self.wte = nn.Embedding(tokens, dim)
        self.wpe = nn.Embedding(length, dim)
        self.drop = nn.Dropout(dropout)
        self.h = nn.ModuleList([Block(dim, heads, length, dropout) for _ in range(depth)])
        self.ln_f = nn.LayerNorm(dim)
        self.lm_head = nn.Linear(dim, tokens, bias=False)
        self.apply(self._init_weights)
        self.lm_head.weight = self.wte.weight

    def _init_weights(self, module):
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, idx):
        pos = torch.arange(0, idx.size(1), device=idx.device)
        x = self.drop(self.wte(idx) + self.wpe(pos))
        for block in self.h:
            x = block(x)
        x = self.ln_f(x)
        return self.lm_head(x)


def seqify_inputs():
    return (torch.randint(0, 17, (4, 7)),)
