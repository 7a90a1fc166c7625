"""The page's columns: those of the leaderboard, and on request the other metrics; what a script must know of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vssbench.reports.columns import Column, columns
from vssbench.reports.rows import COSTS, FPS, GFLOPS, GFLOPS_OF, KEY_FRAMES, PARAMS, Row

SECONDARY = (KEY_FRAMES, *GFLOPS_OF.values(), FPS["end_to_end"])
"""Of the leaderboard's columns, those that are shown on request too."""
TOPICS = {KEY_FRAMES: "schedule", PARAMS: "params", GFLOPS: "gflops"} | dict.fromkeys(GFLOPS_OF.values(), "gflops")
"""Key of a column -> the part of a row's provenance that explains it; accuracies and speeds are the rest."""


def all_columns(rows: Sequence[Row]) -> list[Column]:
    """The leaderboard's, with the metrics that it leaves out after its accuracies."""
    found = columns(rows)
    shown = {column.key for column in found}
    metrics = dict.fromkeys(key for row in rows for key in row.values if key not in COSTS and key not in shown)
    place = sum(column.accuracy for column in found)
    return [*found[:place], *(Column(key, key.replace("_", " "), "more") for key in metrics), *found[place:]]


def described(column: Column, primary: bool) -> dict[str, Any]:
    """The column as JSON. better: 1 more is, -1 less is, 0 neither."""
    return {
        "key": column.key,
        "title": column.title,
        "better": {"more": 1, "less": -1, None: 0}[column.better],
        "topic": "accuracy" if column.accuracy else TOPICS.get(column.key, "speed"),
        "machine": column.machine,
        "primary": primary and column.key not in SECONDARY,
    }


def cells(column: Column, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """For each row the figure, as printed, its mark ("best", "second", null) and its interval or why it has none."""
    return [
        {"value": _rounded(column.value(row)), "text": column.text(row), "mark": mark, **_interval(column, row)}
        for row, mark in zip(rows, column.marks(rows), strict=True)
    ]


def _interval(column: Column, row: Row) -> dict[str, Any]:
    found = row.intervals.get(column.key)
    if found is None or column.value(row) is None:
        return {}
    if found.low is None or found.high is None:
        return {"noInterval": found.reason}
    return {"low": _rounded(found.low), "high": _rounded(found.high), "level": found.level}


def _rounded(figure: float | None) -> float | None:
    """To six digits: what a card shows; leaderboard.csv has them all."""
    return None if figure is None else float(f"{figure:.6g}")
