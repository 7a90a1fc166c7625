"""Every pixel's ground truth against the predicted value, counted per distance to the key frame.

All the accuracies of all protocols are read off these counts later, so nothing is dropped or merged here: void ground
truth has a row of its own, and predictions are counted by raw value, 0 to 255, whether or not that is a class.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import cv2
import numpy as np

from vssbench.errors import UserError, listed
from vssbench.metrics.accuracy import scripts
from vssbench.metrics.accuracy.clip_metric import ClipMetric
from vssbench.metrics.accuracy.clip_states import Clips, ClipStates, Totals
from vssbench.metrics.accuracy.damage import EXACT, refusing_damage, require, require_own, whole, whole_numbers
from vssbench.metrics.accuracy.rounded_sum import plain_sum, rounded_sum
from vssbench.metrics.accuracy.scripts import PERCENT, VALUES, Areas, Counts, Figures, Floats
from vssbench.specs import Spec
from vssbench.types import IGNORE, Frame, LabelSpace, Prediction, UInt8

FIGURES: dict[str, Callable[[Figures], Floats | None]] = {
    "mIoU": lambda figures: figures.mIoU,
    "WIoU": lambda figures: figures.WIoU,
    "pixel_accuracy": lambda figures: figures.pixel_accuracy,
    "class_accuracy": lambda figures: figures.class_accuracy,
}
_CODES = VALUES * VALUES
_COMPACT_AFTER = 64  # changes of distance; bounds the memory of long clips


class Confusion(ClipMetric):
    """Counts of (ground truth, predicted value) pairs.

    State of a clip: "counts": {distance: [flat indices into [C + 1, 256], counts]}, ascending;
    "outside": [[predicted value that is not a class, first frame with it], ...].
    """

    name = "confusion"

    @classmethod
    def totals(cls, spec: Spec, clips: Clips) -> Totals | str:
        """Return the pixels of each class in each clip: in ground truth, in prediction and in both.

        The formulas need only these 3 C numbers, not the whole matrix.
        """
        if clips.nothing:
            return clips.nothing
        booked = clips.once(Booked)
        if isinstance(booked.figures, str):
            return booked.figures
        value = FIGURES[spec.name](booked.figures)
        if value is None:
            return f"not defined by the protocol {clips.protocol.name}"
        if np.isnan(value):
            return booked.not_a_number()
        read = partial(read_areas, clips.protocol.means, spec.name)
        return Totals(clips.names, booked.rows, read, partial(read, add=plain_sum))

    def _begin(self) -> None:
        self._age = 0
        self._table = np.zeros(_CODES, np.int64)  # frames since the distance last changed
        self._earlier: list[tuple[Counts, Counts]] = []  # (distance * _CODES + code, count) of earlier frames
        self._outside: dict[int, int] = {}
        self._scratch: UInt8 | None = None

    def _add(self, frame: Frame, prediction: Prediction) -> None:
        if frame.labels is None or frame.labels.size == 0:
            return
        if prediction.age != self._age:
            self._put_away()
            self._age = prediction.age
        if self._scratch is None or self._scratch.shape[1:] != frame.labels.shape:
            self._scratch = np.empty((2, *frame.labels.shape), np.uint8)
        codes, counts = pair_counts(frame.labels, prediction.labels, self._scratch)
        self._check(frame, codes)
        np.add.at(self._table, codes, counts)

    def _check(self, frame: Frame, codes: Counts) -> None:
        classes = self.space.classes
        refuse_stray(self.space, frame, codes >> 8)
        predicted = codes & 255
        if int(predicted.max()) >= classes:
            for value in np.unique(predicted[predicted >= classes]).tolist():
                self._outside.setdefault(value, frame.index)

    def _put_away(self) -> None:
        codes = np.flatnonzero(self._table != 0)
        self._earlier.append((self._age * _CODES + codes, self._table[codes]))
        self._table[:] = 0
        if len(self._earlier) >= _COMPACT_AFTER:
            self._earlier = [_compact(self._earlier)]

    def _finish(self) -> dict[str, Any]:
        self._put_away()
        keys, counts = _compact(self._earlier)
        labels = np.minimum((keys % _CODES) >> 8, self.space.classes)  # 255, void, becomes the row after the classes
        index, distance = labels * VALUES + (keys & 255), keys // _CODES
        by_distance = {}
        for value in np.unique(distance).tolist():
            here = distance == value
            by_distance[str(value)] = [index[here].tolist(), counts[here].tolist()]
        return {"counts": by_distance, "outside": sorted([value, first] for value, first in self._outside.items())}


class Booked:
    """The counts of some clips as their protocol books them.

    matrix:  int64[C + 1, 256] over the clips that count; None where no counts were kept
    figures: the accuracies of that matrix, or why there are none
    rows:    float64[clips, 3 C], the Areas of each clip, where there are figures
    Raises UserError under a strict protocol where an id that is not a class is predicted.
    """

    def __init__(self, clips: Clips):
        self.space, protocol = clips.space, clips.protocol
        self.matrix: Counts | None = None
        self.figures: Figures | str = "the predictions were not counted against ground truth"
        if any(Confusion.name not in record.states for record in clips.records):
            return
        counted_in_all = clips.everywhere(cells)
        if protocol.strict:
            _refuse_outside(clips)
        self.matrix = np.zeros((self.space.classes + 1, VALUES), np.int64)
        self.rows = np.empty((len(clips.records), 3 * self.space.classes))
        every = zip(clips.all, counted_in_all, strict=True)
        counted = [one for record, one in every if record.clip not in clips.skipped]
        for row, one in zip(self.rows, counted, strict=True):
            matrix = dense(one, self.space)
            self.matrix += matrix
            areas = protocol.areas(matrix)
            if isinstance(areas, Areas):  # what stops the script on one clip stops it on all of them
                row[:] = areas.counts.ravel()
        self.figures = protocol.figures(self.matrix)
        if isinstance(self.figures, Figures) and self.figures.moved:
            values = ", ".join(map(str, scripts.outside_values(self.matrix[:-1], self.space.classes)))
            clips.notes.append(
                f"predicted ids that are not classes ({values}): {self.figures.moved} pixels are booked under other "
                "classes, as the official script does"
            )

    def per_class(self) -> list[float | None]:
        """Return IoU in percent, in train-id order; None for classes that the protocol leaves out."""
        if isinstance(self.figures, str):
            return [None] * self.space.classes
        return [None if np.isnan(value) else PERCENT * value for value in self.figures.iou.tolist()]

    def not_a_number(self) -> str:
        """Return why a mean of these figures is not a number."""
        if isinstance(self.figures, str) or not self.figures.counted:
            return "0/0: no labelled pixel"
        absent = [self.space.names[index] for index in np.flatnonzero(np.isnan(self.figures.iou))]
        return f"not a number: no pixel of {listed(absent, 5)} in ground truth or prediction"


def refuse_stray(space: LabelSpace, frame: Frame, ids: Counts) -> None:
    """Raise UserError for a train id in the ground truth that is neither a class nor void. ids: the frame's."""
    stray = ids[(ids >= space.classes) & (ids < IGNORE)]
    if stray.size:
        raise UserError(
            f"the ground truth has the train id {int(stray[0])}",
            where=f"clip {frame.clip!r}, frame {frame.index} {frame.stem}".rstrip(),
            expected=f"0 to {space.classes - 1} or {IGNORE} (ignored) in the label space {space.name}",
        )


