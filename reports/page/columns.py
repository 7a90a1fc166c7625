"""The page's columns: those of the leaderboard, and on request the other metrics; what a script must know of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vssbench.reports.columns import Column, columns, metrics
from vssbench.reports.page.provenance import difference
from vssbench.reports.rows import Row
from vssbench.reports.significance import alike
from vssbench.results.figures import figure

SECONDARY = ("key_frames", "gflops(key)", "gflops(nonkey)", "fps(end_to_end)")
"""Of the leaderboard's columns, those that are shown on request too."""


def all_columns(rows: Sequence[Row], chosen: Sequence[str] = ()) -> list[tuple[Column, bool]]:
    """The leaderboard's columns and, after its accuracies, all other metrics; each with whether it is shown at once."""
    first = columns(rows, chosen)
    more = [*columns(rows), *(Column(figure(key, check=False)) for key in metrics(rows))]
    keys = {column.key for column in first}
    found = [(column, bool(chosen) or column.key not in SECONDARY) for column in first]
    place = len(first) if chosen else sum(column.accuracy for column in first)
    others = [(column, False) for column in dict.fromkeys(more) if column.key not in keys]
    return [*found[:place], *others, *found[place:]]


def described(column: Column, primary: bool) -> dict[str, Any]:
    """The column as JSON. better: 1 more is, -1 less is, 0 neither."""
    return {
        "key": column.key,
        "title": column.title,
        "better": {"more": 1, "less": -1, None: 0}[column.better],
        "topic": column.figure.topic,
        "machine": column.machine,
        "primary": primary,
    }


def cells(column: Column, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """For each row the figure, as printed, its mark ("best", "second", null) and its interval or why it has none.

    atLeast: where it is a lower bound;  alike: not to be told from the best;  minusBest: the difference, in words;
    busy: the machine was not quiet
    """
    return [
        {
            "value": _rounded(column.value(row)),
            "text": column.text(row),
            "mark": mark,
            **({"atLeast": True} if column.key in row.at_least else {}),
            **({"busy": True} if column.busy(row) else {}),
            **_interval(column, row),
            **({"alike": True} if alike(row, column.key) else {}),
            **({"minusBest": said} if (said := difference(row.to_best.get(column.key))) else {}),
        }
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
