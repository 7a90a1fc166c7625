"""Dense optical flow by OpenCV's DIS, and warping along it: methods use it to propagate, TC to compare frames."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from vssbench.types import UInt8

Float32 = NDArray[np.float32]
Preset = Literal["ultrafast", "fast", "medium"]
_PRESETS: dict[Preset, int] = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
_ROWS = 64
_SMALLEST = 32
"""OpenCV's DIS picks its pyramid by the width alone; with fewer rows or columns it crashes or returns NaN."""


class DenseFlow:
    """DIS optical flow (Kroeger et al., ECCV 2016); the same result for any number of threads."""

    def __init__(self, preset: Preset):
        self.dis = cv2.DISOpticalFlow.create(_PRESETS[preset])

    def __call__(self, current: UInt8, key: UInt8) -> Float32:
        """Return float32[H, W, 2], pixels, x first: where each pixel of `current` is in `key`, relative to itself.

        current, key: uint8[H, W] grey values of any size; small ones are padded by repeating the last row and column.
        """
        height, width = current.shape
        below, right = max(0, _SMALLEST - height), max(0, _SMALLEST - width)
        if below or right:
            current, key = (
                cv2.copyMakeBorder(grey, 0, below, 0, right, cv2.BORDER_REPLICATE) for grey in (current, key)
            )
        return self.dis.calc(current, key, None)[:height, :width]


def warped_labels(labels: UInt8, flow: Float32) -> UInt8:
    """Return uint8[H, W]: the nearest label at each pixel's source."""
    return cv2.remap(labels, *_source(flow), cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)


def warped_from_within(labels: UInt8, flow: Float32) -> UInt8:
    """Return the same, with IGNORE where the source is more than half a pixel outside the other frame, or NaN.

    A few rows are processed at a time, so that the working set stays in the cache.
    """
    height, width = flow.shape[:2]
    grid, room = _grid(height, width), np.empty((min(_ROWS, height), width, 2), np.float32)
    warped, ends = np.empty((height, width), np.uint8), _ends(height, width)
    for top in range(0, height, _ROWS):
        rows = slice(top, top + _ROWS)
        part, found = flow[rows], warped[rows]
        source = np.add(part, grid[rows], out=room[: len(part)])
        cv2.remap(labels, source, None, cv2.INTER_NEAREST, dst=found, borderMode=cv2.BORDER_REPLICATE)
        cv2.bitwise_or(found, cv2.bitwise_not(cv2.inRange(source, *ends)), dst=found)
    return warped


def from_within(flow: Float32) -> NDArray[np.bool_]:
    """Return bool[H, W]: whether a pixel's source is within the other frame, to half a pixel."""
    height, width = flow.shape[:2]
    inside = np.asarray(cv2.inRange(flow + _grid(height, width), *_ends(height, width)), np.uint8)
    return inside.view(np.bool_)


def warped_planes(scores: Float32, flow: Float32, outside: Literal["nearest", "zero"] = "nearest") -> Iterator[Float32]:
    """Yield float32[H, W] for each class of float32[C, H, W] scores, sampled bilinearly at each pixel's source.

    outside: the scores of a source beyond the border: the nearest border pixel's, or zeros
    Classes are warped one at a time: 124 of them at 480x853, warped at once, would take 200 MB more.
    """
    source, border = _source(flow), cv2.BORDER_REPLICATE if outside == "nearest" else cv2.BORDER_CONSTANT
    for plane in scores:
        yield cv2.remap(plane, *source, cv2.INTER_LINEAR, borderMode=border, borderValue=0)


@lru_cache(maxsize=2)
def _grid(height: int, width: int) -> Float32:
    """float32[H, W, 2]: x and y of each pixel."""
    return np.dstack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)))


def _ends(height: int, width: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """The first and the last x and y that are inside: the half pixel counts on one side only."""
    last = [float(np.nextafter(np.float32(side - 0.5), np.float32(-1))) for side in (width, height)]
    return (-0.5, -0.5), (last[0], last[1])


def _source(flow: Float32) -> tuple[Float32, Float32]:
    """Absolute x and y in the key frame: float32[H, W] each."""
    height, width = flow.shape[:2]
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    return np.add(flow[..., 0], x, dtype=np.float32), np.add(flow[..., 1], y[:, None], dtype=np.float32)
