"""The measured methods of a group in pairs: difference, interval over clips, and p, as the leaderboard has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from vssbench.errors import NotComparable
from vssbench.metrics.accuracy.clip_states import Totals
from vssbench.reports.rows import Row
from vssbench.stats.over_clips import OverClips, Pairs, compare_methods

LEVEL = 0.95
"""Confidence level of the intervals."""
TESTED = ("mIoU", "VC@8", "VC@16")
"""The metrics that are tested; pixel accuracy would take as long as all of these together."""
SHOWN = 20
"""The number of a group's best rows that are compared: 190 pairs."""


def pairs(rows: Sequence[Row]) -> dict[str, list[tuple[Any, ...]]]:
    """Return metric -> (i, j, effect, low, high, p, least p, reason) of rows i < j: i minus j, in percentage points.

    p is corrected for all pairs of competing rows, whether shown or not; a pair is left out where one of the two does
    not compete. low, high: None where there is none, and `reason` says why.
    """
    running: dict[tuple[int, ...], list[str]] = {}  # metrics with the same rows are tested together
    for metric in TESTED:
        places = tuple(place for place, row in enumerate(rows) if row.contends(metric) and _totals(row, metric))
        running.setdefault(places, []).append(metric)
    found: dict[str, list[tuple[Any, ...]]] = {}
    for places, names in running.items():
        methods = [over for place in places if (over := rows[place].over_clips)]
        tested = list(combinations(range(len(methods)), 2))
        shown = {pair for pair in tested if pair[1] < SHOWN}
        if tested:
            found |= _compared(methods, dict.fromkeys(names, Pairs(tested, shown)), places)
    return found


def _totals(row: Row, metric: str) -> bool:
    return row.over_clips is not None and isinstance(row.over_clips.totals.get(metric), Totals)


def _compared(
    methods: Sequence[OverClips], asked: Mapping[str, Pairs], places: Sequence[int]
) -> dict[str, list[tuple[Any, ...]]]:
    try:
        made = compare_methods(methods, asked, LEVEL)
    except NotComparable:
        return {}  # the page says that these were not compared; the leaderboard says why
    return {
        metric: [
            (
                places[i], places[j], _rounded(one.effect), _rounded(one.low), _rounded(one.high),
                _rounded(one.adjusted), _rounded(one.least), one.reason,
            )
            for (i, j), one in sorted(found.items())
            if one.effect is not None and one.adjusted is not None
        ]
        for metric, found in made.items()
    }  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
