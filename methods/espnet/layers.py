"""The building blocks of ESPNet and ESPNetv2. Attributes are named as in the official files, which thus load unchanged.

BR means batch normalisation and a PReLU with one slope per channel; CBR means a convolution without bias, then BR.
"""

from __future__ import annotations

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn


def named(**modules: nn.Module) -> nn.Sequential:
    """Return a sequence of the modules, each under its name."""
    return nn.Sequential(OrderedDict(modules))


def convolution(
    channels: int, out: int, kernel: int = 3, stride: int = 1, dilation: int = 1, groups: int = 1
) -> nn.Conv2d:
    """Return a convolution without bias; it keeps the size, or at stride 2 halves it, rounding up."""
    padding = kernel // 2 * dilation
    return nn.Conv2d(channels, out, kernel, stride, padding, dilation, groups, bias=False)


def pool(image: Tensor) -> Tensor:
    """Halve the size, rounding up: the mean of 3x3, including the padding's zeros."""
    return F.avg_pool2d(image, 3, stride=2, padding=1)
