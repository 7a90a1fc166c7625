"""Labels from class scores at a network's own size: the argmax of their bilinear upsampling, mostly without doing it.

An upsampled score is a weighted mean of a few scores around it. Where one class leads in all of these, it leads in
every such mean: only the other pixels, along the borders of the classes, need their means computed. The labels are the
same; on a CPU they take an eighth of the time if regions are large, and half of it on noise.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vssbench.types import UInt8

Size = tuple[int, int]
_CHUNK = 1 << 15
"""The most pixels whose means are in memory at a time."""


class Step(NamedTuple):
    """Upsampling to `size`, then cropping to the first `kept` rows and columns; (height, width).

    corners: the corners' centres are kept (torch's align_corners); else half-pixel centres are used
    """

    size: Size
    kept: Size
    corners: bool = False


class Taps(NamedTuple):
    """The weighted mean that each place along one axis is.

    place: int64[n, K], before upsampling;  share: float32[n, K], with sum 1
    """

    place: Tensor
    share: Tensor


def upsampled(scores: Tensor, *steps: Step) -> Tensor:
    """Return float[C, H, W] after the steps, from float[C, h, w]."""
    for (rows, columns), (height, width), corners in steps:
        if scores.shape[-2:] != (rows, columns):
            scores = F.interpolate(scores[None], (rows, columns), mode="bilinear", align_corners=corners)[0]
        scores = scores[:, :height, :width]
    return scores


def upsampled_labels(scores: Tensor, *steps: Step) -> UInt8:
    """Return uint8[H, W]: the class of the largest upsampled score at every pixel, from float32[C, h, w]."""
    labels: UInt8
    if scores.device.type != "cpu":
        labels = upsampled(scores, *steps).argmax(dim=0).to(torch.uint8).cpu().numpy()
        return labels
    down, across = (
        taps(scores.shape[1 + axis], tuple((step.size[axis], step.kept[axis], step.corners) for step in steps))
        for axis in (0, 1)
    )
    table = scores.permute(1, 2, 0).contiguous()
    leading = table.numpy().argmax(axis=2).astype(np.uint8)
    labels, highest = (_extreme(best, leading, down, across) for best in (np.minimum, np.maximum))
    y, x = np.nonzero(labels != highest)
    for start in range(0, len(y), _CHUNK):
        some = y[start : start + _CHUNK], x[start : start + _CHUNK]
        labels[some] = _means(table, down, across, *map(torch.from_numpy, some)).numpy().argmax(axis=1)
    return labels


@lru_cache(maxsize=16)
def taps(size: int, steps: tuple[tuple[int, int, bool], ...]) -> Taps:
    """The taps along one axis of `size` places; steps: (size upsampled to, how much is kept, corners), in turn."""
    index, share = torch.arange(size)[:, None], torch.ones(size, 1, dtype=torch.float64)
    for outer, kept, corners in steps:
        if outer == len(index):
            index, share = index[:kept], share[:kept]
            continue
        place = torch.arange(kept, dtype=torch.float64)
        if corners:
            place *= (len(index) - 1) / max(outer - 1, 1)
        else:
            place = ((place + 0.5) * (len(index) / outer) - 0.5).clamp_(min=0)
        before = place.long()
        after = (before + 1).clamp_(max=len(index) - 1)
        behind = (place - before)[:, None]
        index = torch.cat((index[before], index[after]), 1)
        share = torch.cat((share[before] * (1 - behind), share[after] * behind), 1)
    return Taps(index, share.float())


def _extreme(best: np.ufunc, leading: UInt8, down: Taps, across: Taps) -> UInt8:
    """Return uint8[H, W]: the lowest or highest class that leads in any of the places that a pixel is a mean of."""
    narrow = _reduced(best, leading, down.place.numpy(), axis=0)
    return _reduced(best, narrow, across.place.numpy(), axis=1)


def _reduced(best: np.ufunc, values: UInt8, index: NDArray[np.int64], axis: int) -> UInt8:
    found = values.take(index[:, 0], axis)
    for places in index.T[1:]:
        best(found, values.take(places, axis), out=found)
    return found


def _means(table: Tensor, down: Taps, across: Taps, y: Tensor, x: Tensor) -> Tensor:
    """Return float32[n, C]: the upsampled scores of the pixels (y, x); table: float32[h, w, C]."""
    places = down.place[y][:, :, None] * table.shape[1] + across.place[x][:, None, :]
    shares = down.share[y][:, :, None] * across.share[x][:, None, :]
    return F.embedding_bag(places.flatten(1), table.flatten(0, 1), per_sample_weights=shares.flatten(1), mode="sum")
