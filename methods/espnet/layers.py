"""What ESPNet and ESPNetv2 are made of. Attributes are named as in the official files, so that those load as they are.

BR stands for batch normalisation and a PReLU with a slope for each channel, CBR for a convolution without bias and BR.
"""

from __future__ import annotations

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn


def named(**modules: nn.Module) -> nn.Sequential:
    """One after the other, each under its name."""
    return nn.Sequential(OrderedDict(modules))


def convolution(
    channels: int, out: int, kernel: int = 3, stride: int = 1, dilation: int = 1, groups: int = 1
) -> nn.Conv2d:
    """Without bias; it keeps the size, or halves it, rounding up, at stride 2."""
    padding = kernel // 2 * dilation
    return nn.Conv2d(channels, out, kernel, stride, padding, dilation, groups, bias=False)


def pool(image: Tensor) -> Tensor:
    """Half the size, rounded up: the mean of 3x3, the padding's zeros counted in."""
    return F.avg_pool2d(image, 3, stride=2, padding=1)
