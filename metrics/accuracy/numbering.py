"""Signs that label files or predictions use a different numbering: the usual suspect behind a score near zero.

A bad network is wrong in many ways; one whose ids are shifted, or are file values, is wrong in one.
"""

from __future__ import annotations

import numpy as np

from vssbench.metrics.accuracy.clip_states import Clips
from vssbench.metrics.accuracy.confusion import Confusion, cells, dense
from vssbench.metrics.accuracy.scripts import Counts
from vssbench.types import LabelSpace

MOSTLY, HARDLY, NEARLY = 0.5, 0.1, 0.99
"""Shares of pixels: void above the first is odd, and so is agreement below the second."""


def doubts(clips: Clips) -> list[str]:
    """Return doubts in words for the reader of a result; empty where nothing is odd, or nothing was counted.

    There are two: void prevails; ground truth and prediction hardly ever agree but would in a different numbering.
    """
    if any(Confusion.name not in record.states for record in clips.all):
        return []
    matrix = sum(
        (dense(one, clips.space) for one in clips.everywhere(cells)), np.zeros((clips.space.classes + 1, 256), int)
    )
    void, labelled = int(matrix[-1].sum()), int(matrix[:-1].sum())
    found = []
    if void >= MOSTLY * (void + labelled) > 0:
        share = 100 * void / (void + labelled)
        found.append(
            f"{share:.1f} % of the ground truth is void: sparse labels, or label files numbered differently from "
            f"{clips.space.name} (vssbench doctor lists how often each class occurs)"
        )
    if labelled and _agreement(matrix, np.arange(clips.space.classes)) < HARDLY:
        found += _other_numbering(matrix, clips.space)
    return found


def _other_numbering(matrix: Counts, space: LabelSpace) -> list[str]:
    """Say in which numbering the two would agree on most pixels."""
    ids, file_values, labelled = np.arange(space.classes), space.to_file.astype(int), matrix[:-1]
    example = f"{space.name}: {file_values[0]} for {space.names[0]}"
    for other, what in (
        (file_values, f"the file value of the label's class ({example}): one of the two is renumbered"),
        (ids + 1, "one above the label's class: one of the two is off by one"),
        (ids - 1, "one below the label's class: one of the two is off by one"),
    ):
        if (share := _agreement(matrix, other)) >= MOSTLY:
            return [f"on {100 * share:.1f} % of the labelled pixels the prediction is {what}"]
    total, one = labelled.sum(), labelled.sum(axis=0).max()
    if one >= NEARLY * total:
        return [f"{100 * one / total:.1f} % of the labelled pixels are predicted as the same id"]
    return []


def _agreement(matrix: Counts, predicted: np.ndarray) -> float:
    """Return the share of the labelled pixels on which the prediction is, for class k, predicted[k]."""
    k = np.flatnonzero((predicted >= 0) & (predicted < matrix.shape[1]))
    return float(matrix[k, predicted[k]].sum() / matrix[:-1].sum())
