"""What PSPNet-18 and BiSeNet-18 share: the ResNet-18 trunk (He et al., CVPR 2016) and the interface of a branch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vssbench.methods.arseg.creff import CReFF
from vssbench.methods.arseg.warp import resize
from vssbench.networks.upsampling import Size, Step

Dilations = Sequence[tuple[int, int]]
UNDILATED: Dilations = ((1, 1), (1, 1))


class ConvNormReLU(nn.Sequential):
    """Convolution without bias (it keeps the size at stride 1), batch normalisation, ReLU."""

    def __init__(self, inner: int, width: int, kernel: int = 3, stride: int = 1):
        super().__init__(
            nn.Conv2d(inner, width, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut."""

    def __init__(self, inner: int, width: int, stride: int, dilations: tuple[int, int]):
        super().__init__()
        first, second = dilations
        self.conv1 = nn.Conv2d(inner, width, 3, stride, first, first, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, second, second, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample: nn.Module | None = None
        if stride != 1 or inner != width:
            self.downsample = nn.Sequential(nn.Conv2d(inner, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(x)) + shortcut, inplace=True)


class ResNet(nn.Module):
    """A ResNet of any blocks: a stem of stride 4 and four layers.

    stem:   the convolution or convolutions of the stem, of stride 2, before its normalisation;  width: its channels
    layers: the four layers
    """

    def __init__(self, stem: nn.Module, width: int, layers: Sequence[nn.Module]):
        super().__init__()
        self.conv1, self.bn1 = stem, nn.BatchNorm2d(width)
        self.layer1, self.layer2, self.layer3, self.layer4 = layers

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Take float[N, 3, H, W], normalised; return the outputs of layers 2, 3 and 4."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.layer1(F.max_pool2d(x, 3, 2, 1))
        layer2 = self.layer2(x)
        layer3 = self.layer3(layer2)
        return layer2, layer3, self.layer4(layer3)


class ResNet18(ResNet):
    """The trunk: two blocks in each layer.

    widths:  channels of the layers
    strides: stride of each layer's first block
    layer3, layer4: dilations of the two convolutions in each of the two blocks
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 512),
        strides: Sequence[int] = (1, 2, 2, 2),
        layer3: Dilations = UNDILATED,
        layer4: Dilations = UNDILATED,
    ):
        stem = nn.Conv2d(3, widths[0], 7, 2, 3, bias=False)
        inner, dilations = widths[0], (UNDILATED, UNDILATED, layer3, layer4)
        layers = []
        for width, stride, (first, second) in zip(widths, strides, dilations, strict=True):
            layers.append(nn.Sequential(BasicBlock(inner, width, stride, first), BasicBlock(width, width, 1, second)))
            inner = width
        super().__init__(stem, widths[0], layers)


class Branch(nn.Module, ABC):
    """What AR-Seg needs from a network, HR or LR: the feature before its last convolution, and that convolution.

    channels:   number of channels of the feature
    classifier: the 1x1 convolution, the same in both branches of a trained pair
    creff:      the fusion module of an LR branch, None in an HR branch
    log_softmax: whether the scores at the frame's size are log-probabilities
    """

    channels: int
    classifier: nn.Conv2d
    log_softmax = False

    def __init__(self) -> None:
        super().__init__()
        self.creff: CReFF | None = None

    @abstractmethod
    def feature(self, image: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Take float[1, 3, H, W], normalised; return (float[1, channels, h, w], what `auxiliary` needs)."""

    @abstractmethod
    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return (h, w) of the feature for an image of that size."""

    def steps(self, scores: Size, size: Size) -> tuple[Step, ...]:
        """Return the steps from scores of one size (h, w) to another, as the official evaluation resizes them."""
        return (Step(size, size, corners=True),)

    def finish(self, scores: Tensor, size: Sequence[int]) -> Tensor:
        """Resize the classifier's output, float[1, classes, h, w], to `size`: logits, or log-probabilities."""
        for step in self.steps((scores.shape[-2], scores.shape[-1]), (size[0], size[1])):
            scores = resize(scores, step.size, step.corners)
        return scores.log_softmax(1) if self.log_softmax else scores

    @abstractmethod
    def auxiliary(self, inner: tuple[Tensor, ...], size: Sequence[int]) -> tuple[Tensor, ...]:
        """Return the outputs of the training heads, which the official forward of a whole frame also computes."""


def global_mean(x: Tensor) -> Tensor:
    """Return the mean over the map, float[N, C, 1, 1]."""
    return torch.mean(x, dim=(2, 3), keepdim=True)
