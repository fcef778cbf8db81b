"""ResNet of basic blocks, with a projection where the shape changes."""

import torch
from torch import nn


def conv3x3(channels, width, stride=1):
    return nn.Conv2d(channels, width, kernel_size=3, stride=stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    def __init__(self, channels, width, stride=1, downsample=None):
        super().__init__()
        self.conv1 = conv3x3(channels, width, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(width, width)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = downsample

    def forward(self, x):
        identity = x

        out = self.conv1(x)
        out = self.bn1(out)
        out = self.relu(out)

        out = self.conv2(out)
        out = self.bn2(out)

        if self.downsample is not None:
            identity = self.downsample(x)

        out += identity
        out = self.relu(out)
        return out


class ResNet(nn.Module):
    def __init__(self, blocks=(2, 1), classes=6):
        super().__init__()
        self.width = 6
        self.conv1 = nn.Conv2d(3, 6, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(6, blocks[0])
        self.layer2 = self._make_layer(10, blocks[1], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(10, classes)
        nn.init.zeros_(self.fc.bias)

    def _make_layer(self, width, blocks, stride=1):
        downsample = None
        if stride != 1 or self.width != width:
            downsample = nn.Sequential(
                nn.Conv2d(self.width, width, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(width),
            )
        layers = [BasicBlock(self.width, width, stride, downsample)]
        self.width = width
        for _ in range(1, blocks):
            layers.append(BasicBlock(width, width))
        return nn.Sequential(*layers)

    def forward(self, x):
        x = self.conv1(x)
        x = self.bn1(x)
        x = self.relu(x)
        x = self.maxpool(x)
        x = self.layer1(x)
        x = self.layer2(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        return self.fc(x)


def seqify_inputs():
    return (torch.randn(4, 3, 12, 12),)
