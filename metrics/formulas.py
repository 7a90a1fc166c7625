"""From one matrix of counts to the accuracies, as each evaluation script in use does it. Fractions, not percent.

Every function takes int64[C + 1, 256] (row C: void ground truth; column: raw predicted value, see confusion.dense) and
returns Figures, or says in one sentence why its script gets no number from these counts. With n the counts of class i
predicted as class j, g its row sums (ground truth), p its column sums (predictions): IoU_i = n_ii / (g_i + p_i - n_ii).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vssbench.metrics.confusion import Counts

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Figures:
    """Fractions of 1; NaN where the script divides 0 by 0, None for what it does not compute.

    iou:     float64[C], NaN for classes that the script leaves out
    counted: number of classes that mIoU is a mean over
    moved:   pixels that the script books under another class than their own
    """

    iou: Floats
    counted: int
    mIoU: float
    WIoU: float | None
    pixel_accuracy: float | None
    class_accuracy: float | None
    moved: int = 0


def exact(matrix: Counts) -> Figures | str:
    """The mean over the classes with ground truth, a set that no method can change; void is left out."""
    outside = outside_values(matrix, len(matrix) - 1)
    if outside:
        return f"the predictions hold {_listed(outside)}, which is no class"
    return _over_ground_truth(matrix[:-1, : len(matrix) - 1])


def vspw(matrix: Counts) -> Figures | str:
    """The VSPW script: index C * label + prediction, unchecked, so a prediction from C on lands in a later row."""
    classes = len(matrix) - 1
    rows, values = np.nonzero(matrix[:-1])
    target = rows + values // classes
    lost = target >= classes
    if lost.any():
        label, value = int(rows[lost][0]), int(values[lost][0])
        return f"the official script stops: predicted id {value} on a pixel of class {label} leaves its matrix"
    booked = np.zeros((classes, classes), np.int64)
    np.add.at(booked, (target, values % classes), matrix[rows, values])
    return _over_ground_truth(booked, moved=int(matrix[:-1, classes:].sum()))


def detectron2(matrix: Counts) -> Figures | str:
    """MPVSS's evaluator: classes that are predicted but never annotated are zeros in the mean."""
    classes = len(matrix) - 1
    beyond = np.flatnonzero(matrix[:, classes + 1 :].any(axis=0)) + classes + 1
    if beyond.size:
        return f"the official script stops: predicted id {int(beyond[0])} is beyond its {classes} classes and void"
    square = matrix[:-1, :classes]  # pixels predicted void (id C) are left out, and void ground truth
    figures = _over_ground_truth(square)
    union = int(((square.sum(0) + square.sum(1)) > 0).sum())
    return Figures(
        figures.iou,
        union,
        _ratio(math.fsum(figures.iou[~np.isnan(figures.iou)]), union),
        figures.WIoU,
        figures.pixel_accuracy,
        figures.class_accuracy,
    )


def mmseg(matrix: Counts) -> Figures | str:
    """mmsegmentation: areas from histograms of C bins, the last one closed; the mean over classes that occur at all."""
    classes = len(matrix) - 1
    label = matrix[:-1].sum(1)
    predicted = matrix[:-1, :classes].sum(0)
    moved = 0
    if classes < matrix.shape[1]:
        moved = int(matrix[:-1, classes].sum())  # the closed last bin [C - 1, C]
        predicted[-1] += moved
    hit = matrix[:-1, :classes].diagonal()
    iou, recall = _divide(hit, label + predicted - hit), _divide(hit, label)
    total = int(label.sum())
    return Figures(
        iou,
        int((~np.isnan(iou)).sum()),
        _mean(iou),
        _weighted(label, iou),
        _ratio(int(hit.sum()), total),
        _mean(recall),
        moved,
    )


def arseg(matrix: Counts) -> Figures | str:
    """AR-Seg: the plain mean over all classes, which is NaN as soon as one never occurs."""
    outside = outside_values(matrix[:-1], len(matrix) - 1)
    if outside:
        return f"its matrix has no column for the predicted id {_listed(outside)}"
    square = matrix[:-1, : len(matrix) - 1]
    hit = square.diagonal()
    iou = _divide(hit, square.sum(0) + square.sum(1) - hit)
    mean = math.fsum(iou) / len(iou) if not np.isnan(iou).any() else math.nan
    return Figures(iou, len(iou), mean, None, None, None)


def outside_values(matrix: Counts, classes: int) -> list[int]:
    """The predicted values that occur and are no class, ascending."""
    return (np.flatnonzero(matrix[:, classes:].any(axis=0)) + classes).tolist()


def _over_ground_truth(square: Counts, moved: int = 0) -> Figures:
    label, predicted, hit = square.sum(1), square.sum(0), square.diagonal()
    there = label > 0
    iou = np.where(there, _divide(hit, label + predicted - hit), np.nan)
    return Figures(
        iou,
        int(there.sum()),
        _mean(iou),
        _weighted(label, iou),
        _ratio(int(hit.sum()), int(label.sum())),
        _mean(_divide(hit, label)),
        moved,
    )


def _divide(part: Counts, whole: Counts) -> Floats:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan


def _mean(values: Floats) -> float:
    """Over what is not NaN; NaN if nothing is left."""
    kept = values[~np.isnan(values)]
    return _ratio(math.fsum(kept), len(kept))


def _weighted(label: Counts, iou: Floats) -> float:
    there = label > 0
    return _ratio(math.fsum(label[there] * iou[there]), int(label.sum()))


def _listed(values: list[int]) -> str:
    return ", ".join(map(str, values[:5])) + (" and others" if len(values) > 5 else "")
