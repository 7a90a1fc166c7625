"""Video consistency (VC, Miao et al., VSPW, CVPR 2021, section 5): do predictions keep still where the truth does?

For a window of n frames: of the pixels whose ground truth is the same in all n frames, the share whose prediction is
the same in all n frames too. A pixel drops out of a window if it changes in one of the n - 1 frames after the first.
The changes in a frame are kept as bits, eight pixels per byte. Unions over 1, 2, 4, ... frames give those of any
window: time grows with log n, memory with n, and neither with the clip.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vssbench.errors import UserError, listed
from vssbench.metrics.accuracy.clip_metric import ClipMetric, size
from vssbench.metrics.accuracy.clip_states import Clips, ClipStates, Totals
from vssbench.metrics.accuracy.damage import refusing_damage, require, require_own, whole, whole_numbers
from vssbench.metrics.accuracy.rounded_sum import plain_sum, rounded_sum
from vssbench.metrics.accuracy.scripts import PERCENT, Floats
from vssbench.specs import Spec
from vssbench.types import IGNORE, Frame, LabelSpace, Prediction, UInt8

COLUMNS = ("constant", "consistent", "constant_labelled", "consistent_labelled", "correct_labelled")
_RIGHT = {"VC": False, "VCC": True}
"""Metric -> whether the prediction must be right, not only still."""
_MAX_WINDOW = 2**16
_BASE, _DIGITS = 2.0**26, 4
"""Four digits hold a ratio of pixels exactly: 53 bits after up to 51 zeros, in frames of up to 2**51 pixels."""


class Consistency(ClipMetric):
    """Pixel counts of every window, for every n requested.

    State of a clip: "windows": {n: five lists with one integer for each of the T - n + 1 windows}, named in COLUMNS:
    constant:            pixels with constant ground truth, void counting as a label
    consistent:          those of them with constant prediction
    constant_labelled:   pixels with constant ground truth that is not void
    consistent_labelled: those of them with constant prediction
    correct_labelled:    those of them with constant prediction equal to the ground truth
    No windows are kept for a clip that has frames without labels: they are undefined.
    """

    name = "consistency"
    takes_at = True

    def __init__(self, space: LabelSpace, specs: Sequence[Spec]):
        super().__init__(space, specs)
        self._lengths = sorted({spec.at for spec in self.specs if spec.at})

    @classmethod
    def check_spec(cls, spec: Spec) -> None:
        """Check as for every metric; the number must be at most 65536."""
        super().check_spec(spec)
        if spec.at and spec.at > _MAX_WINDOW:
            raise UserError(f"windows of {spec.at} frames are too long", expected=f"at most {_MAX_WINDOW}")

    @classmethod
    def totals(cls, spec: Spec, clips: Clips) -> Totals | str:
        """Return the sum of each clip's window ratios, as digits, and how many windows have one."""
        if clips.nothing:
            return clips.nothing
        assert spec.at is not None
        found = windows_of(clips, spec.at, _RIGHT[spec.name])
        if isinstance(found, str):
            return found
        lengths = [counts.shape[1] for counts in found.values()]
        part, whole = np.concatenate(list(found.values()), axis=1)
        there = whole > 0
        clip = np.repeat(np.arange(len(found)), lengths)[there]
        digits = [*digits_of(part[there] / whole[there]), np.ones(len(clip))]
        columns = np.stack([np.bincount(clip, digit, len(found)) for digit in digits], axis=1, dtype=np.float64)
        totals = Totals(clips.names, columns, read_windows, partial(read_windows, add=plain_sum))
        windows, kept = len(whole), len(clip)
        if not kept:
            short = f"no clip is long enough for a window of {spec.at} frames"
            every = "the only window" if windows == 1 else f"all {windows} windows"
            return f"0/0 in {every}" if windows else short
        without = lengths.count(0)
        if without:
            clips.notes.append(f"{spec}: {without} of {len(found)} clips have no window")
        if kept < windows:
            clips.notes.append(f"{spec}: {windows - kept} of {windows} windows are 0/0 and left out")
        return totals

    def _begin(self) -> None:
        self._windows = {n: array("q") for n in self._lengths}  # five counts per window, one window after the other
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
                expected="one frame size per clip",
            )
        self._pixels.add(labels, prediction.labels)
        for n, rows in self._windows.items():
            if self._frames >= n:
                rows.extend(self._pixels.count(n))

    def _finish(self) -> dict[str, Any]:
        return {"windows": {str(n): np.reshape(rows, (-1, 5)).T.tolist() for n, rows in self._windows.items()}}


