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
        deepest = np.uint8 if not self._lengths or self._lengths[-1] <= 256 else np.uint16
        self._truth, self._predicted = _Still(deepest), _Still(deepest)

    def _begin(self) -> None:
        self._windows: dict[int, list[list[int]]] = {n: [] for n in self._lengths}
        self._truth.reset()
        self._predicted.reset()

    def _add(self, frame: Frame, prediction: Prediction) -> None:
        if self._labelled < self._frames:
            self._windows = {}
            return
        labels = frame.labels
        assert labels is not None
        if self._frames > 1 and self._truth.last.shape != labels.shape:
            raise UserError(
                f"the frame is {size(labels)} in a clip of {size(self._truth.last)}",
                where=f"clip {frame.clip!r}, frame {frame.index} {frame.stem}".rstrip(),
                expected="one size in a clip",
            )
        counted = _Counter(labels, prediction.labels, self._truth.add(labels), self._predicted.add(prediction.labels))
        for n, rows in self._windows.items():
            if self._frames >= n:
                rows.append(counted.window(n))

    def _finish(self) -> dict[str, Any]:
        return {"windows": {str(n): np.reshape(rows, (-1, 5)).T.tolist() for n, rows in self._windows.items()}}


class _Still:
    """For each pixel, for how many frames its value has not changed, saturating at the end of the type."""

    def __init__(self, depth: type[np.unsignedinteger]):
        self.depth = depth
        self.reset()

    def reset(self) -> None:
        self.last: UInt8 = np.empty((0, 0), np.uint8)

    def add(self, values: UInt8) -> NDArray[Any]:
        """uint8 or uint16[H, W] after this frame; overwritten by the next call."""
        if self.last.size == 0:
            self.last, self.frames = np.array(values), np.zeros(values.shape, self.depth)
            self.ones = np.ones_like(self.frames)
            return self.frames
        cv2.add(self.frames, self.ones, dst=self.frames)  # saturates, where NumPy would wrap around
        self.frames *= (values == self.last).view(np.uint8)
        np.copyto(self.last, values)  # a method may write its next prediction into the same array
        return self.frames


class _Counter:
    """The five counts of windows that end at one frame, for any n."""

    def __init__(self, labels: UInt8, predicted: UInt8, truth: NDArray[Any], prediction: NDArray[Any]):
        self.truth, self.both = truth, np.minimum(truth, prediction)
        self.right, self.void = labels == predicted, labels == IGNORE
        self.any_void = bool(self.void.any())

    def window(self, n: int) -> list[int]:
        """In the order of COLUMNS."""
        constant, consistent = self.truth >= n - 1, self.both >= n - 1
        masks = [constant, consistent, consistent & self.right]
        counts = [int(np.count_nonzero(mask)) for mask in masks]
        void = [int(np.count_nonzero(mask & self.void)) if self.any_void else 0 for mask in masks]
        return [*counts[:2], *(count - without for count, without in zip(counts, void, strict=True))]


def windows(state: Sequence[Mapping[str, Any]], n: int) -> NDArray[np.int64] | None:
    """int64[5, windows] in the order of time, rows as in COLUMNS; None where unlabelled frames leave them undefined."""
    parts = [clip["windows"].get(str(n)) for clip in state]
    if any(part is None for part in parts):
        return None
    return np.concatenate([np.empty((5, 0), np.int64), *(np.asarray(part, np.int64) for part in parts)], axis=1)
