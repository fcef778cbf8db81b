"""A convolutional autoencoder with transposed convolutions and a code of unit length."""

import torch
import torch.nn.functional as F
from torch import nn


class Autoencoder(nn.Module):
    def __init__(self, code=6):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.squeeze = nn.Linear(6 * 3 * 3, code)
        self.expand = nn.Linear(code, 6 * 3 * 3)
        self.deconv1 = nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1)
        self.deconv2 = nn.ConvTranspose2d(4, 1, 3, stride=2, padding=1, output_padding=1)
        self.prelu = nn.PReLU(init=0.1)

    def encode(self, x):
        x = F.relu(self.conv1(x))
        x = self.prelu(self.conv2(x))
        x = torch.flatten(x, start_dim=1)
        x = self.squeeze(x)
        return F.normalize(x, p=2.0, dim=1)

    def decode(self, code):
        x = F.relu(self.expand(code))
        x = x.view(x.shape[0], 6, 3, 3)
        x = F.leaky_relu(self.deconv1(x), 0.05)
        return torch.sigmoid(self.deconv2(x))

    def forward(self, x):
        x = (x - 0.5) * 2.0
        code = self.encode(x)
        return self.decode(code)


def seqify_inputs():
    return (torch.rand(4, 1, 12, 12),)
