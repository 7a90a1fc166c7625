"""A synthetic past of a frame: how a labelled frame may have looked a moment ago, and how its pixels moved since.

This is for videos whose labelled frames are too far apart to be a pair (CamVid's training frames: a second). The
camera moves towards a point, shifts, and near things move differently from far ones: a zoom, a shift and a smooth
random field. No object moves on its own and nothing is uncovered, so real pairs are better if there are any.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vssbench.types import UInt8

ZOOM, SHIFT, SMOOTH = 0.12, (0.05, 0.015), 0.02
"""The limits of a movement: share of the distance to the focus; of the width, across and down; of the width."""
CELLS = (3, 4)
ITERATIONS = 8


def movement(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw float32[H, W, 2], x first: a pixel's source in the earlier frame minus the pixel; half of all are small."""
    height, width = size
    strength = float(rng.random()) ** 2
    focus = (np.array([width, height]) * rng.uniform(0.3, 0.7, 2)).astype(np.float32)
    shift = (rng.uniform(-1, 1, 2) * SHIFT * width).astype(np.float32)
    coarse = rng.uniform(-1, 1, (*CELLS, 2)).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR) * np.float32(SMOOTH * width)
    zoom = np.float32(rng.uniform(-1, 1) * ZOOM)
    return np.float32(strength) * (shift + smooth - zoom * (_pixels(size) - focus))


def earlier(image: UInt8, motion: NDArray[np.float32]) -> UInt8:
    """Return the frame whose pixel at p + motion[p] is the image's at p; the image is mirrored beyond the border.

    It iterates q -> p with p = q - motion[p], which converges where motion changes by less than a pixel per pixel.
    """
    here = _pixels(motion.shape[:2])
    source = here
    for _ in range(ITERATIONS):
        source = here - _look(motion, source)
    return _look(image, source)


def blocks(motion: NDArray[np.float32], side: int = 16) -> NDArray[np.float32]:
    """Return the motion as a codec stores it: the mean vector of each block, rounded to quarters of a pixel."""
    height, width = motion.shape[:2]
    coarse = cv2.resize(motion, (-(-width // side), -(-height // side)), interpolation=cv2.INTER_AREA)
    fine = np.repeat(np.repeat(np.round(coarse * 4) / 4, side, axis=0), side, axis=1)
    return np.ascontiguousarray(fine[:height, :width], np.float32)


def _pixels(size: tuple[int, ...]) -> NDArray[np.float32]:
    return np.stack(np.meshgrid(*(np.arange(side, dtype=np.float32) for side in size[1::-1])), axis=-1)


def _look(array: NDArray, at: NDArray[np.float32]) -> NDArray:
    found: NDArray = cv2.remap(array, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return found
