"""AlexNet, the one-tower version, for 224x224 images."""
from collections import OrderedDict

import torch.nn as nn


class AlexNet(nn.Sequential):
    """Five convolutions, three linear layers.

    Args:
        num_classes: number of classes, 1000 for ImageNet.
        hidden: width of the two linear layers before the last.
    """

    def __init__(self, num_classes: int = 1000, hidden: int = 4096) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(kernel_size=3, stride=2)  # 55 -> 27
        self.conv2 = nn.Conv2d(64, 192, kernel_size=5, padding=2)
        self.relu2 = nn.ReLU()
        self.pool2 = nn.MaxPool2d(kernel_size=3, stride=2)  # 27 -> 13
        self.conv3 = nn.Conv2d(192, 384, kernel_size=3, padding=1)
        self.relu3 = nn.ReLU()
        self.conv4 = nn.Conv2d(384, 256, kernel_size=3, padding=1)
        self.relu4 = nn.ReLU()
        self.conv5 = nn.Conv2d(256, 256, kernel_size=3, padding=1)
        self.relu5 = nn.ReLU()
        self.pool3 = nn.MaxPool2d(kernel_size=3, stride=2)  # 13 -> 6

        self.flatten = nn.Flatten()
        # dropout before each linear layer but the last
        self.dropout1 = nn.Dropout()
        self.fc1 = nn.Linear(256 * 6 * 6, hidden)
        self.relu6 = nn.ReLU()
        self.dropout2 = nn.Dropout()
        self.fc2 = nn.Linear(hidden, hidden)
        self.relu7 = nn.ReLU()
        self.fc3 = nn.Linear(hidden, num_classes)

    def __getitem__(self, idx):
        if isinstance(idx, slice):  # nn.Sequential would pass the layers to the constructor of this class
            return nn.Sequential(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)
