"""ESPNet (Mehta et al., ESPNet: Efficient Spatial Pyramid of Dilated Convolutions, ECCV 2018, section 3).

The logits are at the input's size, whose sides must be multiples of 8.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from vssbench.methods.espnet.layers import convolution, named, pool
from vssbench.networks.checkpoints import seeded

Backbone = Literal["tiny", "p2_q3", "p2_q5", "p2_q8"]
Skip = Literal["level1", "b1"]
STRIDE = 8
WIDTHS: dict[Skip, int] = {"level1": 16, "b1": 19}
"""Channels that the decoder's last step may see: the first convolution alone, or together with the picture."""
_DILATIONS = (1, 2, 4, 8, 16)
_EPS = 1e-3
"""Epsilon of all normalisation. The input is so small (see the adapter) that PyTorch's 1e-5 destroys the output."""


class Depth(NamedTuple):
    """The number of units in the second and third levels."""

    p: int
    q: int


DEPTHS: dict[Backbone, Depth] = {
    "tiny": Depth(1, 2),
    "p2_q3": Depth(2, 3),
    "p2_q5": Depth(2, 5),
    "p2_q8": Depth(2, 8),
}


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_EPS)


def _br(channels: int) -> nn.Sequential:
    return named(bn=_norm(channels), act=nn.PReLU(channels))


def _cbr(channels: int, out: int, stride: int = 1) -> nn.Sequential:
    return named(conv=convolution(channels, out, stride=stride), bn=_norm(out), act=nn.PReLU(out))


def _up(channels: int, out: int) -> nn.ConvTranspose2d:
    """Double the size."""
    return nn.ConvTranspose2d(channels, out, 2, stride=2, bias=False)


class ESP(nn.Module):
    """Efficient spatial pyramid: a reduced map through five dilations, summed cumulatively from narrow to wide.

    stride:   2 halves the size
    residual: the input is added before the normalisation
    """

    def __init__(self, channels: int, out: int, stride: int = 1, residual: bool = True):
        super().__init__()
        self.residual = residual and stride == 1
        reduced = out // len(_DILATIONS)
        self.c1 = named(conv=convolution(channels, reduced, 1 if stride == 1 else 3, stride))
        for dilation in _DILATIONS:
            width = out - reduced * (len(_DILATIONS) - 1) if dilation == 1 else reduced
            setattr(self, f"d{dilation}", named(conv=convolution(reduced, width, dilation=dilation)))
        self.bn = _br(out) if stride == 1 else _norm(out)
        self.act = nn.Identity() if stride == 1 else nn.PReLU(out)

    def forward(self, x: Tensor) -> Tensor:
        reduced = self.c1(x)
        first, *wider = (getattr(self, f"d{dilation}")(reduced) for dilation in _DILATIONS)
        fused = [first, wider[0]]  # the first takes no part in the sums
        for branch in wider[1:]:
            fused.append(fused[-1] + branch)
        y = torch.cat(fused, 1)
        result: Tensor = self.act(self.bn(x + y if self.residual else y))
        return result


class Encoded(NamedTuple):
    """The decoder's input: level1 float[N, 16, H/2, W/2], b1 [N, 19, H/2, W/2], b2 [N, 131, H/4, W/4], and
    scores [N, K, H/8, W/8], the output of ESPNet-C."""

    level1: Tensor
    b1: Tensor
    b2: Tensor
    scores: Tensor


class Encoder(nn.Module):
    """ESPNet-C."""

    def __init__(self, outputs: int, depth: Depth):
        super().__init__()
        self.level1 = _cbr(3, 16, stride=2)
        self.b1 = _br(16 + 3)
        self.level2_0 = ESP(16 + 3, 64, stride=2)
        self.level2 = nn.Sequential(*(ESP(64, 64) for _ in range(depth.p)))
        self.b2 = _br(2 * 64 + 3)
        self.level3_0 = ESP(2 * 64 + 3, 128, stride=2)
        self.level3 = nn.Sequential(*(ESP(128, 128) for _ in range(depth.q)))
        self.b3 = _br(2 * 128)
        self.classifier = named(conv=convolution(2 * 128, outputs, 1))

    def forward(self, image: Tensor) -> Encoded:
        half = pool(image)
        level1 = self.level1(image)
        b1 = self.b1(torch.cat((level1, half), 1))
        shallow = self.level2_0(b1)
        b2 = self.b2(torch.cat((self.level2(shallow), shallow, pool(half)), 1))
        shallow = self.level3_0(b2)
        b3 = self.b3(torch.cat((shallow, self.level3(shallow)), 1))  # here the shallow one comes first
        return Encoded(level1, b1, b2, self.classifier(b3))


class ESPNet(nn.Module):
    """Encoder and decoder.

    outputs: number of outputs of the last layer, including void if it is one
    skip:    what the decoder's last step sees: level1 in the published Cityscapes networks, b1 in the CamVid network
    """

    def __init__(self, outputs: int, depth: Depth, skip: Skip):
        super().__init__()
        self.skip = skip
        width = max(outputs, len(_DILATIONS))  # at least one channel per dilation
        self.encoder = Encoder(width, depth)
        self.level3_C = named(conv=convolution(2 * 64 + 3, width, 1))
        self.br = _norm(width)
        self.up_l3 = nn.Sequential(_up(width, width))
        self.combine_l2_l3 = nn.Sequential(_br(2 * width), ESP(2 * width, width, residual=False))
        self.up_l2 = nn.Sequential(_up(width, width), _br(width))
        self.conv = _cbr(width + WIDTHS[skip], width)
        self.classifier = _up(width, outputs)

    def forward(self, image: Tensor) -> Tensor:
        """Take float[N, 3, H, W] as the adapter normalises it; return logits, float[N, K, H, W]."""
        inner: Encoded = self.encoder(image)
        up = self.up_l3(self.br(inner.scores))
        up = self.up_l2(self.combine_l2_l3(torch.cat((self.level3_C(inner.b2), up), 1)))
        skip = inner.level1 if self.skip == "level1" else inner.b1
        logits: Tensor = self.classifier(self.conv(torch.cat((up, skip), 1)))
        return logits


def build(backbone: Backbone, outputs: int, skip: Skip) -> ESPNet:
    """Return the network in evaluation mode, with random weights determined by the arguments."""
    with seeded(f"espnet {backbone} {outputs} {skip}"):
        return ESPNet(outputs, DEPTHS[backbone], skip).eval()
