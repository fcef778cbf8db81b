"""VGG: features from a configuration, a classifier with dropout."""

import torch
from torch import nn

LAYERS = (8, 8, "M", 12, 12, "M")


def make_features(layers):
    features = []
    channels = 3
    for width in layers:
        if width == "M":
            features.append(nn.MaxPool2d(kernel_size=2, stride=2))
        else:
            features.append(nn.Conv2d(channels, width, kernel_size=3, padding=1))
            features.append(nn.ReLU(inplace=True))
            channels = width
    return nn.Sequential(*features)


class VGG(nn.Module):
    def __init__(self, classes=7, dropout=0.5):
        super().__init__()
        self.features = make_features(LAYERS)
        self.avgpool = nn.AdaptiveAvgPool2d((2, 2))
        self.classifier = nn.Sequential(
            nn.Linear(12 * 2 * 2, 20),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(20, 20),
            nn.GELU(),
            nn.Dropout(p=dropout),
            nn.Linear(20, classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.constant_(module.bias, 0)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.1)
                nn.init.zeros_(module.bias)

    def forward(self, x):
        x = self.features(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        x = self.classifier(x)
        return x


def seqify_inputs():
    return (torch.randn(4, 3, 14, 14),)
