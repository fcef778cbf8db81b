"""A small BERT with three embeddings that are summed, and a dict of outputs."""

import math

import torch
from torch import nn


class Embeddings(nn.Module):
    def __init__(self, tokens, dim, length):
        super().__init__()
        self.word_embeddings = nn.Embedding(tokens, dim, padding_idx=0)
        self.position_embeddings = nn.Embedding(length, dim)
        self.token_type_embeddings = nn.Embedding(2, dim)
        self.LayerNorm = nn.LayerNorm(dim, eps=1e-12)
        self.dropout = nn.Dropout(0.1)
        self.register_buffer("position_ids", torch.arange(length).expand((1, -1)), persistent=False)

    def forward(self, input_ids, token_type_ids):
        positions = self.position_ids[:, : input_ids.size(1)]
        words = self.word_embeddings(input_ids)
        embeddings = words + self.token_type_embeddings(token_type_ids) + self.position_embeddings(positions)
        embeddings = self.LayerNorm(embeddings)
        return self.dropout(embeddings)


class Layer(nn.Module):
    def __init__(self, dim, heads=2):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.output = nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim, eps=1e-12)
        self.dropout = nn.Dropout(0.1)

    def split(self, x):
        return x.view(x.size(0), x.size(1), self.heads, -1).permute(0, 2, 1, 3)

    def forward(self, x, mask):
        query = self.split(self.query(x))
        key = self.split(self.key(x))
        value = self.split(self.value(x))
        scores = torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(query.size(-1))
        probabilities = torch.softmax(scores + mask, dim=-1)
        context = torch.matmul(self.dropout(probabilities), value)
        context = context.permute(0, 2, 1, 3).flatten(2)
        return self.norm(x + self.dropout(self.output(context)))


class Bert(nn.Module):
    def __init__(self, tokens=20, dim=12, depth=2, length=10):
        super().__init__()
        self.embeddings = Embeddings(tokens, dim, length)
        self.layers = nn.ModuleList(Layer(dim) for _ in range(depth))
        self.pooler = nn.Linear(dim, dim)
        self.activation = nn.Tanh()
        self.decoder = nn.Linear(dim, tokens, bias=False)
        self.decoder.weight = self.embeddings.word_embeddings.weight

    def forward(self, input_ids, attention_mask, token_type_ids):
        mask = (1.0 - attention_mask[:, None, None, :].to(self.pooler.weight.dtype)) * -10.0
        x = self.embeddings(input_ids, token_type_ids)
        for layer in self.layers:
            x = layer(x, mask)
        pooled = self.activation(self.pooler(x[:, 0]))
        return {"last_hidden_state": x, "pooler_output": pooled, "logits": self.decoder(x)}


def seqify_inputs():
    mask = torch.ones(4, 6, dtype=torch.long)
    mask[2, 4:] = 0
    return {
        "input_ids": torch.randint(1, 20, (4, 6)),
        "attention_mask": mask,
        "token_type_ids": torch.randint(0, 2, (4, 6)),
    }
