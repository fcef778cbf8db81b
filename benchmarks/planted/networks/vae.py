"""A variational autoencoder: noise in forward, three outputs."""

import torch
import torch.nn.functional as F
from torch import nn


class VAE(nn.Module):
    def __init__(self, size=12, hidden=16, latent=5):
        super().__init__()
        self.fc1 = nn.Linear(size, hidden)
        self.fc_mu = nn.Linear(hidden, latent)
        self.fc_logvar = nn.Linear(hidden, latent)
        self.fc3 = nn.Linear(latent, hidden)
        self.fc4 = nn.Linear(hidden, size)
        self.dropout = nn.Dropout(0.1)

    def encode(self, x):
        h = F.relu(self.fc1(x))
        mu = self.fc_mu(self.dropout(h))
        logvar = self.fc_logvar(self.dropout(h))
        return mu, logvar

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z):
        h = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h))

    def forward(self, x, temperature=1.0):
        mu, logvar = self.encode(x)
        z = self.reparameterize(mu, logvar * temperature)
        return self.decode(z), mu, logvar


def seqify_inputs():
    return (torch.rand(4, 12),)
