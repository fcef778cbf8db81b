# ---- input (Decoder, 4,3)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 8)
        self.fc2 = nn.Linear(8, 3)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(3, 8); self.fc2 = nn.Linear(8, 10)

    def forward(self, x): return torch.sigmoid(self.fc2(F.relu(self.fc1(x))))


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = Encoder(), Decoder()

    def forward(self, x):
        return self.decoder(self.encoder(x))
# ---- refused (layout: flat)
# 21:64 SQ402 built-elsewhere: `self.fc1` is built in a loop, a condition or together with others
# ---- refused (layout: grouped)
# 21:64 SQ402 built-elsewhere: `self.fc1` is built in a loop, a condition or together with others