def read_areas(
    means: Callable[[Areas], Figures],
    metric: str,
    sums: Floats,
    add: Callable[[Floats], Floats] = rounded_sum,
) -> Floats:
    """Return float64[...] percent from sums of rows, float64[..., 3 C]; NaN where the script divides 0 by 0."""
    areas = Areas(sums.reshape(*sums.shape[:-1], 3, -1))
    if metric == "pixel_accuracy":  # every mean needs the IoU of each class, but not this
        return PERCENT * areas.pixel_accuracy
    value = FIGURES[metric](replace(means(areas), add=add))
    assert value is not None
    return PERCENT * value


def _refuse_outside(clips: Clips) -> None:
    for record in clips.records:
        outside = [pair for clip in record.states[Confusion.name] for pair in clip["outside"]]
        if outside:
            value, first = min(outside, key=lambda pair: (pair[1], pair[0]))
            others = sorted({value for value, _ in outside} - {value})
            also = f" (nor is {', '.join(map(str, others))}, also predicted)" if others else ""
            raise UserError(
                f"the predicted id {value} is not a class{also}",
                where=f"clip {record.clip}, frame {first} (the first is 0)",
                expected=f"0 to {clips.space.classes - 1} under the protocol {clips.protocol.name}",
                fix="write train ids, from 0, not the values of label files; or use an official script's protocol",
            )


