"""mIoU at each distance to the key frame: how a prediction ages between two key frames."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vssbench.metrics.accuracy.clip_states import Clips
from vssbench.metrics.accuracy.confusion import Cells, cells, dense
from vssbench.metrics.accuracy.scripts import Counts


def by_distance(clips: Clips) -> list[dict[str, Any]]:
    """Return [{"distance", "mIoU", "pixels"}] in order of distance.

    mIoU is in percent by the protocol's formula, over the clips that count under it; None where it gives no number.
    pixels counts those with ground truth. The classes averaged may differ from one distance to the next.
    """
    rows = []
    for distance, matrix in matrices(clips).items():
        found = clips.protocol.figures(matrix)
        miou = math.nan if isinstance(found, str) else found.mIoU
        pixels = int(matrix[:-1].sum())
        rows.append({"distance": distance, "mIoU": None if math.isnan(miou) else 100.0 * miou, "pixels": pixels})
    return rows


def matrices(clips: Clips) -> dict[int, Counts]:
    """Return distance, ascending -> int64[C + 1, 256], summed over the clips that count."""
    every_clip = zip(clips.all, clips.everywhere(cells), strict=True)
    parts = [one for record, one in every_clip if record.clip not in clips.skipped]
    if not parts:
        return {}
    every = Cells(*map(np.concatenate, zip(*parts, strict=True)))
    return {
        distance: dense(Cells(*(part[every.distance == distance] for part in every)), clips.space)
        for distance in np.unique(every.distance).tolist()
    }
