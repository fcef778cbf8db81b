"""A recommender: bags of items, a factorisation machine, wide and deep parts."""

import torch
import torch.nn.functional as F
from torch import nn


class Recommender(nn.Module):
    def __init__(self, users=12, items=20, dim=6):
        super().__init__()
        self.user = nn.Embedding(users, dim)
        self.item = nn.Embedding(items, dim)
        self.history = nn.EmbeddingBag(items, dim, mode="mean")
        self.user_bias = nn.Embedding(users, 1)
        self.item_bias = nn.Embedding(items, 1)
        self.fc1 = nn.Linear(3 * dim, 12)
        self.fc2 = nn.Linear(12, 12)
        self.fc3 = nn.Linear(12, 1)
        self.dropout = nn.Dropout(0.25)
        self.offset = nn.Parameter(torch.zeros(1))
        nn.init.normal_(self.user.weight, std=0.1)
        nn.init.normal_(self.item.weight, std=0.1)
        nn.init.zeros_(self.user_bias.weight)
        nn.init.zeros_(self.item_bias.weight)

    def forward(self, user, item, history):
        u = self.user(user)
        i = self.item(item)
        h = self.history(history)
        vectors = torch.stack([u, i, h], dim=1)
        squared = vectors.sum(dim=1).pow(2) - vectors.pow(2).sum(dim=1)
        pairwise = 0.5 * squared.sum(dim=1, keepdim=True)
        deep = F.relu(self.fc1(torch.cat([u, i, h], dim=1)))
        deep = F.relu(self.fc2(self.dropout(deep)))
        deep = self.fc3(deep)
        linear = self.user_bias(user) + self.item_bias(item) + self.offset
        scores = (linear + torch.tanh(pairwise + deep)).squeeze(1)
        return scores


def seqify_inputs():
    return {
        "user": torch.randint(0, 12, (4,)),
        "item": torch.randint(0, 20, (4,)),
        "history": torch.randint(0, 20, (4, 5)),
    }
