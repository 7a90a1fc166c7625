"""ESPNetv2 (Mehta et al., ESPNetv2: A Light-weight, Power Efficient, and General Purpose Convolutional Neural Network,
CVPR 2019), with the segmentation head of the authors' EdgeNets.

The logits are at the input's size, whose sides must be multiples of 16. All bilinear resizing aligns corners.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, gcd
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vssbench.methods.espnet.layers import convolution, named, pool
from vssbench.networks.checkpoints import seeded

Backbone = Literal["s0.5", "s1.0", "s1.5", "s2.0"]
STRIDE = 16
WIDTHS: dict[Backbone, tuple[int, int, int, int]] = {
    "s0.5": (16, 32, 64, 128),
    "s1.0": (32, 64, 128, 256),
    "s1.5": (32, 96, 192, 384),
    "s2.0": (32, 128, 256, 512),
}
"""Channels of the four levels."""
_DECODER = (64, 48, 32)
_BRANCHES = 4
_WIDE, _NARROW = (1, 2, 3, 4), (1, 1, 2, 3)
"""Dilations; the narrow ones are for the last level, whose maps are small."""
_SCALES = (2.0, 1.5, 1.0, 0.5, 0.1)
_LEAST = 5
"""The shortest side that a map of the pyramid pooling may have."""


def _cbr(channels: int, out: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return named(
        conv=convolution(channels, out, kernel, stride, groups=groups), bn=nn.BatchNorm2d(out), act=nn.PReLU(out)
    )


def _br(channels: int) -> tuple[nn.BatchNorm2d, nn.PReLU]:
    return nn.BatchNorm2d(channels), nn.PReLU(channels)


def _decoder_cbr(channels: int, out: int, kernel: int, groups: int = 1) -> nn.Sequential:
    return named(cbr=nn.Sequential(convolution(channels, out, kernel, groups=groups), *_br(out)))


def _decoder_br(channels: int) -> nn.Sequential:
    return named(br=nn.Sequential(*_br(channels)))


def _resized(x: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(x, tuple(size), mode="bilinear", align_corners=True)


class EESP(nn.Module):
    """A reduced map through four depthwise dilations, each adding the previous sum, then expanded to all channels.

    At stride 1 the input is added. At stride 2 `module_act` is in the files but unused.
    """

    def __init__(self, channels: int, out: int, dilations: Sequence[int] = _WIDE, stride: int = 1):
        super().__init__()
        self.stride, reduced = stride, out // _BRANCHES
        self.proj_1x1 = _cbr(channels, reduced, 1, groups=_BRANCHES)
        self.spp_dw = nn.ModuleList(
            named(conv=convolution(reduced, reduced, 3, stride, dilation, groups=reduced)) for dilation in dilations
        )
        self.br_after_cat = named(bn=nn.BatchNorm2d(out), act=nn.PReLU(out))
        self.conv_1x1_exp = named(conv=convolution(out, out, 1, groups=_BRANCHES), bn=nn.BatchNorm2d(out))
        self.module_act = nn.PReLU(out)

    def forward(self, x: Tensor) -> Tensor:
        reduced = self.proj_1x1(x)
        fused: list[Tensor] = []
        for branch in self.spp_dw:
            fused.append(branch(reduced) + fused[-1] if fused else branch(reduced))
        y: Tensor = self.conv_1x1_exp(self.br_after_cat(torch.cat(fused, 1)))
        if self.stride == 1:
            y = self.module_act(x + y)
        return y


class Downsampler(nn.Module):
    """Half the size: the pooled input concatenated with an EESP unit, plus the picture pooled to the same size."""

    def __init__(self, channels: int, out: int):
        super().__init__()
        self.eesp = EESP(channels, out - channels, stride=2)
        small = named(conv=convolution(3, out, 1), bn=nn.BatchNorm2d(out))
        self.inp_reinf = nn.Sequential(_cbr(3, 3), small)
        self.act = nn.PReLU(out)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        """Downsample x. image: float[N, 3, h, w], the network's input pooled to the output's size"""
        result: Tensor = self.act(torch.cat((pool(x), self.eesp(x)), 1) + self.inp_reinf(image))
        return result


class Encoder(nn.Module):
    """ESPNetv2 without its classifier and the layers that lead to it."""

    def __init__(self, widths: Sequence[int]):
        super().__init__()
        one, two, three, four = widths
        self.level1 = _cbr(3, one, stride=2)
        self.level2_0 = Downsampler(one, two)
        self.level3_0 = Downsampler(two, three)
        self.level3 = nn.Sequential(*(EESP(three, three) for _ in range(3)))
        self.level4_0 = Downsampler(three, four)
        self.level4 = nn.Sequential(*(EESP(four, four, _NARROW) for _ in range(7)))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the four levels, at 1/2, 1/4, 1/8 and 1/16."""
        quarter = pool(pool(image))
        eighth = pool(quarter)
        one = self.level1(image)
        two = self.level2_0(one, quarter)
        three = self.level3(self.level3_0(two, eighth))
        return one, two, three, self.level4(self.level4_0(three, pool(eighth)))


