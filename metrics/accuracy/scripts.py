"""From one matrix of counts to the accuracies, as each evaluation script in use does it. Fractions, not percent.

There are two steps. A script first books pixels (matrix -> Areas, or one sentence on why the script gets no number from
these counts), then takes means (Areas -> Figures). With g the pixels of a class in the ground truth, p those predicted
and n those in both: IoU = n / (g + p - n). Booking looks at one matrix, int64[C + 1, 256] (row C: void ground truth;
column: raw predicted value, see confusion.dense). Areas add up over clips, so the means take any number of sums at
once: the leading axes of Areas are those of Figures, and each row gets the digits that it would get alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vssbench.errors import listed
from vssbench.metrics.accuracy.rounded_sum import Floats, rounded_sum

Counts = NDArray[np.int64]
PERCENT = 100.0
VALUES = 256
"""The number of values that a predicted pixel can have, whether or not they are classes."""


@dataclass(frozen=True)
class Areas:
    """Pixels by class as one script books them; those of several clips add up.

    counts: whole numbers[..., 3, C], int64 or float64 below 2**53: ground truth, prediction, and where both agree
    moved:  number of pixels that the script books under a class that is not their own
    """

    counts: Counts | Floats
    moved: int = 0

    @property
    def label(self) -> Counts | Floats:
        return self.counts[..., 0, :]

    @property
    def predicted(self) -> Counts | Floats:
        return self.counts[..., 1, :]

    @property
    def hit(self) -> Counts | Floats:
        return self.counts[..., 2, :]

    @property
    def union(self) -> Counts | Floats:
        return self.label + self.predicted - self.hit

    @property
    def pixel_accuracy(self) -> Floats:
        return _divide(self.hit.sum(-1), self.label.sum(-1))


@dataclass(frozen=True)
class Figures:
    """Fractions of 1, each of the leading shape; NaN where the script divides 0 by 0, None for what it leaves out.

    iou:     float64[..., C], NaN for classes that the script leaves out
    counted: number of classes that mIoU is a mean over
    add:     sums over the last axis, skipping NaN
    Each mean is taken only when asked for: over many sums of clips, one of them is a matter of seconds.
    """

    areas: Areas
    iou: Floats
    counted: Counts
    add: Callable[[Floats], Floats] = rounded_sum

    @property
    def mIoU(self) -> Floats:
        return _divide(self.add(self.iou), self.counted)

    @property
    def WIoU(self) -> Floats | None:
        label = self.areas.label
        return _divide(self.add(np.where(label > 0, label * self.iou, 0.0)), label.sum(-1))

    @property
    def pixel_accuracy(self) -> Floats | None:
        return self.areas.pixel_accuracy

    @property
    def class_accuracy(self) -> Floats | None:
        label = self.areas.label
        return _divide(self.add(_divide(self.areas.hit, label)), (label > 0).sum(-1))

    @property
    def moved(self) -> int:
        """The number of pixels that the script books under a class that is not their own."""
        return self.areas.moved


class PlainMean(Figures):
    """AR-Seg: nothing but the plain mean over all classes, which is NaN as soon as one never occurs."""

    WIoU = pixel_accuracy = class_accuracy = None

    @property
    def mIoU(self) -> Floats:
        return np.where(np.isnan(self.iou).any(-1), np.nan, _divide(self.add(self.iou), self.counted))[()]


class PlainMeans(Figures):
    """ESPNet: nothing but the plain means over all classes of IoU and of accuracy."""

    WIoU = pixel_accuracy = None
    mIoU = PlainMean.mIoU

    @property
    def class_accuracy(self) -> Floats:
        share = _divide(self.areas.hit, self.areas.label)
        return np.where(np.isnan(share).any(-1), np.nan, _divide(self.add(share), self.counted))[()]


def exact_areas(matrix: Counts) -> Areas | str:
    """Exact: void is left out; a predicted value that is not a class stops it."""
    outside = outside_values(matrix, len(matrix) - 1)
    if outside:
        return f"the predictions contain {listed(outside, 5)}, which is not a class"
    return _square(matrix[:-1, : len(matrix) - 1])


def vspw_areas(matrix: Counts) -> Areas | str:
    """The VSPW script: index C * label + prediction, unchecked, so a prediction of C or more lands in a later row."""
    classes = len(matrix) - 1
    booked = matrix[:-1, :classes].copy()
    if not matrix[:-1, classes:].any():
        return _square(booked)
    rows, values = np.nonzero(matrix[:-1, classes:])
    values += classes
    target = rows + values // classes
    lost = target >= classes
    if lost.any():
        label, value = int(rows[lost][0]), int(values[lost][0])
        return f"the official script stops: predicted id {value} on a pixel of class {label} falls outside its matrix"
    np.add.at(booked, (target, values % classes), matrix[rows, values])
    return _square(booked, moved=int(matrix[:-1, classes:].sum()))


def detectron2_areas(matrix: Counts) -> Areas | str:
    """MPVSS's evaluator: pixels predicted void (id C) are left out, and void ground truth."""
    classes = len(matrix) - 1
    beyond = np.flatnonzero(matrix[:, classes + 1 :].any(axis=0)) + classes + 1
    if beyond.size:
        return f"the official script stops: predicted id {int(beyond[0])} is beyond its {classes} classes and void"
    return _square(matrix[:-1, :classes])


