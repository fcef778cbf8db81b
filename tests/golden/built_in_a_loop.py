# ---- input (Net, 4,8)
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        for index in range(2):
            setattr(self, f"fc{index}", nn.Linear(8, 8))
        self.out = nn.Linear(8, 2)

    def forward(self, x):
        x = F.relu(self.fc0(x))
        x = F.relu(self.fc1(x))
        return F.log_softmax(F.relu(self.out(x)), dim=1)
# ---- refused (layout: flat)
# 14:20 SQ402 built-elsewhere: `self.fc0` is not assigned in `__init__`
# ---- refused (layout: grouped)
# 10:13 SQ403 attribute-used-elsewhere: an attribute is looked up by a name that is computed
