"""Class scores returned by another method: checked, and turned into labels plane by plane."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from vssbench.optical_flow import Float32
from vssbench.types import UInt8


def largest(planes: Iterable[Float32]) -> UInt8:
    """Return uint8[H, W]: the class with the largest score, given float32[C, H, W] or its planes; first of equals."""
    planes = iter(planes)
    best = next(planes).copy()
    labels = np.zeros(best.shape, np.uint8)
    for train_id, plane in enumerate(planes, start=1):
        labels[plane > best] = train_id
        np.maximum(best, plane, out=best)
    return labels


def checked_scores(scores: Any, size: tuple[int, ...]) -> Float32:
    """Return a method's scores if they are float32[C, H, W] at the frame's size; raise TypeError otherwise."""
    if not isinstance(scores, np.ndarray) or scores.dtype != np.float32 or scores.shape[1:] != size:
        found = f"{scores.dtype}{list(scores.shape)}" if isinstance(scores, np.ndarray) else type(scores).__name__
        raise TypeError(f"scores() returned {found}, expected float32[C, {size[0]}, {size[1]}]")
    return scores
