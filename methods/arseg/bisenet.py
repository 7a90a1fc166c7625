"""BiSeNet V1 (Yu et al., ECCV 2018) on a plain ResNet-18, as AR-Seg uses it (CVPR 2023, section 4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vssbench.methods.arseg.layers import Branch, ConvNormReLU, ResNet18, global_mean
from vssbench.methods.arseg.warp import resize
from vssbench.networks.upsampling import Size, Step

CONTEXT, FEATURE, HEAD = 128, 256, 64


class ChannelGate(nn.Module):
    """A gate per channel, float[N, C, 1, 1] in 0..1, computed from the channels' means over the image."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 1, bias=False)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.bn(self.conv(global_mean(x))))


class AttentionRefinement(nn.Module):
    """A trunk feature projected to the context path's width and gated per channel."""

    def __init__(self, inner: int):
        super().__init__()
        self.conv = ConvNormReLU(inner, CONTEXT)
        self.gate = ChannelGate(CONTEXT)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x * self.gate(x)


class ContextPath(nn.Module):
    """The path with a wide view at low resolution: features at 1/8 and 1/16."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = ResNet18()
        self.arm16, self.arm32 = AttentionRefinement(256), AttentionRefinement(512)
        self.average = ConvNormReLU(512, CONTEXT, 1)
        self.head16, self.head32 = ConvNormReLU(CONTEXT, CONTEXT), ConvNormReLU(CONTEXT, CONTEXT)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        _, x16, x32 = self.backbone(image)
        coarse = double(self.arm32(x32) + self.average(global_mean(x32)))
        context16 = self.head32(resize(coarse, x16.shape[-2:]))  # the doubled size is one too large where 1/16 is odd
        return self.head16(double(self.arm16(x16) + context16)), context16


class FeatureFusion(nn.Module):
    """Fusion of spatial and context features, gated per channel with a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = ConvNormReLU(2 * CONTEXT, FEATURE, 1)
        self.gate = ChannelGate(FEATURE)

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        x = self.conv(torch.cat([spatial, context], 1))
        return x * self.gate(x) + x


class BiSeNet(Branch):
    """BiSeNet. Feature: float[1, 256, H/8, W/8] (sides: twice those at 1/16, which are rounded up)."""

    channels = FEATURE

    def __init__(self, classes: int):
        super().__init__()
        self.context = ContextPath()
        self.spatial = nn.Sequential(
            ConvNormReLU(3, 64, 7, 2),
            ConvNormReLU(64, 64, 3, 2),
            ConvNormReLU(64, 64, 3, 2),
            ConvNormReLU(64, CONTEXT, 1),
        )
        self.fusion = FeatureFusion()
        self.head = ConvNormReLU(FEATURE, FEATURE)
        self.classifier = nn.Conv2d(FEATURE, classes, 1)
        self.head8, self.head16 = (
            nn.Sequential(ConvNormReLU(CONTEXT, HEAD), nn.Conv2d(HEAD, classes, 1)) for _ in range(2)
        )

    def feature(self, image: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        context8, context16 = self.context(image)
        spatial = resize(self.spatial(image), context8.shape[-2:])
        return self.head(self.fusion(spatial, context8)), (context8, context16)

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        return -(-size[0] // 16) * 2, -(-size[1] // 16) * 2

    def steps(self, scores: Size, size: Size) -> tuple[Step, ...]:
        """Resize to eight times the feature's size, and from there to `size`."""
        whole = 8 * scores[0], 8 * scores[1]
        return Step(whole, whole), *super().steps(scores, size)

    def auxiliary(self, inner: tuple[Tensor, ...], size: Sequence[int]) -> tuple[Tensor, ...]:
        """Return logits from the context path at 1/8 and 1/16, each enlarged to about `size`."""
        return enlarge(self.head8(inner[0]), 8), enlarge(self.head16(inner[1]), 16)


def double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def enlarge(x: Tensor, factor: int) -> Tensor:
    return resize(x, (x.shape[-2] * factor, x.shape[-1] * factor), align_corners=False)
