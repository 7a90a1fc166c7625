"""The leaderboard's columns, and which of a group's figures is the best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vssbench.metrics.plan import DEFAULT
from vssbench.reports.rows import FPS, GFLOPS, KEY_FRAMES, PARAMS, Row
from vssbench.result import RunResult

ACCURACY = ("mIoU", "WIoU", "VC@8", "VC@16")
Topic = Literal["accuracy", "schedule", "gflops", "params", "speed"]


@dataclass(frozen=True)
class Column:
    """One column.

    better:  1 more is better, -1 less is, 0 neither
    topic:   which part of a row's provenance explains its figures
    primary: shown before all columns are asked for
    """

    key: str
    label: str
    unit: str
    better: int
    topic: Topic
    primary: bool


def columns(rows: Sequence[Row]) -> list[Column]:
    """Those that any row has a figure for, and the accuracies that were asked for though nobody has one."""
    metrics = dict.fromkeys(name for row in rows for name in _accuracies(row))
    named = [name for name in (*ACCURACY, *metrics) if name in metrics]
    found = [
        Column(name, name.replace("@", ""), "%", 1, "accuracy", name in ACCURACY or name not in DEFAULT)
        for name in dict.fromkeys(named)
    ]
    cost = [
        Column(KEY_FRAMES, "key frames", "%", 0, "schedule", False),
        Column(GFLOPS, "GFLOPs", "", -1, "gflops", True),
        *(Column(f"{GFLOPS} {kind}", f"GFLOPs {kind}", "", -1, "gflops", False) for kind in ("key", "nonkey")),
        Column(PARAMS, "params", "M", -1, "params", True),
        *(Column(key, key, "", 1, "speed", scope != "end_to_end") for scope, key in FPS.items()),
    ]
    return found + [column for column in cost if any(value(row, column.key) is not None for row in rows)]


def value(row: Row, key: str) -> float | None:
    """A row's figure; GFLOPs by frame kind are read off its result."""
    if key in row.values or row.result is None or not key.startswith(f"{GFLOPS} "):
        return row.values.get(key)
    return (row.result.gflops or {}).get(key.removeprefix(f"{GFLOPS} "))


def places(rows: Sequence[Row], column: Column) -> dict[int, int]:
    """Index of a row -> 1 for the best figure, 2 for the second best; equal figures share a place.

    Printed figures are not ranked among measured ones, nor lower bounds of GFLOPs; speed is ranked machine by machine.
    """
    found: dict[int, int] = {}
    for machine in dict.fromkeys(row.machine for row in rows) if column.topic == "speed" else [None]:
        figures = {
            index: figure
            for index, row in enumerate(rows)
            if (figure := value(row, column.key)) is not None
            and row.origin != "published"
            and (column.topic != "speed" or row.machine == machine)
            and not (column.topic == "gflops" and row.uncounted)
        }
        order = sorted(set(figures.values()), reverse=column.better > 0)[:2]
        if column.better and len(figures) > 1:
            found |= {index: order.index(figure) + 1 for index, figure in figures.items() if figure in order}
    return found


def _accuracies(row: Row) -> Iterable[str]:
    result: RunResult | None = row.result
    if result is not None:
        return result.metrics or ()
    values: Mapping[str, float | None] = row.values
    return (name for name in values if name not in (KEY_FRAMES, GFLOPS, PARAMS, *FPS.values()))
