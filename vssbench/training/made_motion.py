"""A frame's made-up past: what one labelled frame may have looked like a moment ago, and how its pixels moved since.

For videos whose labelled frames lie too far apart to be a pair (CamVid's training frames: a second). The camera moves
towards a point, shifts, and near things move differently from far ones: a zoom, a shift and a smooth random field. No
object moves on its own and nothing is uncovered, so real pairs are better wherever there are any.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vssbench.types import UInt8

ZOOM, SHIFT, SMOOTH = 0.12, (0.05, 0.015), 0.02
"""The most that a movement does: share of the distance to the focus; of the width, across and down; of the width."""
CELLS = (3, 4)
ITERATIONS = 8


def movement(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """float32[H, W, 2], x first: a pixel's source in the earlier frame less the pixel; half of all are small ones."""
    height, width = size
    strength = float(rng.random()) ** 2
    focus = (np.array([width, height]) * rng.uniform(0.3, 0.7, 2)).astype(np.float32)
    shift = (rng.uniform(-1, 1, 2) * SHIFT * width).astype(np.float32)
    coarse = rng.uniform(-1, 1, (*CELLS, 2)).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR) * np.float32(SMOOTH * width)
    zoom = np.float32(rng.uniform(-1, 1) * ZOOM)
    return np.float32(strength) * (shift + smooth - zoom * (_pixels(size) - focus))


def earlier(image: UInt8, motion: NDArray[np.float32]) -> UInt8:
    """The frame whose pixel at p + motion[p] is the image's at p; beyond the border the image is mirrored.

    Found by iterating q -> p with p = q - motion[p], which converges where motion changes by less than a pixel a pixel.
    """
    here = _pixels(motion.shape[:2])
    source = here
    for _ in range(ITERATIONS):
        source = here - _look(motion, source)
    return _look(image, source)


def blocks(motion: NDArray[np.float32], side: int = 16) -> NDArray[np.float32]:
    """The motion as a codec has it: one vector, the mean's, for each block, of whole quarters of a pixel."""
    height, width = motion.shape[:2]
    coarse = cv2.resize(motion, (-(-width // side), -(-height // side)), interpolation=cv2.INTER_AREA)
    fine = np.repeat(np.repeat(np.round(coarse * 4) / 4, side, axis=0), side, axis=1)
    return np.ascontiguousarray(fine[:height, :width], np.float32)


def _pixels(size: tuple[int, ...]) -> NDArray[np.float32]:
    return np.stack(np.meshgrid(*(np.arange(side, dtype=np.float32) for side in size[1::-1])), axis=-1)


def _look(array: NDArray, at: NDArray[np.float32]) -> NDArray:
    found: NDArray = cv2.remap(array, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return found
