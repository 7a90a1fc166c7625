"""What the page shows, as JSON: groups of rows that may be compared, each with its columns, notes, clips and frames.

Figures are rounded to what the page prints on hover; full precision is in leaderboard.csv.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from vssbench import __version__
from vssbench.reports.page.clips import aligned, per_clip
from vssbench.reports.page.columns import columns, places, value
from vssbench.reports.page.latency import LEVELS, quantiles
from vssbench.reports.page.provenance import provenance
from vssbench.reports.rows import Group, Row, grouped
from vssbench.stats.bootstrap import Interval


def contents(rows: Sequence[Row]) -> dict[str, Any]:
    """{"version", "levels", "groups"}; the order is that of the leaderboard."""
    return {
        "version": __version__,
        "levels": LEVELS.tolist(),
        "groups": [_group(group, members) for group, members in grouped(rows)],
    }


def _group(group: Group, rows: list[Row]) -> dict[str, Any]:
    shown = columns(rows)
    info = next((row.result.dataset for row in rows if row.result is not None), None)
    classes = info.classes if info else []
    clips = info.names if info else []
    notes = {text: number for number, text in enumerate(dict.fromkeys(note for row in rows for note in row.notes))}
    best = {column.key: places(rows, column) for column in shown}
    labels = _labels(rows)
    return {
        **group._asdict(),
        "frames": info.frames if info else None,
        "classes": classes,
        "clipNames": clips,
        "columns": [asdict(column) for column in shown],
        "notes": list(notes),
        "rows": [
            {
                "method": labels[index],
                "family": row.family,
                "origin": row.origin,
                "uncounted": row.uncounted,
                "machine": row.machine,
                "source": row.source,
                "values": {column.key: _rounded(value(row, column.key)) for column in shown},
                "intervals": {name: _interval(found) for name, found in row.intervals.items()},
                "best": {key: found[index] for key, found in best.items() if index in found},
                "notes": [notes[note] for note in row.notes],
                "provenance": provenance(row),
                **_measured(row, classes, clips),
            }
            for index, row in enumerate(rows)
        ],
    }


def _measured(row: Row, classes: list[str], clips: list[str]) -> dict[str, Any]:
    """What a result holds beyond the leaderboard's figures; empty parts where it was not measured."""
    if row.result is None:
        return {"perClass": None, "distance": [], "latency": {}, "perClip": {}}
    return {
        "perClass": [_rounded(row.result.per_class.get(name), 2) for name in classes] if row.result.per_class else None,
        "distance": [(one["distance"], _rounded(one["mIoU"]), one["pixels"]) for one in row.result.by_distance],
        "latency": quantiles(row.result),
        "perClip": {name: aligned(values, clips) for name, values in per_clip(row).items()},
    }


def _labels(rows: Sequence[Row]) -> list[str]:
    """The methods' names; of one that was measured several times, with the run."""
    count = Counter(row.method for row in rows)
    return [
        f"{row.method} · {row.folder.parent.name}" if count[row.method] > 1 and row.folder else row.method
        for row in rows
    ]


def _interval(found: Interval) -> dict[str, Any]:
    if found.low is None or found.high is None:
        return {"reason": found.reason}
    return {"low": _rounded(found.low), "high": _rounded(found.high), "level": found.level}


def _rounded(figure: float | None, digits: int = 4) -> float | None:
    return None if figure is None else float(f"{figure:.{digits + 4}g}") if abs(figure) < 1 else round(figure, digits)