def pair_counts(labels: UInt8, predicted: UInt8, scratch: UInt8 | None = None) -> tuple[Counts, Counts]:
    """Count each pair in two uint8[H, W] maps: (label * 256 + predicted, counts); a pair may occur more than once.

    Label maps are smooth, so it is mostly enough to look at the ends of runs of equal pairs. Noisy maps go through
    OpenCV's histogram, which counts in float32 and is exact below 2**24 pixels. scratch: uint8[2, H, W] to work in; it
    saves time, since allocating that much memory costs more than the counting.
    """
    changes = np.empty((2, labels.size), np.uint8) if scratch is None else scratch.reshape(2, -1)
    for values, changed in zip((labels, predicted), changes, strict=True):
        flat = values.ravel()
        np.bitwise_xor(flat[1:], flat[:-1], out=changed[:-1])
    changes[0, -1] = 1  # the last run ends with the map
    runs = np.packbits(np.bitwise_or(changes[0], changes[1], out=changes[0]))
    if cv2.norm(runs, cv2.NORM_HAMMING) * 16 < labels.size or labels.size >= 2**24:
        ends = _places(runs)
        codes = labels.ravel()[ends].astype(np.int64) << 8 | predicted.ravel()[ends]
        return codes, np.diff(ends, prepend=-1)
    table = cv2.calcHist([labels, predicted], [0, 1], None, [VALUES, VALUES], [0, VALUES, 0, VALUES]).ravel()
    codes = np.flatnonzero(table != 0)
    return codes, table[codes].astype(np.int64)


def _places(bits: UInt8) -> Counts:
    """Return where bits are set in an array from np.packbits; most bytes are zero, and only the others are unpacked."""
    used = np.flatnonzero(bits != 0)
    places = np.flatnonzero(np.unpackbits(bits[used]).view(np.bool_))
    return (used[places >> 3] << 3) + (places & 7)


class Cells(NamedTuple):
    """The counts of one clip. int64[N] each: distance to the key frame, flat index into [C + 1, 256], pixels."""

    distance: Counts
    place: Counts
    pixels: Counts


def cells(clips: Clips) -> list[Cells]:
    """Return the counts of all clips, whether or not they count under the protocol; for Clips.everywhere."""
    return [decoded(record, clips.space) for record in clips.all]


def decoded(record: ClipStates, space: LabelSpace) -> Cells:
    """Return the counts of one clip; none for a run that counted none (`metrics: [VC@8]`).

    Raises UserError for a state that `Confusion` cannot have written: it was edited or damaged.
    """
    if Confusion.name not in record.states:
        return Cells(*np.empty((3, 0), np.int64))
    with refusing_damage(record, Confusion.name):
        state = record.states[Confusion.name]
        require_own(record, state)
        parts = [(whole(distance), *part) for clip in state for distance, part in clip["counts"].items()]
        place, pixels = (whole_numbers(list(chain.from_iterable(part[which] for part in parts))) for which in (1, 2))
        lengths = [len(part[1]) for part in parts]
        require([len(part[2]) for part in parts] == lengths, "as many counts as places")
        found = Cells(np.repeat([part[0] for part in parts], lengths).astype(np.int64), place, pixels)
        size = (space.classes + 1) * VALUES
        require(not len(place) or int(place.max()) < size, f"places below {size}")
        keys = np.sort(found.distance * size + place)
        require(not (keys[1:] == keys[:-1]).any(), "each place once per distance")
        few = int(pixels.max(initial=0)) * len(pixels) < EXACT
        require(few or math.fsum(pixels.tolist()) < EXACT, f"fewer than {EXACT} pixels")
        require(record.labelled > 0 or not len(place), "labelled frames where pixels are counted")
        for clip in state:
            for value, first in clip["outside"]:
                require(space.classes <= whole(value) < VALUES, f"outside ids from {space.classes} to {VALUES - 1}")
                require(whole(first) < record.frames, "an outside id's first frame among those of the clip")
    return found


def dense(cells: Cells, space: LabelSpace) -> Counts:
    """Return int64[C + 1, 256] over all distances: row C is void ground truth, columns are raw predicted values."""
    matrix = np.zeros((space.classes + 1, VALUES), np.int64)
    np.add.at(matrix.ravel(), cells.place, cells.pixels)
    return matrix


def _compact(parts: Sequence[tuple[Counts, Counts]]) -> tuple[Counts, Counts]:
    """Return one entry per key: (keys ascending, summed counts)."""
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    keys, where = np.unique(np.concatenate([keys for keys, _ in parts]), return_inverse=True)
    counts = np.zeros(len(keys), np.int64)
    np.add.at(counts, where, np.concatenate([counts for _, counts in parts]))
    return keys, counts
