"""What the page shows, as JSON: groups of comparable rows, each with its columns, notes, clips and frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vssbench import __version__
from vssbench.reports.columns import by_clip, machines
from vssbench.reports.key_frames import ageing
from vssbench.reports.names import names, short_names
from vssbench.reports.notes import numbered
from vssbench.reports.page.citations import cite
from vssbench.reports.page.columns import all_columns, cells, described
from vssbench.reports.page.flicker import places
from vssbench.reports.page.frames import BUDGET, frames, kept_by
from vssbench.reports.page.legend import legend
from vssbench.reports.page.pairs import pairs
from vssbench.reports.page.per_clip import LEVELS, aligned, hundredths, per_clip, quantiles
from vssbench.reports.page.provenance import provenance
from vssbench.reports.page.runs import runs
from vssbench.reports.plots.theme import DARK, LIGHT
from vssbench.reports.read_runs import SHOWN
from vssbench.reports.rows import Group, Row, joined, level_of
from vssbench.reports.significance import ALPHA
from vssbench.reports.streams import curve, limits


def contents(rows: Sequence[Row], chosen: Sequence[str] = ()) -> dict[str, Any]:
    """Return the whole page's data, in the leaderboard's order. chosen: figures that its table shows at once."""
    groups = list(joined(rows))
    return {
        "version": __version__,
        "levels": LEVELS.tolist(),
        "alpha": ALPHA,
        "level": level_of(rows),
        "shown": SHOWN,
        "families": sorted({row.family for row in rows}),
        "palette": list(zip(LIGHT.palette, DARK.palette, strict=True)),
        "groups": [_group(group, members, BUDGET // len(groups), chosen) for group, members in groups],
    }


def _group(group: Group, rows: list[Row], budget: int, chosen: Sequence[str]) -> dict[str, Any]:
    shown = all_columns(rows, chosen)
    table = {column.title: cells(column, rows) for column, _ in shown}
    notes = numbered(rows)
    kept = kept_by(rows)
    pictured = frames(kept, budget - budget // 8)
    info = next((row.result.dataset for row in rows if row.result is not None), None)
    classes, clips = (info.classes, info.names) if info else ([], [])
    tested = by_clip((key for row in rows for key in row.values), chosen)
    return {
        **group._asdict(),
        "heading": group.heading,
        "runs": runs(rows),
        "frameCount": info.frames if info else None,
        "classes": classes,
        "clipNames": clips,
        "columns": [described(column, rows, primary) for column, primary in shown],
        "legend": legend(rows, [column for column, _ in shown], notes),
        "machines": machines(rows),
        "notes": notes.texts,
        "rows": [
            {
                "method": name,
                "short": short,
                "family": row.family,
                "origin": row.origin,
                "protocol": row.group.protocol,
                "contender": row.contender,
                "barred": row.barred,
                **cite(row, {column.title: column for column, _ in shown}, {t: c[index] for t, c in table.items()}),
                "notes": notes.of_row[index],
                "provenance": provenance(row),
                **_measured(row, classes, clips, tested),
            }
            for index, (row, name, short) in enumerate(zip(rows, names(rows), short_names(rows), strict=True))
        ],
        "pairs": pairs(rows),
        "ageing": _ageing(rows),
        "streams": _streams(rows),
        **pictured,
        "flicker": places(kept, {frame["clip"] for frame in pictured["frames"]}, budget // 8),
    }


def _measured(row: Row, classes: list[str], clips: list[str], tested: Sequence[str]) -> dict[str, Any]:
    """Return what a result holds beyond the leaderboard's figures; parts that were not measured are empty."""
    by_class = {"IoU": row.result.per_class, **row.result.by_class} if row.result else {}
    return {
        "perClass": {metric: aligned(values, classes) for metric, values in by_class.items() if values},
        "latency": quantiles(row.result) if row.result else {},
        "perClip": {
            name: values if isinstance(values, str) else hundredths(values, clips)
            for name, values in per_clip(row, tested).items()
        },
    }


def _streams(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return a curve per method that was streamed at several frame rates, in the form of `_ageing`; a point with a
    confidence interval also has its ends."""
    found = [(index, name, curve(row)) for index, (row, name) in enumerate(zip(rows, names(rows), strict=True))]
    return [
        {
            "name": name,
            "row": index,
            "points": [
                [round(value, 4) for value in (fps, miou, *(limits(rows[index], fps) or ()))]
                for fps, miou in points.items()
            ],
        }
        for index, name, points in found
        if len(points) > 1
    ]


def _ageing(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return a curve per method. row: the index of the row that it belongs to; null where sweep phases are joined."""
    methods = names(rows)
    return [
        {
            "name": name,
            "row": methods.index(name) if name in methods else None,
            "points": [(distance, round(miou, 4)) for distance, miou in one.miou.items()],
        }
        for name, one in ageing(rows).items()
    ]
