"""Pareto plots: accuracy against cost. This module says which methods are in which plot; `pareto_drawing` draws them.

Only methods of one group share a plot, for speed only those of one machine. In the plots of GFLOPs and parameters,
published figures are next to measured ones of the same dataset, but never on the front: other programs measured them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vssbench.errors import counted
from vssbench.reports.key_frames import interval, without_interval
from vssbench.reports.names import short_names
from vssbench.reports.plots import theme
from vssbench.reports.plots.pareto_drawing import Plot, Point, dominated, draw
from vssbench.reports.rows import Group, Row, joined
from vssbench.results.figures import figure

ACCURACY = "mIoU"
NAMED = 24
"""Up to this many methods, each has a name and intervals; above, only the front and those that a user named."""
NO_INTERVALS: dict[str, Any] = {"x_interval": None, "y_interval": None}
SPEED = "fps(step+decode)"
COSTS = {  # figure -> (file name, axis label)
    "gflops": ("gflops", "GFLOPs per frame, amortised"),
    "params": ("params", "parameters (M)"),
    SPEED: ("fps", "FPS, step + decode"),
    "VC@8": ("vc", "consistency VC8 (%)"),
}


def write(rows: Sequence[Row], folder: Path, formats: Sequence[str] = theme.FORMATS) -> list[Path]:
    """Write pareto_<cost>.<format> for each cost that two or more methods have, and a dark variant of each SVG.

    Further groups are numbered (pareto_fps_2), and so are further machines of a group (pareto_fps_machine2).
    """
    written = []
    families = frozenset(row.family for row in rows)
    for number, (group, members) in enumerate(joined(rows), 1):
        for column, (name, _) in COSTS.items():
            for place, machine in enumerate(_machines(members) if column == SPEED else [None], 1):
                found = plot(group, members, column, machine, families)
                if len(found.points) > 1:
                    further = (f"_{number}" if number > 1 else "") + (f"_machine{place}" if place > 1 else "")
                    written += theme.write(partial(draw, found), folder / f"pareto_{name}{further}", formats)
    return written


def plot(
    group: Group, rows: Sequence[Row], column: str, machine: str | None = None, families: Collection[str] = ()
) -> Plot:
    """Return what one plot shows of comparable rows.

    Rows that differ only in the key-frame interval are one curve, named at the rarest key frames. What is printed twice
    for one method is one point where the figures are the same, and else is named once, at the better one.
    machine:  the one whose speeds are shown
    families: of everything that the report shows
    """
    _, label = COSTS[column]
    more = figure(column).better == "more"
    eligible = [row for row in rows if row.origin != "published" or column in ("gflops", "params")]
    shown = _once([row for row in eligible if _absence(row, column, machine) is None], column)
    absent = [row for row in eligible if _absence(row, column, machine) is not None]
    curves = _curves(shown)
    points = [_point(row, column, name) for row, name in _named(shown)]
    unnamed = _unnamed(points, [bool(row.called) for row in shown], more)
    on_curve = {index for curve in curves if curve[-1] not in unnamed for index in curve[:-1]}
    labels = {index: f"K={interval(shown[index])}" for index in on_curve}
    labels |= dict.fromkeys([*unnamed, *_repeated(shown)], "")
    context = [group.heading, f"protocol {group.protocol}" if group.protocol else "protocol not stated"]
    context += [counted(group.clips, "clip")] if group.clips else []
    return Plot(
        title="\n".join([", ".join(context), *([machine] if machine else [])]),
        x_label=label,
        y_label=f"{ACCURACY} (%)",
        more_is_better=more,
        points=tuple(
            replace(point, label=labels.get(index, point.label), **(NO_INTERVALS if index in unnamed else {}))
            for index, point in enumerate(points)
        ),
        families=frozenset(families) | {row.family for row in rows},
        curves=tuple(curves),
        notes=(*_remarks([*_named(absent), *_named(shown)], column, machine), *_left_out(unnamed)),
        keyed=bool(unnamed),
        x_top=theme.FASTEST if column == SPEED else math.inf,
    )


def _unnamed(points: Sequence[Point], asked: Sequence[bool], more_is_better: bool) -> set[int]:
    """Return the points left without name and intervals if there are more than NAMED: not on the front, nor asked for.

    On a front of more than NAMED, the most accurate keep their names.
    """
    if len(points) <= NAMED:
        return set()
    x, y = np.array([(point.x, point.y) for point in points]).T
    rivals = np.array([point.contender and not point.at_least for point in points])
    behind = dominated(x, y, more_is_better, rivals) | ~rivals
    front = np.lexsort((-y, behind))[: min(NAMED, int((~behind).sum()))].tolist()
    return {index for index in range(len(points)) if index not in front and not asked[index]}


def _left_out(unnamed: Collection[int]) -> list[str]:
    return [f"{counted(len(unnamed), 'method')} off the front not named"] if unnamed else []


def _once(rows: Sequence[Row], column: str) -> list[Row]:
    """Return the rows, keeping only the first of published ones with the same name and figures."""
    found: dict[object, Row] = {}
    for place, row in enumerate(rows):
        known = row.method, row.values.get(ACCURACY), row.values.get(column)
        found.setdefault(known if row.origin == "published" else place, row)
    return list(found.values())


def _repeated(rows: Sequence[Row]) -> set[int]:
    """Return published rows whose name a more accurate one has too."""
    best: dict[str, int] = {}
    printed = [index for index, row in enumerate(rows) if row.origin == "published"]
    for index in sorted(printed, key=lambda index: -_number(rows[index], ACCURACY)):
        best.setdefault(rows[index].method, index)
    return set(printed) - set(best.values())


def _named(rows: Sequence[Row]) -> list[tuple[Row, str]]:
    """Return rows with names that are short, and distinct for measured rows."""
    names = zip(rows, short_names(rows), strict=True)
    return [(row, row.method if row.origin == "published" else name) for row, name in names]


def _point(row: Row, column: str, name: str) -> Point:
    x = _number(row, column)
    return Point(
        name=name,
        label=name,
        family=row.family,
        runtime=row.runtime or "",
        x=min(x, theme.FASTEST) if column == SPEED else x,
        y=_number(row, ACCURACY),
        published=row.origin == "published",
        contender=row.contender,
        at_least=column in row.at_least,
        x_interval=_interval(row, column),
        y_interval=_interval(row, ACCURACY),
    )


def _absence(row: Row, column: str, machine: str | None) -> str | None:
    """Return why a row is not in a plot; None where it is."""
    lacking = [figure(name).title for name in (ACCURACY, column) if not math.isfinite(_number(row, name))]
    if lacking:
        return f"no {' and no '.join(lacking)}"
    return "measured on another machine" if column == SPEED and row.machine != machine else None


def _remarks(named: Sequence[tuple[Row, str]], column: str, machine: str | None) -> list[str]:
    """Say which rows are not shown, and which are not on the front, and why; published rows are only counted."""
    who: dict[str, list[str]] = {}
    printed: Counter[str] = Counter()
    for row, name in named:
        why = _absence(row, column, machine)
        if why and row.origin == "published":
            printed[f"Not shown, {why}"] += 1
        elif why:
            who.setdefault(f"Not shown, {why}", []).append(name)
        elif row.told or row.untrained:
            why = "given the ground truth" if row.told else "random weights"
            who.setdefault(f"Not on the front, {why}", []).append(name)
    for why, count in printed.items():
        who.setdefault(why, []).append(f"{count} published")
    return [f"{why}: {', '.join(names)}" for why, names in who.items()]


def _curves(rows: Sequence[Row]) -> list[tuple[int, ...]]:
    """Return indices of two or more rows that differ only in their key-frame interval, ordered by interval."""
    found: dict[tuple[str, str | None], list[tuple[int, int]]] = {}
    for index, row in enumerate(rows):
        if row.origin != "published" and (frames := interval(row)) is not None:
            found.setdefault((without_interval(row), row.runtime), []).append((frames, index))
    return [
        tuple(index for _, index in sorted(members))
        for members in found.values()
        if len(members) > 1 and len({frames for frames, _ in members}) == len(members)
    ]


def _machines(rows: Sequence[Row]) -> list[str]:
    """Return the machines on which speed was measured, the one with most methods first."""
    count = Counter(row.machine for row in rows if row.machine is not None and row.origin != "published")
    return sorted(count, key=lambda machine: (-count[machine], machine))


def _number(row: Row, column: str) -> float:
    """Return the figure; NaN where it is missing."""
    value = row.values.get(column)
    return math.nan if value is None else value


def _interval(row: Row, column: str) -> tuple[float, float] | None:
    """Return low and high, where there is an interval."""
    found = row.intervals.get(column)
    return None if found is None or found.low is None or found.high is None else (found.low, found.high)
