"""Hooks that take part in the computation: one scales an input, one clips an output, one scales gradients."""

import torch
import torch.nn.functional as F
from torch import nn


def halve_input(module, args):
    return (args[0] * 0.5,)


def clip_output(module, args, output):
    return output.clamp(min=-1.0, max=1.0)


def shrink_gradient(gradient):
    return gradient * 0.1


class Gate(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.linear = nn.Linear(size, size)
        self.linear.register_forward_pre_hook(halve_input)

    def forward(self, x):
        return x * torch.sigmoid(self.linear(x))


class Hooked(nn.Module):
    def __init__(self, size=8):
        super().__init__()
        self.fc1 = nn.Linear(size, 12)
        self.fc2 = nn.Linear(12, 12)
        self.gate = Gate(12)
        self.norm = nn.LayerNorm(12)
        self.fc3 = nn.Linear(12, 4)
        self.fc1.register_forward_hook(clip_output)
        self.norm.register_forward_pre_hook(halve_input)
        self.gate.register_forward_hook(clip_output)
        self.fc3.register_forward_hook(clip_output)
        self.fc2.weight.register_hook(shrink_gradient)
        self.fc3.bias.register_hook(shrink_gradient)

    def forward(self, x):
        x = torch.tanh(self.fc1(x))
        x = F.elu(self.fc2(x))
        x = x + self.gate(x)
        x = self.norm(x)
        return self.fc3(x)


def seqify_inputs():
    return (torch.randn(4, 8) * 3,)