class ChannelShuffle(nn.Module):
    """The same as torch's, but twice as fast in channels-last memory: one copy of rows."""

    def __init__(self, groups: int):
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        rows = x.permute(0, 2, 3, 1).unflatten(-1, (self.groups, -1))
        return rows.transpose(-1, -2).flatten(-2).permute(0, 3, 1, 2)


class PyramidPooling(nn.Module):
    """A reduced map at five sizes, with a depthwise convolution at each, merged again.

    last: whether this is the network's last layer, which has a bias and no normalisation
    """

    def __init__(self, channels: int, out: int, reduced: int, last: bool = False):
        super().__init__()
        self.projection_layer = _decoder_cbr(channels, reduced, 1)
        self.stages = nn.ModuleList(convolution(reduced, reduced, groups=reduced) for _ in _SCALES)
        self.merge_layer = nn.Sequential(
            _decoder_br(reduced * len(_SCALES)),
            ChannelShuffle(len(_SCALES)),
            _decoder_cbr(reduced * len(_SCALES), reduced, 3, groups=reduced),
            nn.Conv2d(reduced, out, 1, bias=last),
        )
        self.br = nn.Identity() if last else _decoder_br(out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.projection_layer(x)
        height, width = own = x.shape[-2], x.shape[-1]
        found = []
        for scale, stage in zip(_SCALES, self.stages, strict=True):
            size = max(_LEAST, ceil(height * scale)), max(_LEAST, ceil(width * scale))
            if scale > 1:
                found.append(F.adaptive_avg_pool2d(stage(_resized(x, size)), own))
            elif scale < 1:
                found.append(_resized(stage(F.adaptive_avg_pool2d(x, size)), own))
            else:
                found.append(stage(x))
        result: Tensor = self.br(self.merge_layer(torch.cat(found, 1)))
        return result


class Merge(nn.Module):
    """An encoder level in the decoder's number of channels, each weighted by a gate on the level's global mean."""

    def __init__(self, channels: int, out: int):
        super().__init__()
        self.expansion_layer = _decoder_cbr(channels, out, 3, groups=gcd(channels, out))
        self.wt_layer = nn.Sequential(nn.AdaptiveAvgPool2d(1), convolution(channels, out, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.expansion_layer(x) * self.wt_layer(x)
        return result


class ESPNetV2(nn.Module):
    """Encoder and decoder.

    outputs: number of outputs of the last layer, including void if it is one
    """

    def __init__(self, outputs: int, widths: Sequence[int]):
        super().__init__()
        one, two, three, four = widths
        reduced = min(outputs // 2, 16)
        wide, mid, narrow = _DECODER
        self.base_net = Encoder(widths)
        self.bu_dec_l1 = PyramidPooling(four, wide, reduced)
        self.bu_dec_l2 = PyramidPooling(wide, mid, reduced)
        self.bu_dec_l3 = PyramidPooling(mid, narrow, reduced)
        self.bu_dec_l4 = PyramidPooling(narrow, outputs, reduced, last=True)
        self.merge_enc_dec_l2 = Merge(three, wide)
        self.merge_enc_dec_l3 = Merge(two, mid)
        self.merge_enc_dec_l4 = Merge(one, narrow)
        self.bu_br_l2, self.bu_br_l3, self.bu_br_l4 = (nn.Sequential(*_br(width)) for width in _DECODER)

    def forward(self, image: Tensor) -> Tensor:
        """Take float[N, 3, H, W], normalised; return logits, float[N, K, H, W]."""
        one, two, three, four = self.base_net(image)
        y = self.bu_dec_l1(four)
        y = self.bu_dec_l2(self.bu_br_l2(_resized(y, three.shape[-2:]) + self.merge_enc_dec_l2(three)))
        y = self.bu_dec_l3(self.bu_br_l3(_resized(y, two.shape[-2:]) + self.merge_enc_dec_l3(two)))
        y = self.bu_dec_l4(self.bu_br_l4(_resized(y, one.shape[-2:]) + self.merge_enc_dec_l4(one)))
        return _resized(y, image.shape[-2:])


def build(backbone: Backbone, outputs: int) -> ESPNetV2:
    """Return the network in evaluation mode, with random weights determined by the arguments."""
    with seeded(f"espnetv2 {backbone} {outputs}"):
        return ESPNetV2(outputs, WIDTHS[backbone]).eval()
