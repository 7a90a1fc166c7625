"""The sweep over the key-frame interval: what is lost, and what is saved, as key frames become rare.

It is a figure of accuracy, consistency, GFLOPs and speed over the interval, with a file of its numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from vssbench.files.atomic import write_text
from vssbench.reports.key_frames import interval, names_without, variant, without_interval
from vssbench.reports.plots import theme
from vssbench.reports.plots.sweep_drawing import BOUND, ROWS, draw, parts, quantities
from vssbench.reports.rows import Row, rank
from vssbench.reports.tables.data_frame import COMPARABLE, csv, table

SPEEDS = ("slow", "medium", "fast")


def write(rows: Sequence[Row], folder: Path, formats: Sequence[str] = theme.FORMATS) -> list[Path]:
    """Write sweep.csv and sweep.<format>; sweep_2 ... for further datasets and protocols.

    Datasets that differ only in their arguments are side by side. Nothing is written where no interval was swept.
    """
    swept = curves(rows)
    if swept.empty:
        return []
    written = [folder / "sweep.csv"]
    write_text(written[0], csv(swept))
    families, measured = frozenset(row.family for row in rows), [row for row in rows if row.origin != "published"]
    methods = zip(measured, names_without(without_interval, measured), strict=True)
    called = {method: variant(row) for row, method in methods if row.called}
    figures = swept.groupby([swept["dataset"].map(_kind), "protocol"], sort=False)
    drawn = [group for _, group in figures if quantities(group)]
    for number, group in enumerate(drawn, 1):
        stem = folder / (f"sweep_{number}" if number > 1 else "sweep")
        written += theme.write(partial(draw, group, families=families, called=called), stem, formats)
    return written


def curves(rows: Sequence[Row]) -> pd.DataFrame:
    """Return a line per measured row of datasets on which a method was measured at several intervals; may be empty.

    Columns: those of COMPARABLE, `family` (the method without its interval; with its run where it was measured twice),
    `key_interval` (frames; missing for a method that has no fixed one), `method`, those of ROWS, and BOUND. Datasets
    are in the order of the figure's columns, families by name, missing numbers NaN.
    """
    ordered = sorted((row for row in rows if row.origin != "published"), key=rank)
    if not ordered:
        return pd.DataFrame()
    lines = table(ordered).reindex(columns=[*COMPARABLE, "method", *ROWS, BOUND])
    place = len(COMPARABLE)
    lines.insert(place, "family", names_without(without_interval, ordered))
    lines.insert(place + 1, "key_interval", pd.Series([interval(row) for row in ordered], dtype="Int64"))
    swept = lines.groupby([*COMPARABLE, "family"])["key_interval"].transform("nunique") > 1
    lines = lines[swept.groupby([lines[name] for name in COMPARABLE]).transform("any")]
    columns = {dataset: index for index, dataset in enumerate(sorted(lines["dataset"].unique(), key=_place))}
    keys = [*COMPARABLE, "family", "key_interval"]
    return lines.sort_values(keys, key=lambda column: column.map(columns) if column.name == "dataset" else column)


def _kind(dataset: str) -> str:
    spec, split = parts(dataset)
    return f"{spec.name} {split}"


def _place(dataset: str) -> tuple[str, list[tuple[str, int, float, str]]]:
    """Return the sort key: by kind, then by arguments, numbers as numbers and speeds from slow to fast."""

    def order(value: object) -> tuple[int, float, str]:
        if value in SPEEDS:
            return 0, SPEEDS.index(str(value)), ""
        return (0, value, "") if isinstance(value, int | float) else (1, 0, str(value))

    return _kind(dataset), [(key, *order(value)) for key, value in parts(dataset)[0].args]
