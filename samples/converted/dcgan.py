"""The generator of a DCGAN, for 64x64 images."""
from collections import OrderedDict

import torch.nn as nn


class Generator(nn.Sequential):
    """Images (N, nc, 64, 64) from noise (N, nz, 1, 1).

    Args:
        nz: size of the latent vector.
        ngf: width of the last feature map.
        nc: number of channels in the image.
    """

    def __init__(self, nz: int = 100, ngf: int = 64, nc: int = 3):
        super(Generator, self).__init__()
        # no bias where a batch norm follows
        # input is Z, going into a convolution
        self.deconv1 = nn.ConvTranspose2d(nz, ngf * 8, 4, 1, 0, bias=False)
        self.bn1 = nn.BatchNorm2d(ngf * 8)
        self.relu1 = nn.ReLU()
        # state size. (ngf*8) x 4 x 4
        self.deconv2 = nn.ConvTranspose2d(ngf * 8, ngf * 4, 4, 2, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(ngf * 4)
        self.relu2 = nn.ReLU()
        # state size. (ngf*4) x 8 x 8
        self.deconv3 = nn.ConvTranspose2d(ngf * 4, ngf * 2, 4, 2, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(ngf * 2)
        self.relu3 = nn.ReLU()
        # state size. (ngf*2) x 16 x 16
        self.deconv4 = nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, bias=False)
        self.bn4 = nn.BatchNorm2d(ngf)
        self.relu4 = nn.ReLU()
        # state size. (ngf) x 32 x 32
        self.deconv5 = nn.ConvTranspose2d(ngf, nc, 4, 2, 1, bias=False)
        # state size. (nc) x 64 x 64
        self.tanh = nn.Tanh()

    def __getitem__(self, idx):
        if isinstance(idx, slice):  # nn.Sequential would pass the layers to the constructor of this class
            return nn.Sequential(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)
