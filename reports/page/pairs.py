"""The measured methods of a group two by two: difference, interval over clips, and p, as the leaderboard has them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from vssbench.errors import NotComparable
from vssbench.metrics.accuracy.clip_states import Totals
from vssbench.reports.page.per_clip import METRICS
from vssbench.reports.rows import Row
from vssbench.stats.over_clips import OverClips, Pairs, compare_methods

LEVEL = 0.95
"""Of the intervals."""
SHOWN = 20
"""So many of a group's rows, the best ones, are compared: 190 pairs."""


def pairs(rows: Sequence[Row]) -> dict[str, list[tuple[Any, ...]]]:
    """Metric -> (i, j, effect, low, high, p, least p, reason) of rows i < j: i minus j, in points of percent.

    p is corrected for all pairs of the rows that compete, whether shown or not; a pair is left out where one of the two
    does not compete. low, high: None for `reason`.
    """
    found: dict[str, list[tuple[Any, ...]]] = {}
    for metric in METRICS:
        places = [index for index, row in enumerate(rows) if row.contends(metric) and _totals(row, metric)]
        methods = [over for index in places if (over := rows[index].over_clips)]
        tested = list(combinations(range(len(methods)), 2))
        shown = {pair for pair in tested if pair[1] < SHOWN}
        if tested:
            found[metric] = _compared(methods, metric, Pairs(tested, shown), places)
    return found


def _totals(row: Row, metric: str) -> bool:
    return row.over_clips is not None and isinstance(row.over_clips.totals.get(metric), Totals)


def _compared(methods: Sequence[OverClips], metric: str, asked: Pairs, places: Sequence[int]) -> list[tuple[Any, ...]]:
    try:
        made = compare_methods(methods, {metric: asked}, LEVEL)[metric]
    except NotComparable:
        return []  # the page says that these were not compared; the leaderboard says why
    return [
        (
            places[i], places[j], _rounded(one.effect), _rounded(one.low), _rounded(one.high),
            _rounded(one.adjusted), _rounded(one.least), one.reason,
        )
        for (i, j), one in sorted(made.items())
        if one.effect is not None and one.adjusted is not None
    ]  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
