"""The generator of a DCGAN, for 64x64 images."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Generator(nn.Module):
    """Images (N, nc, 64, 64) from noise (N, nz, 1, 1).

    Args:
        nz: size of the latent vector.
        ngf: width of the last feature map.
        nc: number of channels in the image.
    """

    def __init__(self, nz: int = 100, ngf: int = 64, nc: int = 3):
        super(Generator, self).__init__()
        # no bias where a batch norm follows
        self.deconv1 = nn.ConvTranspose2d(nz, ngf * 8, 4, 1, 0, bias=False)
        self.bn1 = nn.BatchNorm2d(ngf * 8)
        self.deconv2 = nn.ConvTranspose2d(ngf * 8, ngf * 4, 4, 2, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(ngf * 4)
        self.deconv3 = nn.ConvTranspose2d(ngf * 4, ngf * 2, 4, 2, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(ngf * 2)
        self.deconv4 = nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, bias=False)
        self.bn4 = nn.BatchNorm2d(ngf)
        self.deconv5 = nn.ConvTranspose2d(ngf, nc, 4, 2, 1, bias=False)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        # input is Z, going into a convolution
        x = F.relu(self.bn1(self.deconv1(z)))
        # state size. (ngf*8) x 4 x 4
        x = F.relu(self.bn2(self.deconv2(x)))
        # state size. (ngf*4) x 8 x 8
        x = F.relu(self.bn3(self.deconv3(x)))
        # state size. (ngf*2) x 16 x 16
        x = F.relu(self.bn4(self.deconv4(x)))
        # state size. (ngf) x 32 x 32
        x = self.deconv5(x)
        # state size. (nc) x 64 x 64
        return torch.tanh(x)
