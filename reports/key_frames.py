"""How a prediction ages: mIoU over the distance to the key frame, the phases of a sweep joined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from vssbench.names import Spec, parse
from vssbench.reports.rows import Row, rank


class Ageing(NamedTuple):
    """phases: runs joined;  miou: frames since the key frame -> mIoU in percent, by distance."""

    phases: int
    miou: dict[int, float]


def ageing(rows: Sequence[Row]) -> dict[str, Ageing]:
    """By method, of those that show several distances.

    The phases of a sweep over `offset` are joined: where one frame of a clip is labelled (Cityscapes), one phase shows
    one distance, and only all phases together show them all. A distance that several show is averaged over them. Of
    one method measured twice, each run stands for itself.
    """
    found: dict[str, dict[int, list[float]]] = {}
    phases: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    for row in sorted(rows, key=rank):
        runs[row.method] += 1
        name = _without_offset(row) + (f" #{runs[row.method]}" if runs[row.method] > 1 else "")
        phases[name] += 1
        for distance, miou in row.distances.items():
            found.setdefault(name, {}).setdefault(distance, []).append(miou)
    return {
        name: Ageing(phases[name], {distance: fmean(values) for distance, values in sorted(by.items())})
        for name, by in found.items()
        if len(by) > 1
    }


def _without_offset(row: Row) -> str:
    if row.origin == "published":
        return row.method
    spec = parse(row.method)
    return str(Spec(spec.name, tuple(pair for pair in spec.args if pair[0] != "offset"), spec.at))
