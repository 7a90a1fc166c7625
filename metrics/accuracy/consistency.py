"""Video consistency (VC, Miao et al., VSPW, CVPR 2021, section 5): do predictions keep still where the truth does?

For a window of n frames: of the pixels whose ground truth is the same in all n frames, the share whose prediction is
the same in all n frames too. A pixel is out of a window if it changes in one of the n - 1 frames after the first. What
changes in a frame is kept in bits, eight pixels to the byte, and unions over 1, 2, 4, ... frames give those of any
window: time grows with log n, memory with n, and neither with the clip.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vssbench.errors import UserError
from vssbench.metrics.accuracy.clip_metric import ClipMetric, size
from vssbench.specs import Spec
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
        if not self._windows:
            return
        labels = frame.labels
        assert labels is not None
        if self._pixels is None:
            self._pixels = _Pixels(labels, prediction.labels, self._lengths[0], self._lengths[-1])
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
    """The pixels of a clip frame by frame, in bits packed as np.packbits does; a bit that is set counts a pixel out.

    A pixel that a window of n frames keeps is void, or wrong, in all of them or in none: it is enough to look at one of
    them, so at every `shortest`-th frame.
    """

    def __init__(self, labels: UInt8, predicted: UInt8, shortest: int, longest: int):
        self.last = np.invert([labels, predicted])  # so that the first frame is a change everywhere
        everything = np.packbits(np.ones(labels.size, np.bool_))
        self.changed = Unions(np.stack([everything, everything]), longest - 1)  # of the ground truth; of either map
        self.size, self.shortest, self.frames = labels.size, shortest, 0

    def add(self, labels: UInt8, predicted: UInt8) -> None:
        """Take in the next frame. Its arrays are copied: a method may write its next prediction into the same one."""
        changed = np.empty((2, -(-self.size // 8)), np.uint8)
        for values, last, bits in zip((labels, predicted), self.last, changed, strict=True):
            bits[:] = np.packbits(np.bitwise_xor(values, last, out=last))
            np.copyto(last, values)
        changed[1] |= changed[0]
        self.changed.add(changed)
        if self.frames % self.shortest == 0:
            self.wrong = np.packbits(labels != predicted)
            self.void = np.packbits(labels == IGNORE) if labels.max(initial=0) == IGNORE else None
        self.frames += 1

    def count(self, n: int) -> list[int]:
        """The five counts of the window of n frames that ends here, in the order of COLUMNS."""
        truth, either = self.changed.over(n - 1)
        all_pixels = labelled = [self._without(truth), self._without(either)]
        if self.void is not None:
            truth, either = truth | self.void, either | self.void
            labelled = [self._without(truth), self._without(either)]
        return [*all_pixels, *labelled, self._without(either | self.wrong)]

    def _without(self, out: UInt8) -> int:
        # Four times as fast as adding up np.bitwise_count; OpenCV has no norm of nothing.
        return self.size - (int(cv2.norm(out, cv2.NORM_HAMMING)) if out.size else 0)


class Unions:
    """Bits that were set in any of the last so many frames, 0 to `longest`.

    before: uint8[...], the bits of every frame before the first one
    """

    def __init__(self, before: UInt8, longest: int):
        self._none = np.zeros_like(before)
        # The unions over 2**level frames: of this frame and of as many before it as the next level and `over` look at.
        self._levels = [deque([before] * (2**level + 1), 2**level + 1) for level in range(longest.bit_length())]

    def add(self, bits: UInt8) -> None:
        """Take in the next frame; the array is kept."""
        for number, level in enumerate(self._levels):
            bits = bits | self._levels[number - 1][0] if number else bits
            level.append(bits)

    def over(self, frames: int) -> UInt8:
        """The bits set in any of that many frames, this one being the last."""
        if frames == 0:
            return self._none
        top = frames.bit_length() - 1
        unions = self._levels[top]
        return unions[-1] | unions[2**top - 1 - frames]


def windows(state: Sequence[Mapping[str, Any]], n: int) -> NDArray[np.int64] | None:
    """int64[5, windows] in the order of time, rows as in COLUMNS; None where unlabelled frames leave them undefined."""
    parts = [clip["windows"].get(str(n)) for clip in state]
    if any(part is None for part in parts):
        return None
    return np.concatenate([np.empty((5, 0), np.int64), *(np.asarray(part, np.int64) for part in parts)], axis=1)
