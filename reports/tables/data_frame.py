"""The rows as one data frame, in full precision: what the CSV file holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from vssbench.errors import printable
from vssbench.reports.columns import ACCURACY, PARTS, SPEEDS, metrics
from vssbench.reports.names import resolved
from vssbench.reports.rows import PRINTED, Group, Row, rank
from vssbench.results.figures import CATALOGUE, STREAMED
from vssbench.specs import parse

if TYPE_CHECKING:
    import pandas as pd

COMPARABLE = Group._fields
"""The columns that say which rows may be compared."""
ENDS = ("low", "high")
COST = ("key_frames", "gflops", *PARTS, "params", *SPEEDS, PRINTED.name)
"""The costs that have a column whether or not any row has them."""


def table(rows: Sequence[Row]) -> pd.DataFrame:
    """Return one row per method, group by group, best mIoU first; missing is NaN.

    Columns: those of COMPARABLE, method (and in full, with every default), origin; each metric in percent with the ends
    of its confidence interval ("mIoU low", "mIoU high") and p of its difference to the best ("VC@8 p (Holm)"), where
    there is one; COST and whatever else any row has; whether gflops is a lower bound; the machine of the speeds and
    whether it was busy meanwhile; whether memory was measured alone or together; the difference to the best in mIoU
    with its p; weights, source, notes. For accuracy by class and by distance, see `vssbench.load_results`.
    """
    import pandas as pd

    accuracies = dict.fromkeys((*ACCURACY, *metrics(rows)))
    there = {name for row in rows for name, value in row.values.items() if value is not None}
    others = [name for name in CATALOGUE if name in there and name not in COMPARABLE]
    streamed = [name for row in rows for name in row.values if parse(name, words=True).name in STREAMED]
    costs = dict.fromkeys((*COST, *others, *streamed))
    plain = all(row.plain for row in rows)
    return pd.DataFrame([_line(row, accuracies, costs, plain) for row in sorted(rows, key=rank)])


def csv(frame: pd.DataFrame) -> str:
    """Return the frame as CSV; no text has control characters, and one like a formula begins with an apostrophe."""
    return frame.map(_cell).to_csv(index=False)


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    return "'" * value.startswith(("=", "+", "-", "@", "\t", "\r")) + printable(value)


def _line(row: Row, accuracies: Iterable[str], costs: Iterable[str], plain: bool) -> dict[str, object]:
    info, best = row.result, row.to_best.get("mIoU")
    return {
        **row.group._asdict(),
        "method": row.method,
        "method in full": resolved(row) or row.method,
        "origin": row.origin,
        **_accuracies(row, accuracies),
        **{name: row.values.get(name) for name in costs},
        **{
            f"{name} {end}": getattr(row.intervals[name], end)
            for name in row.intervals
            if name in costs
            for end in ENDS
        },
        "gflops is a lower bound": "gflops" in row.at_least,
        "machine": row.machine,
        "machine was busy": row.busy,
        "memory measured": info and info.memory_mb and ("alone" if info.memory_alone else "together"),
        "mIoU minus the best's": best and best.effect,
        "p (Holm)": best and best.adjusted,
        **({} if plain else {"runtime": row.runtime, "precision": row.precision}),
        "weights": info and (info.weights.sha256 or info.weights.origin),
        "source": row.source,
        "notes": "; ".join(row.notes),
    }


def _accuracies(row: Row, names: Iterable[str]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name in names:
        found[name] = row.values.get(name)
        interval = row.intervals.get(name)
        found |= {f"{name} {end}": getattr(interval, end) if interval else None for end in ENDS}
        if name in row.to_best and name != "mIoU":
            found[f"{name} p (Holm)"] = row.to_best[name].adjusted
    return found