class _Pixels:
    """The pixels of a clip frame by frame, in bits packed as np.packbits does; a set bit excludes a pixel.

    A pixel that a window of n frames keeps is void, or wrong, in all of them or in none. So one frame of the window is
    enough to look at, and therefore every `shortest`-th frame of the clip.
    """

    def __init__(self, labels: UInt8, predicted: UInt8, shortest: int, longest: int):
        self.last = np.invert([labels, predicted])  # so that the first frame changes everywhere
        everything = np.packbits(np.ones(labels.size, np.bool_))
        self.changed = Unions(np.stack([everything, everything]), longest - 1)  # in the ground truth; in either map
        self.size, self.shortest, self.frames = labels.size, shortest, 0

    def add(self, labels: UInt8, predicted: UInt8) -> None:
        """Take in the next frame. Its arrays are copied: a method may write its next prediction into the same array."""
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
        """Return the five counts of the window of n frames that ends here, in the order of COLUMNS."""
        truth, either = self.changed.over(n - 1)
        all_pixels = labelled = [self._without(truth), self._without(either)]
        if self.void is not None:
            truth, either = truth | self.void, either | self.void
            labelled = [self._without(truth), self._without(either)]
        return [*all_pixels, *labelled, self._without(either | self.wrong)]

    def _without(self, out: UInt8) -> int:
        # Four times as fast as summing np.bitwise_count; OpenCV's norm refuses an empty array.
        return self.size - (int(cv2.norm(out, cv2.NORM_HAMMING)) if out.size else 0)


class Unions:
    """Bits that were set in any of the last k frames, for k from 0 to `longest`.

    before: uint8[...], the bits of every frame before the first one
    """

    def __init__(self, before: UInt8, longest: int):
        self._none = np.zeros_like(before)
        # Unions over 2**level frames: for this frame and as many earlier ones as the next level and `over` look at.
        self._levels = [deque([before] * (2**level + 1), 2**level + 1) for level in range(longest.bit_length())]

    def add(self, bits: UInt8) -> None:
        """Take in the next frame; the array is kept."""
        for number, level in enumerate(self._levels):
            bits = bits | self._levels[number - 1][0] if number else bits
            level.append(bits)

    def over(self, frames: int) -> UInt8:
        """Return the bits set in any of the last `frames` frames, including this one."""
        if frames == 0:
            return self._none
        top = frames.bit_length() - 1
        unions = self._levels[top]
        return unions[-1] | unions[2**top - 1 - frames]


def windows_of(clips: Clips, n: int, right: bool = False) -> dict[str, NDArray[np.int64]] | str:
    """Return clip -> int64[2, windows] (numerators, denominators) of the windows that count, or why there are none.

    right: whether the prediction must also be right, as for VCC
    """
    rule = clips.protocol.windows
    if rule is None:
        return f"not defined by the protocol {clips.protocol.name}"
    sparse = [record.clip for record in clips.records if record.labelled < record.frames]
    if sparse:
        return f"needs labels on every frame; frames without labels in {listed(sparse, 1)}"
    part = "correct_labelled" if right else "consistent" if rule.void else "consistent_labelled"
    whole = "constant" if rule.void and not right else "constant_labelled"
    rows = [COLUMNS.index(part), COLUMNS.index(whole)]
    found = {}
    for record, counts in zip(clips.all, clips.everywhere(_counted, n), strict=True):
        if record.clip in clips.skipped:
            continue
        if counts is None:
            return f"windows of {n} frames were not counted"
        found[record.clip] = counts[rows] if rule.last else counts[rows, :-1]
    return found


def _counted(clips: Clips, n: int) -> list[NDArray[np.int64] | None]:
    """Return what was decoded from each clip, whether or not it counts under the protocol."""
    return [decoded(record, n) for record in clips.all]


def decoded(record: ClipStates, n: int) -> NDArray[np.int64] | None:
    """Return int64[5, windows] of one clip in time order, rows as in COLUMNS; None where they were not counted.

    Unlabelled frames leave windows undefined. Raises UserError for a state that `Consistency` cannot have written: it
    was edited or damaged.
    """
    if Consistency.name not in record.states:
        return None
    with refusing_damage(record, Consistency.name):
        state = record.states[Consistency.name]
        require_own(record, state)
        parts = [np.empty((len(COLUMNS), 0), np.int64)]
        for clip in state:
            rows = clip["windows"].get(str(n))
            if rows is None:
                return None
            require(len(rows) == len(COLUMNS), f"{len(COLUMNS)} rows of windows")
            expected = max(0, whole(clip["frames"]) - n + 1)
            require(all(len(row) == expected for row in rows), f"{expected} windows of {n} frames")
            counts = whole_numbers(list(chain.from_iterable(rows))).reshape(len(COLUMNS), -1)
            for part, of in ((1, 0), (2, 0), (3, 2), (4, 3)):
                require(bool((counts[part] <= counts[of]).all()), f"no more pixels {COLUMNS[part]} than {COLUMNS[of]}")
            parts.append(counts)
        return np.concatenate(parts, axis=1)


def digits_of(ratios: Floats) -> Floats:
    """Return float64[4, N]: base-2**26 digits of numbers in [0, 1]; sums of digits are exact, without carrying."""
    digits = np.empty((_DIGITS, len(ratios)))
    for digit in digits:
        ratios = ratios * _BASE
        np.floor(ratios, out=digit)
        ratios = ratios - digit
    return digits


def read_windows(sums: Floats, add: Callable[[Floats], Floats] = rounded_sum) -> Floats:
    """Return the mean ratio, float64[...] percent, from float64[..., 5]: digits of the sum, and number of windows."""
    total = add(sums[..., :_DIGITS] * _BASE ** -np.arange(1.0, _DIGITS + 1))
    count = sums[..., _DIGITS]
    return np.divide(PERCENT * total, count, out=np.full(np.shape(total), np.nan), where=np.asarray(count) > 0)[()]
