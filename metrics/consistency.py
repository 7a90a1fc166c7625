"""Video consistency (VC, Miao et al., VSPW, CVPR 2021, section 5): do predictions keep still where the truth does?

For a window of n frames: of the pixels whose ground truth is the same in all n frames, the share whose prediction is
the same in all n frames too. Each pixel carries the number of frames since its value last changed, so a frame costs the
same whatever n is: a window ending here is constant at a pixel if that number is at least n - 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vssbench.errors import UserError
from vssbench.metrics.clips import ClipMetric, size
from vssbench.names import Spec
from vssbench.types import IGNORE, Frame, LabelSpace, Prediction, UInt8

COLUMNS = ("constant", "consistent", "constant_labelled", "consistent_labelled", "correct_labelled")
_MAX_WINDOW = 2**16


class Consistency(ClipMetric):
    """Pixel counts of every window, for every n asked for.

    State of a clip: "windows": {n: five lists with one integer for each of the T - n + 1 windows}, named in COLUMNS:
    constant:            pixels with constant ground truth, void counting as a label
    consistent:          those of them with constant prediction
    constant_labelled:   pixels with constant ground truth that is not void
    consistent_labelled: those of them with constant prediction
    correct_labelled:    those of them with constant prediction equal to the ground truth
    No windows are kept of a clip that has frames without labels: they are undefined.
    """

    name = "consistency"
    takes_at = True

    def __init__(self, space: LabelSpace, specs: Sequence[Spec]):
        super().__init__(space, specs)
        self._lengths = sorted({spec.at for spec in self.specs if spec.at})
        if self._lengths and self._lengths[-1] > _MAX_WINDOW:
            raise UserError(f"windows of {self._lengths[-1]} frames are too long", expected=f"at most {_MAX_WINDOW}")
        self._depth = np.uint8 if not self._lengths or self._lengths[-1] <= 256 else np.uint16

    def _begin(self) -> None:
        self._windows: dict[int, list[list[int]]] = {n: [] for n in self._lengths}
        self._pixels: _Pixels | None = None

    def _add(self, frame: Frame, prediction: Prediction) -> None:
        if self._labelled < self._frames:
            self._windows = {}
            return
        labels = frame.labels
        assert labels is not None
        if self._pixels is None:
            self._pixels = _Pixels(labels, prediction.labels, self._depth)
        elif self._pixels.void.shape != labels.shape:
            raise UserError(
                f"the frame is {size(labels)} in a clip of {size(self._pixels.void)}",
                where=f"clip {frame.clip!r}, frame {frame.index} {frame.stem}".rstrip(),
                expected="one size in a clip",
            )
        self._pixels.add(labels, prediction.labels)
        for n, rows in self._windows.items():
            if self._frames >= n:
                rows.append(self._pixels.count(n))

    def _finish(self) -> dict[str, Any]:
        return {"windows": {str(n): np.reshape(rows, (-1, 5)).T.tolist() for n, rows in self._windows.items()}}


class _Pixels:
    """For each pixel, for how many frames ground truth and prediction have not changed.

    All arrays are made once a clip: at this rate, fresh memory would cost more than the arithmetic.
    """

    def __init__(self, labels: UInt8, predicted: UInt8, depth: type[np.unsignedinteger]):
        self.last = [np.invert(labels), np.invert(predicted)]  # so that the first frame is a change everywhere
        self.still = [np.zeros(labels.shape, depth) for _ in self.last]
        self.both, self.ones = np.zeros(labels.shape, depth), np.ones(labels.shape, depth)
        self.same, self.right, self.void, self.constant, self.consistent, self.masked = np.empty(
            (6, *labels.shape), np.bool_
        )
        self.any_void = False

    def add(self, labels: UInt8, predicted: UInt8) -> None:
        """Take in the next frame."""
        for values, last, still in zip((labels, predicted), self.last, self.still, strict=True):
            np.equal(values, last, out=self.same)
            cv2.add(still, self.ones, dst=still)  # saturates, where NumPy would wrap around
            np.multiply(still, self.same.view(np.uint8), out=still)
            np.copyto(last, values)  # a method may write its next prediction into the same array
        np.minimum(self.still[0], self.still[1], out=self.both)
        np.equal(labels, predicted, out=self.right)
        np.equal(labels, IGNORE, out=self.void)
        self.any_void = bool(self.void.any())

    def count(self, n: int) -> list[int]:
        """The five counts of the window of n frames that ends here, in the order of COLUMNS."""
        np.greater_equal(self.still[0], n - 1, out=self.constant)
        np.greater_equal(self.both, n - 1, out=self.consistent)
        all_pixels = [_count(self.constant), _count(self.consistent)]
        if self.any_void:
            for mask in (self.constant, self.consistent):
                np.greater(mask, self.void, out=mask)
        labelled = [_count(self.constant), _count(self.consistent)] if self.any_void else all_pixels
        np.logical_and(self.consistent, self.right, out=self.masked)
        return [*all_pixels, *labelled, _count(self.masked)]


def _count(mask: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(mask))


def windows(state: Sequence[Mapping[str, Any]], n: int) -> NDArray[np.int64] | None:
    """int64[5, windows] in the order of time, rows as in COLUMNS; None where unlabelled frames leave them undefined."""
    parts = [clip["windows"].get(str(n)) for clip in state]
    if any(part is None for part in parts):
        return None
    return np.concatenate([np.empty((5, 0), np.int64), *(np.asarray(part, np.int64) for part in parts)], axis=1)