def mmseg_areas(matrix: Counts) -> Areas | str:
    """mmsegmentation: areas from histograms of C bins, the last one closed, so a prediction of C is the last class."""
    classes = len(matrix) - 1
    predicted = matrix[:-1, :classes].sum(0)
    moved = int(matrix[:-1, classes].sum()) if classes < matrix.shape[1] else 0
    predicted[-1] += moved
    return Areas(np.stack([matrix[:-1].sum(1), predicted, matrix[:-1, :classes].diagonal()]), moved)


def open_areas(matrix: Counts) -> Areas:
    """Cityscapes' script, and histograms of C bins that end with the last class: any other predicted id is a miss."""
    square = matrix[:-1, : len(matrix) - 1]
    return Areas(np.stack([matrix[:-1].sum(1), square.sum(0), square.diagonal()]))


def espnet_areas(matrix: Counts) -> Areas | str:
    """ESPNet: a class predicted on void ground truth is a false positive; predicted void, id C, is a miss."""
    classes = len(matrix) - 1
    beyond = [value for value in outside_values(matrix, classes) if value > classes]
    if beyond:
        return f"its matrix has no column for the predicted id {listed(beyond, 5)}"
    return Areas(np.stack([matrix[:-1].sum(1), matrix[:, :classes].sum(0), matrix[:-1, :classes].diagonal()]))


def no_areas(matrix: Counts) -> str:
    """VSPW's own script computes nothing but VC."""
    return "the script computes VC alone"


def arseg_areas(matrix: Counts) -> Areas | str:
    """AR-Seg: a predicted value that is not a class stops it, unless the ground truth is void there."""
    outside = outside_values(matrix[:-1], len(matrix) - 1)
    if outside:
        return f"its matrix has no column for the predicted id {listed(outside, 5)}"
    return _square(matrix[:-1, : len(matrix) - 1])


def over_ground_truth(areas: Areas) -> Figures:
    """Exact and the VSPW script: means over the classes with ground truth, a set that no method can change."""
    there, iou = areas.label > 0, _divide(areas.hit, areas.union)
    if there.all():
        return Figures(areas, iou, _all_of(iou))
    return Figures(areas, np.where(there, iou, np.nan), there.sum(-1))


def over_occurring(areas: Areas) -> Figures:
    """MPVSS's evaluator: classes that are predicted but never annotated are zeros in the mean, and have no IoU."""
    iou = np.where(areas.label > 0, _divide(areas.hit, areas.union), np.nan)
    return Figures(areas, iou, (areas.union > 0).sum(-1))


def over_unions(areas: Areas) -> Figures:
    """mmsegmentation: the same mean, but those classes have an IoU of 0."""
    return Figures(areas, _divide(areas.hit, areas.union), (areas.union > 0).sum(-1))


def over_all(areas: Areas) -> Figures:
    """AR-Seg: over all classes."""
    iou = _divide(areas.hit, areas.union)
    return PlainMean(areas, iou, _all_of(iou))


def over_every_class(areas: Areas) -> Figures:
    """ESPNet: over all classes, void not among them."""
    iou = _divide(areas.hit, areas.union)
    return PlainMeans(areas, iou, _all_of(iou))


def _all_of(iou: Floats) -> Counts:
    """Return how many classes there are, for each mean."""
    return np.full(iou.shape[:-1], iou.shape[-1])[()]


def outside_values(matrix: Counts, classes: int) -> list[int]:
    """Return the predicted values that occur and are not classes, ascending."""
    return (np.flatnonzero(matrix[:, classes:].any(axis=0)) + classes).tolist()


def _square(square: Counts, moved: int = 0) -> Areas:
    return Areas(np.stack([square.sum(1), square.sum(0), square.diagonal()]), moved)


def _divide(part: Counts | Floats, whole: Counts | Floats) -> Floats:
    """Divide, with NaN for 0/0; only 0 is ever divided by 0 here."""
    with np.errstate(invalid="ignore"):
        return np.true_divide(part, whole)[()]
