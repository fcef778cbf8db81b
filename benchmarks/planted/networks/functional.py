"""Parameters and buffers of its own, given to functions."""

import torch
import torch.nn.functional as F
from torch import nn


class Functional(nn.Module):
    def __init__(self, classes=4):
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(6, 3, 3, 3) * 0.2)
        self.kernel_bias = nn.Parameter(torch.zeros(6))
        self.register_buffer("running_mean", torch.zeros(6))
        self.register_buffer("running_var", torch.ones(6))
        self.gain = nn.Parameter(torch.ones(6))
        self.shift = nn.Parameter(torch.zeros(6))
        self.weight1 = nn.Parameter(torch.randn(10, 6) * 0.3)
        self.bias1 = nn.Parameter(torch.zeros(10))
        self.weight2 = nn.Parameter(torch.randn(classes, 10) * 0.3)
        self.bias2 = nn.Parameter(torch.zeros(classes))
        self.register_buffer("mean", torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.2, 0.25, 0.3]).view(1, 3, 1, 1))

    def forward(self, x):
        x = (x - self.mean) / self.std
        x = F.conv2d(x, self.kernel, self.kernel_bias, stride=1, padding=1)
        x = F.batch_norm(
            x, self.running_mean, self.running_var, self.gain, self.shift, training=self.training, momentum=0.2
        )
        x = F.selu(x)
        x = F.max_pool2d(x, kernel_size=3, stride=2, padding=1)
        x = F.local_response_norm(x, size=3)
        x = x.amax(dim=(2, 3))
        x = F.gelu(F.linear(x, self.weight1, self.bias1))
        x = F.dropout(x, p=0.4, training=self.training)
        x = F.layer_norm(x, (10,), eps=1e-4)
        return F.linear(x, self.weight2, self.bias2)


def seqify_inputs():
    return (torch.rand(4, 3, 8, 8),)
