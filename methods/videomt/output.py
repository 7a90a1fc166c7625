"""From a frame's class and mask logits to labels, in the official order, which is not Mask2Former's.

Masks are resized to the padded size, the padding is cut off, and the sigmoid follows. The probabilities are resized to
the frame's size and only there multiplied by those of the classes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vssbench.methods.mask2former import network as mask2former
from vssbench.methods.mask2former.network import Geometry, class_probabilities
from vssbench.types import UInt8

_GROUP = 2
"""Masks that are enlarged at a time: at 720x1280 two stay in the cache, where 200 would take 0.75 GB."""
_BAND = 8192
"""Pixels whose class scores are computed at a time, for the same reason; measured."""


def class_scores(classes: Tensor, masks: Tensor, geometry: Geometry) -> Tensor:
    """Return float[C, H, W] at the frame's size: the sum over queries of class probability times mask probability.

    classes: float[Q, C + 1] logits;  masks: float[Q, h, w] logits at stride 4 of the padded frame
    """
    return torch.einsum("qc,qhw->chw", class_probabilities(classes), mask_probabilities(masks, geometry))


def class_labels(classes: Tensor, masks: Tensor, geometry: Geometry) -> UInt8:
    """Return uint8[H, W]: the argmax of `class_scores`; on a CPU in parts that fit the cache, with the same numbers."""
    if masks.device.type != "cpu":
        found: UInt8 = class_scores(classes, masks, geometry).argmax(dim=0).to(torch.uint8).cpu().numpy()
        return found
    if geometry.resized == geometry.frame:  # then the two orders are the same
        return mask2former.class_labels(classes, masks, geometry)
    pixels = torch.cat([mask_probabilities(some, geometry) for some in masks.split(_GROUP)]).flatten(1)
    probabilities = class_probabilities(classes)
    parts = [(band.T @ probabilities).numpy().argmax(axis=1).astype(np.uint8) for band in pixels.split(_BAND, dim=1)]
    return np.concatenate(parts).reshape(geometry.frame)


def mask_probabilities(masks: Tensor, geometry: Geometry) -> Tensor:
    """Return float[Q, H, W] at the frame's size from logits at stride 4."""
    height, width = geometry.resized
    whole = F.interpolate(masks[None], geometry.padded, mode="bilinear", align_corners=False)
    found = whole[..., :height, :width].sigmoid()
    if geometry.resized == geometry.frame:
        return found[0]  # resizing to the same size would change nothing
    return F.interpolate(found, geometry.frame, mode="bilinear", align_corners=False)[0]
