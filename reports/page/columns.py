"""The page's columns: the leaderboard's, and on request all that may be an axis; what the scripts know of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vssbench.reports.columns import MISSING, Column, columns, metrics
from vssbench.reports.page.provenance import difference
from vssbench.reports.rows import Row
from vssbench.reports.significance import alike
from vssbench.results.figures import CATALOGUE, STREAMED
from vssbench.results.signature import Signature
from vssbench.specs import parse

SECONDARY = ("key_frames", "gflops(key)", "gflops(nonkey)", "fps(end_to_end)")
"""The leaderboard's columns that are shown only on request."""
TAIL = ("latency(p50,end_to_end)", "latency(p99,step)", "latency(p99,end_to_end)", "latency(max,end_to_end)", "jitter")
METERED = ("memory", "energy", "power", "rate")
"""Families of figures that the leaderboard has no room for."""


def all_columns(rows: Sequence[Row], chosen: Sequence[str] = ()) -> list[tuple[Column, bool]]:
    """Return the leaderboard's columns, and further ones that any row has; each with whether it is shown at once.

    Further metrics come after the leaderboard's accuracies, further costs at the end.
    """
    first = columns(rows, chosen)
    found = [(column, bool(chosen) or column.key not in SECONDARY) for column in first]
    place = len(first) if chosen else sum(column.accuracy for column in first)
    known = {column.key for column in first}
    keys = [*metrics(rows), *further(rows)]
    more = [*(columns(rows) if chosen else ()), *(columns(rows, keys) if keys else ())]
    has = {column for column in more if any(column.value(row) is not None for row in rows)}
    others = {column: False for column in more if column.key not in known and (column in has or column.accuracy)}
    accuracies = [one for one in others.items() if one[0].accuracy]
    costs = [one for one in others.items() if not one[0].accuracy]
    return [*found[:place], *accuracies, *found[place:], *costs]


def further(rows: Sequence[Row]) -> list[str]:
    """Return names of figures beyond the leaderboard: slow frames, memory, energy, and streams at each rate."""
    known = dict.fromkeys(name for row in rows for name in row.values)
    metered = [name for name, one in CATALOGUE.items() if name in TAIL or one.spec.name in METERED]
    streamed = [name for name in known if "(" in name and parse(name, words=True).name in STREAMED]
    return [name for name in (*metered, *streamed) if name in known]


def described(column: Column, rows: Sequence[Row], primary: bool) -> dict[str, Any]:
    """Return the column as JSON.

    better: 1 if more is, -1 if less is, else 0;  cited: its name in a signature;  words: whether its figures are words
    """
    return {
        "key": column.key,
        "cited": str(Signature(column.key, (), "")).removesuffix(" = "),
        "words": any(column.value(row) is None and column.text(row) != MISSING for row in rows),
        "title": column.title,
        "better": {"more": 1, "less": -1, None: 0}[column.better],
        "topic": column.figure.topic,
        "machine": column.machine,
        "primary": primary,
    }


def cells(column: Column, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return per row the figure, as printed, its mark ("best", "second", null) and its interval or why it has none.

    atLeast: it is a lower bound;  alike: it cannot be told from the best;  minusBest: the difference, in words;
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
    """Round to six digits, as a card shows; leaderboard.csv has them all."""
    return None if figure is None else float(f"{figure:.6g}")
