"""PSPNet (Zhao et al., CVPR 2017) on ResNet-18 at stride 8, in the two forms that AR-Seg uses (CVPR 2023, section 4).

The CamVid form upsamples back to full size and classifies there; the Cityscapes form classifies at 1/8.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vssbench.methods.arseg.layers import Branch, ConvNormReLU, ResNet18
from vssbench.methods.arseg.warp import resize

BINS = (1, 2, 3, 6)
FULL = (64, 128, 256, 512)
STRIDES = (1, 2, 1, 1)


class Climb(nn.Sequential):
    """Double the size: bilinear, then convolution, batch normalisation, PReLU."""

    def __init__(self, inner: int, width: int):
        super().__init__(nn.Conv2d(inner, width, 3, padding=1), nn.BatchNorm2d(width), nn.PReLU())

    def forward(self, x: Tensor) -> Tensor:
        size = (2 * x.shape[-2], 2 * x.shape[-1])
        return super().forward(resize(x, size, align_corners=False))


class PSPCamVid(Branch):
    """The CamVid form. Feature: float[1, channels, H, W] at full size (sides rounded up to multiples of 8).

    widths: channels of the trunk's layers
    inner:  channels after the pyramid
    climb:  channels of the three upsampling steps; the last is the feature's
    dropout: fraction of channels dropped in training, after the pyramid and after each upsampling step
    """

    log_softmax = True

    def __init__(
        self,
        classes: int,
        widths: Sequence[int] = FULL,
        inner: int = 1024,
        climb: Sequence[int] = (256, 64, 64),
        dropout: tuple[float, float] = (0.3, 0.15),
    ):
        super().__init__()
        deep, last = widths[2], widths[3]
        self.backbone = ResNet18(widths, STRIDES, layer3=((1, 1), (2, 2)), layer4=((1, 1), (4, 4)))
        self.pyramid = nn.ModuleList(nn.Conv2d(last, last, 1, bias=False) for _ in BINS)
        self.bottleneck = nn.Conv2d(last * (len(BINS) + 1), inner, 1)
        self.climb = nn.ModuleList(Climb(*pair) for pair in zip((inner, *climb), climb, strict=False))
        self.dropout, self.climb_dropout = (nn.Dropout2d(share) for share in dropout)
        self.channels = climb[-1]
        self.classifier = nn.Conv2d(self.channels, classes, 1)
        self.presence = nn.Sequential(nn.Linear(deep, 256), nn.ReLU(inplace=True), nn.Linear(256, classes))

    def feature(self, image: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        _, deep, x = self.backbone(image)
        size = x.shape[-2:]
        pooled = [
            resize(conv(F.adaptive_avg_pool2d(x, bins)), size, align_corners=False)
            for bins, conv in zip(BINS, self.pyramid, strict=True)
        ]
        x = self.dropout(F.relu(self.bottleneck(torch.cat([*pooled, x], 1)), inplace=True))
        for climb in self.climb:
            x = self.climb_dropout(climb(x))
        return x, (deep,)

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        return -(-size[0] // 8) * 8, -(-size[1] // 8) * 8

    def auxiliary(self, inner: tuple[Tensor, ...], size: Sequence[int]) -> tuple[Tensor, ...]:
        """Return (float[1, classes],): logits for the presence of each class in the image."""
        return (self.presence(F.adaptive_max_pool2d(inner[0], 1).flatten(1)),)


class PSPCityscapes(Branch):
    """The Cityscapes form. Feature: float[1, 512, H/8, W/8]."""

    channels = 512

    def __init__(self, classes: int):
        super().__init__()
        deep, last = FULL[2:]
        self.backbone = ResNet18(FULL, STRIDES, layer3=((1, 2), (2, 2)), layer4=((1, 4), (4, 4)))
        self.pyramid = nn.ModuleList(ConvNormReLU(last, last // len(BINS), 1) for _ in BINS)
        self.bottleneck = ConvNormReLU(2 * last, self.channels)
        self.dropout = nn.Dropout2d(0.1)
        self.classifier = nn.Conv2d(self.channels, classes, 1)
        self.deep_head = nn.Sequential(ConvNormReLU(deep, 256), nn.Dropout2d(0.1), nn.Conv2d(256, classes, 1))

    def feature(self, image: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        _, deep, x = self.backbone(image)
        pooled = [
            resize(conv(F.adaptive_avg_pool2d(x, bins)), x.shape[-2:])
            for bins, conv in zip(BINS, self.pyramid, strict=True)
        ]
        return self.dropout(self.bottleneck(torch.cat([x, *pooled], 1))), (deep,)

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        return -(-size[0] // 8), -(-size[1] // 8)

    def auxiliary(self, inner: tuple[Tensor, ...], size: Sequence[int]) -> tuple[Tensor, ...]:
        """Return (float[1, classes, *size],): logits from the trunk's third layer."""
        return (resize(self.deep_head(inner[0]), size),)


def tiny(classes: int) -> PSPCamVid:
    """Return a narrow CamVid form with 1.2 M parameters, for 128x224; it is too small for dropout and has none."""
    return PSPCamVid(classes, widths=(24, 48, 96, 128), inner=128, climb=(48, 24, 16), dropout=(0.0, 0.0))
