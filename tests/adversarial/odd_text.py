import torch
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    """Doc with # hash."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(  # in
            4,  # four
            8,
            # trailing
        )
        self.name = """multi
  # not a comment
line"""
        self.fc2 = \
            nn.Linear(8, 2)

    def forward(self, x):
        return self.fc2(  # second
            F.relu(
                # first
                self.fc1(x)  # inner
            )  # after relu
        )
