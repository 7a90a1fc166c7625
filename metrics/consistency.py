"""Video consistency (VC, Miao et al., VSPW, CVPR 2021, section 5): do predictions keep still where the truth does?

For a window of n frames: of the pixels whose ground truth is the same in all n frames, the share whose prediction is
the same in all n frames too. Each pixel carries the number of frames since its value last changed; a window ending here
is constant at a pixel if that number is at least n - 1. The numbers are kept as bit planes, eight pixels to the byte:
time and memory grow with log n, and the memory for pixels not with the clip.
"""

from __future__ import annotations

from array import array
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

    def _begin(self) -> None:
        self._windows = {n: array("q") for n in self._lengths}  # five counts after five counts
        self._pixels: _Pixels | None = None

    def _add(self, frame: Frame, prediction: Prediction) -> None:
        if self._labelled < self._frames:
            self._windows = {}
            return
        labels = frame.labels
        assert labels is not None
        if self._pixels is None:
            self._pixels = _Pixels(labels, prediction.labels, self._lengths[-1] - 1)
        elif self._pixels.last[0].shape != labels.shape:
            raise UserError(
                f"the frame is {size(labels)} in a clip of {size(self._pixels.last[0])}",
                where=f"clip {frame.clip!r}, frame {frame.index} {frame.stem}".rstrip(),
                expected="one size in a clip",
            )
        self._pixels.add(labels, prediction.labels)
        for n, rows in self._windows.items():
            if self._frames >= n:
                rows.extend(self._pixels.count(n))

    def _finish(self) -> dict[str, Any]:
        return {"windows": {str(n): np.reshape(rows, (-1, 5)).T.tolist() for n, rows in self._windows.items()}}


class _Pixels:
    """What is known of each pixel after a frame, in bits packed as np.packbits does; the last byte ends in zeros.

    All large arrays are made once a clip: at this rate, fresh memory would cost more than the arithmetic.
    """

    def __init__(self, labels: UInt8, predicted: UInt8, most: int):
        self.last = np.invert([labels, predicted])  # so that the first frame is a change everywhere
        self.scratch = np.empty_like(labels)
        pixels = np.packbits(np.ones(labels.size, np.bool_))
        self.pixels = np.stack([pixels, pixels])
        self.still = Stillness(self.pixels, most)  # of the ground truth, and of both maps together

    def add(self, labels: UInt8, predicted: UInt8) -> None:
        """Take in the next frame."""
        self.right = ~np.packbits(np.bitwise_xor(labels, predicted, out=self.scratch))
        changed = []
        for values, last in zip((labels, predicted), self.last, strict=True):
            np.bitwise_xor(values, last, out=last)
            changed.append(np.packbits(last))
            np.copyto(last, values)  # a method may write its next prediction into the same array
        self.still.add(self.pixels & ~np.stack([changed[0], changed[0] | changed[1]]))
        self.labelled = None
        if labels.max(initial=0) == IGNORE:
            self.labelled = np.packbits(np.not_equal(labels, IGNORE, out=self.scratch))

    def count(self, n: int) -> list[int]:
        """The five counts of the window of n frames that ends here, in the order of COLUMNS."""
        constant, consistent = self.still.at_least(n - 1)
        all_pixels = labelled = [_count(constant), _count(consistent)]
        if self.labelled is not None:
            constant &= self.labelled
            consistent &= self.labelled
            labelled = [_count(constant), _count(consistent)]
        consistent &= self.right
        return [*all_pixels, *labelled, _count(consistent)]


class Stillness:
    """For how many frames each pixel has not changed, up to `most`: counters of one bit in each of log2(most) planes.

    pixels: uint8[..., B], the bits that stand for a pixel, set
    """

    def __init__(self, pixels: UInt8, most: int):
        self._pixels, self._most = pixels, most
        self._planes = np.zeros((most.bit_length(), *pixels.shape), np.uint8)  # the lowest bit first
        self._full = self.at_least(most)  # a counter that is there stays there, until its pixel changes

    def add(self, same: UInt8) -> None:
        """Take in the next frame. same: uint8[..., B], the pixels with the value that they had in the frame before."""
        self._planes &= same
        carry = same & ~self._full
        for plane in self._planes:
            before = plane & carry
            plane ^= carry
            carry = before
        self._full = self.at_least(self._most)

    def at_least(self, frames: int) -> UInt8:
        """uint8[..., B], the pixels that have not changed for that many frames, 0 to `most`."""
        found = self._pixels.copy()
        for bit, plane in enumerate(self._planes):  # as one compares numbers: the highest bit that differs decides
            (np.bitwise_and if frames >> bit & 1 else np.bitwise_or)(found, plane, out=found)
        return found


def _count(bits: UInt8) -> int:
    return int(cv2.norm(bits, cv2.NORM_HAMMING)) if bits.size else 0  # four times as fast as adding up bitwise_count


def windows(state: Sequence[Mapping[str, Any]], n: int) -> NDArray[np.int64] | None:
    """int64[5, windows] in the order of time, rows as in COLUMNS; None where unlabelled frames leave them undefined."""
    parts = [clip["windows"].get(str(n)) for clip in state]
    if any(part is None for part in parts):
        return None
    return np.concatenate([np.empty((5, 0), np.int64), *(np.asarray(part, np.int64) for part in parts)], axis=1)
