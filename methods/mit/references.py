"""Which earlier frames a frame looks at, and frames as the networks want them: the official test pipelines."""

from __future__ import annotations

import cv2
import numpy as np

from vssbench.types import UInt8

REACH = 9
"""Number of frames to keep: the oldest reference of frame t is t - 9."""
STRIDE = 32
FIRST_REGULAR = REACH
_EARLY = {3: (0, 1, 2), 4: (0, 2, 3), 5: (0, 2, 4), 6: (0, 2, 4), 7: (0, 3, 5), 8: (0, 3, 6)}


def reference_frames(t: int) -> tuple[int, ...]:
    """The three reference frames of frame t, oldest first; none for the first three frames of a clip."""
    return (t - 9, t - 6, t - 3) if t >= FIRST_REGULAR else _EARLY.get(t, ())


def network_size(height: int, width: int, box: tuple[int, int] | None) -> tuple[int, int]:
    """A frame's size in the network: fitted into the box, then each side rounded up to a multiple of 32."""
    height, width = fitted(height, width, box)
    return -(-height // STRIDE) * STRIDE, -(-width // STRIDE) * STRIDE


def align(image: UInt8, box: tuple[int, int] | None) -> UInt8:
    """Return uint8[H, W, 3] at `network_size`, by the two official bilinear resizes of bytes (OpenCV): fit, stretch.

    The second resize is part of the methods: MRCFA's network needs sides that are multiples of 32. The others do not,
    but are published with it.
    """
    height, width = image.shape[:2]
    for target in (fitted(height, width, box), network_size(height, width, box)):
        if target != image.shape[:2]:
            image = np.asarray(cv2.resize(image, target[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)
    return image


def fitted(height: int, width: int, box: tuple[int, int] | None) -> tuple[int, int]:
    """The size, scaled at its aspect ratio so that the long side fits the box's long side and the short its short."""
    if box is None:
        return height, width
    factor = min(max(box) / max(height, width), min(box) / min(height, width))
    return int(height * factor + 0.5), int(width * factor + 0.5)
