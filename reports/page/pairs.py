"""The best methods of a group in pairs: difference, interval over clips, and p, as the leaderboard has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vssbench.reports.rows import Row


def pairs(rows: Sequence[Row]) -> dict[str, list[tuple[Any, ...]]]:
    """Return metric -> (i, j, effect, low, high, p, least p), rows' places: i minus j, in percentage points.

    p is corrected for all pairs of competing rows, whether shown or not. Where anything is None, the reason comes last.
    """
    places = {row.folder: place for place, row in enumerate(rows)}
    found: dict[str, list[tuple[Any, ...]]] = {}
    for place, row in enumerate(rows):
        for metric, others in row.to_others.items():
            for folder, one in others.items():
                if folder in places:
                    figures = (one.effect, one.low, one.high, one.adjusted, one.least)
                    reason = () if one.reason is None else (one.reason,)
                    entry = (place, places[folder], *map(_rounded, figures), *reason)
                    found.setdefault(metric, []).append(entry)
    return found


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
