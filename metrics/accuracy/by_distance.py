"""mIoU at each distance to the key frame: how a prediction ages between two key frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from vssbench.metrics.accuracy import confusion
from vssbench.metrics.accuracy.clip_states import ClipStates
from vssbench.metrics.accuracy.confusion import Confusion
from vssbench.metrics.accuracy.protocols import find
from vssbench.metrics.accuracy.scripts import Counts
from vssbench.types import LabelSpace


def by_distance(space: LabelSpace, records: Sequence[ClipStates], protocol: str = "exact") -> list[dict[str, Any]]:
    """[{"distance", "mIoU", "pixels"}] in the order of distance.

    mIoU is in percent by the protocol's formula (all clips, whatever their length), None where it gives no number;
    pixels are those with ground truth. The classes averaged may differ from one distance to the next.
    """
    figures = find(protocol).figures
    rows = []
    for distance, matrix in sorted(matrices(space, records).items()):
        found = figures(matrix)
        miou = math.nan if isinstance(found, str) else found.mIoU
        pixels = int(matrix[:-1].sum())
        rows.append({"distance": distance, "mIoU": None if math.isnan(miou) else 100.0 * miou, "pixels": pixels})
    return rows


def matrices(space: LabelSpace, records: Sequence[ClipStates]) -> dict[int, Counts]:
    """Distance -> int64[C + 1, 256], summed over the clips."""
    found: dict[int, Counts] = {}
    for record in records:
        for distance, matrix in confusion.by_distance(record.states.get(Confusion.name, ()), space).items():
            found[distance] = found.get(distance, np.int64(0)) + matrix
    return found
