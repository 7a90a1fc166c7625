"""The rows as one data frame, in full precision: what the CSV file holds."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from vssbench.reports.columns import ACCURACY
from vssbench.reports.names import resolved
from vssbench.reports.rows import COSTS, Group, Row, rank

COMPARABLE = Group._fields
"""Columns that say which rows may be compared."""


def table(rows: Sequence[Row]) -> pd.DataFrame:
    """One row a method, group by group, best mIoU first; missing is NaN.

    Columns: those of COMPARABLE, method (and in full, with every default), origin; each metric in percent with the ends
    of its confidence interval ("mIoU low", "mIoU high"); COSTS; whether GFLOPs is a lower bound; the machine of the
    speeds; the difference to the best in mIoU with its p; weights, source, notes.
    """
    return pd.DataFrame([_line(row) for row in sorted(rows, key=rank)])


def _line(row: Row) -> dict[str, object]:
    info, best = row.result, row.to_best
    return {
        **row.group._asdict(),
        "method": row.method,
        "method in full": resolved(row) or row.method,
        "origin": row.origin,
        **_accuracies(row),
        **{name: row.values.get(name) for name in COSTS},
        "GFLOPs is a lower bound": row.uncounted,
        "machine": row.machine,
        "mIoU minus the best's": best and best.effect,
        "p (Holm)": best and best.adjusted,
        "weights": info and (info.weights.sha256 or info.weights.origin),
        "source": row.source,
        "notes": "; ".join(row.notes),
    }


def _accuracies(row: Row) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name in dict.fromkeys((*ACCURACY, *(key for key in row.values if key not in COSTS))):
        found[name] = row.values.get(name)
        interval = row.intervals.get(name)
        found |= {f"{name} {end}": getattr(interval, end) if interval else None for end in ("low", "high")}
    return found
