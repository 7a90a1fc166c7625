"""The trunks of TDNet's sub-networks: dilated ResNets (He et al., CVPR 2016) at stride 8."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from vssbench.methods.arseg.layers import ResNet, ResNet18
from vssbench.methods.arseg.pspnet import STRIDES
from vssbench.methods.arseg.pspnet import tiny as tiny_psp18

Backbone = Literal["tiny", "td4_psp18", "td2_psp50"]


@dataclass(frozen=True)
class Config:
    """trunk:  makes a sub-network's trunk, whose forward returns the outputs of layers 2, 3 and 4
    paths:  how many sub-networks take turns
    width:  channels of the trunk's output;  deep: of its third layer, for the training head
    keys, values, head: channels of keys and queries, of values, and within the head
    table:  (h, w) of the normalisation's tables, unless a file has others
    """

    trunk: Callable[[], nn.Module]
    paths: int
    width: int
    deep: int
    keys: int
    values: int
    head: int
    table: tuple[int, int]


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions next to a shortcut; the 3x3 has the stride and the dilation."""

    def __init__(self, inner: int, width: int, stride: int, dilation: int):
        super().__init__()
        outer = 4 * width
        self.conv1 = nn.Conv2d(inner, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outer, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outer)
        self.downsample: nn.Module | None = None
        if stride != 1 or inner != outer:
            self.downsample = nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        return F.relu(self.bn3(self.conv3(x)) + shortcut, inplace=True)


class ResNet50(ResNet):
    """A stem of three convolutions, stride 8; dilations are 1, 2, 2, .. in layer 3 and 4, 8, 16 in layer 4."""

    def __init__(self) -> None:
        stem = nn.Sequential(
            nn.Conv2d(3, 64, 3, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
            nn.Conv2d(64, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
            nn.Conv2d(64, 128, 3, 1, 1, bias=False),
        )  # fmt: skip
        inner, layers = 128, []
        shapes = ((64, 1, (1,) * 3), (128, 2, (1,) * 4), (256, 1, (1, 2, 2, 2, 2, 2)), (512, 1, (4, 8, 16)))
        for width, stride, dilations in shapes:
            blocks = []
            for number, dilation in enumerate(dilations):
                blocks.append(Bottleneck(inner, width, 1 if number else stride, dilation))
                inner = 4 * width
            layers.append(nn.Sequential(*blocks))
        super().__init__(stem, 128, layers)


def _resnet18() -> nn.Module:
    """Return ResNet-18; layer 4's multi-grid, 4-8-16, applies only to the first convolution of each block."""
    return ResNet18(strides=STRIDES, layer3=((1, 2), (2, 2)), layer4=((4, 4), (8, 4)))


def _tiny() -> nn.Module:
    """Return the trunk of the tiny psp18, from which a tiny TDNet starts."""
    return tiny_psp18(1).backbone


OFFICIAL_TABLE = (97, 193)
CONFIGS: dict[Backbone, Config] = {
    "tiny": Config(_tiny, 2, width=128, deep=96, keys=16, values=40, head=24, table=(16, 28)),
    "td4_psp18": Config(_resnet18, 4, width=512, deep=256, keys=64, values=512, head=128, table=OFFICIAL_TABLE),
    "td2_psp50": Config(ResNet50, 2, width=2048, deep=1024, keys=64, values=512, head=256, table=OFFICIAL_TABLE),
}
