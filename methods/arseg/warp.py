"""Resizing maps, and warping them from the key frame by dense motion (AR-Seg, CVPR 2023, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Form = Literal["official", "consistent"]


def resize(x: Tensor, size: Sequence[int], align_corners: bool = True) -> Tensor:
    """Return float[N, C, *size], bilinear; the same tensor if it already has that size."""
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=align_corners)


def motion_on(size: Sequence[int], motion: Tensor) -> Tensor:
    """Return the motion map on a feature's grid and in its pixels.

    size:   (h, w) of the feature
    motion: float32[1, 2, H, W], in pixels of the image, x first
    Returns float32[1, 2, h, w]; both components are scaled by h / H, as the official code does.
    """
    return resize(motion * (size[0] / motion.shape[-2]), size)


def warp(feature: Tensor, motion: Tensor, form: Form = "official") -> Tensor:
    """Warp a feature to the current frame: output(p) = feature(p + motion(p)), bilinear, zero outside.

    feature: float[1, C, h, w] of the key frame, best in channels-last memory, as the float32 result is
    motion:  float32[1, 2, h, w] from `motion_on`
    form:    "official" normalises positions by size - 1 but samples with align_corners=False, so that zero motion moves
             the borders by half a pixel outwards; "consistent" samples where the motion map points
    """
    _, channels, height, width = feature.shape
    # grid_sample uses one core per image. An embedding bag computes the same sum of four weighted vectors on all cores.
    x, y = (((place + 1) * size - 1) / 2 for place, size in zip(_places(motion, form), (width, height), strict=True))
    left, top = x.floor(), y.floor()
    corners, shares = [], []
    for row, vertical in ((top, top + 1 - y), (top + 1, y - top)):
        for column, horizontal in ((left, left + 1 - x), (left + 1, x - left)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            corners.append(torch.where(inside, row * width + column, 0).long())
            shares.append(vertical * horizontal * inside)
    vectors = feature[0].permute(1, 2, 0).reshape(-1, channels).float()
    index, weight = (torch.stack(parts, -1).view(-1, 4) for parts in (corners, shares))
    result = F.embedding_bag(index, vectors, mode="sum", per_sample_weights=weight)
    return result.view(1, height, width, channels).permute(0, 3, 1, 2)


def plain_warp(feature: Tensor, motion: Tensor, form: Form = "official") -> Tensor:
    """Do the same with the operator that FLOP counters know."""
    grid = torch.stack(_places(motion, form), -1).unsqueeze(0)
    return F.grid_sample(feature, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _places(motion: Tensor, form: Form) -> tuple[Tensor, Tensor]:
    """Return each pixel's source, x and y, float[h, w] each, in grid_sample's units (-1 and 1: the outer edges)."""
    height, width = motion.shape[-2:]
    x = torch.arange(width, device=motion.device) + motion[0, 0]
    y = torch.arange(height, device=motion.device)[:, None] + motion[0, 1]
    if form == "official":
        return 2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1
    return (2 * x + 1) / width - 1, (2 * y + 1) / height - 1
