"""The lines of a plot: one colour per method, one entry in the legend, and the key-frame interval K at each line's end.

Lines of one method that differ only in K look alike: K says which is which.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from vssbench.errors import counted
from vssbench.reports.key_frames import interval, variant, without_interval
from vssbench.reports.names import RUN, clear, short_names
from vssbench.reports.plots.column_figure import HEIGHT, WIDTH, Sheet
from vssbench.reports.plots.label_drawing import annotate
from vssbench.reports.plots.label_placement import Floats, Scene
from vssbench.reports.plots.overlaps import show_hidden
from vssbench.reports.plots.theme import LINES, Theme, looks_of_lines
from vssbench.reports.rows import Row


class Curve(NamedTuple):
    """One line.

    name:   in the legend, which lists lines with the same name once;  end: written at the last point, or empty
    points: x -> y
    """

    name: str
    family: str
    points: Mapping[float, float]
    end: str = ""


def curves(rows: Sequence[Row], points: Sequence[Mapping[Any, float]]) -> list[Curve]:
    """Return a line per row. Lines of one method at several key-frame intervals share a name, with K at their ends."""
    whole = short_names(rows)
    full = [variant(row) if row.called else without_interval(row) for row in rows]
    variants = clear([variant(row) for row in rows], full)
    keys = [name + "".join(long.partition(RUN)[1:]) for name, long in zip(variants, whole, strict=True)]
    intervals = {key: {interval(row) for row, other in zip(rows, keys, strict=True) if other == key} for key in keys}
    return [
        Curve(key, row.family, by, f"K={interval(row)}")
        if len(intervals[key]) > 1 and interval(row) is not None
        else Curve(name, row.family, by)
        for row, name, key, by in zip(rows, whole, keys, points, strict=True)
    ]


def draw(sheet: Sheet, lines: Sequence[Curve], families: Collection[str], theme: Theme) -> None:
    """Draw all lines, and their names below; of very many, only the first. The axes' scales must be set already.

    families: of everything that the report shows
    """
    shown, axes = lines[:LINES], sheet.axes
    seen = looks_of_lines({line.name: line.family for line in shown}, families, theme)
    drawn = []
    for line in shown:
        x = sorted(line.points)
        drawn += axes.plot(x, [line.points[at] for at in x], **seen[line.name].line)
    axes.margins(x=0.08, y=0.1)
    axes.set(xlim=_with_room(axes), ylim=axes.get_ylim())  # freeze the limits
    show_hidden(axes, drawn, (WIDTH, HEIGHT))
    numbers = _ends(sheet, shown, theme)
    sheet.table([(look.line, name) for name, look in seen.items()])
    for index, number in numbers.items():
        sheet.note(f"{number or '?'}: {shown[index].name} {shown[index].end}")
    if len(lines) > LINES:
        rest = len(lines) - LINES
        sheet.note(f"{counted(rest, 'method')} of lower accuracy {'is' if rest == 1 else 'are'} not shown")


def _with_room(axes: Axes) -> tuple[float, float]:
    """Return the limits of x with room on the right for the labels at the lines' ends."""
    to, back = axes.xaxis.get_transform(), axes.xaxis.get_transform().inverted()
    low, high = to.transform(axes.get_xlim())
    return axes.get_xlim()[0], float(back.transform(high + 0.07 * (high - low)))


def _ends(sheet: Sheet, lines: Sequence[Curve], theme: Theme) -> dict[int, str]:
    """Write K at the lines' ends. Returns index -> number for those that found no place there."""

    def at(*data: tuple[float, float]) -> Floats:
        pixels = sheet.axes.transData.transform(np.array(data, float).reshape(-1, 2))
        return np.asarray(sheet.axes.transAxes.inverted().transform(pixels) * (WIDTH, HEIGHT), float)

    paths = [at(*sorted(line.points.items())) for line in lines]
    if not any(line.end for line in lines):
        return {}
    scene = Scene(
        frame=(2, 2, WIDTH - 2, HEIGHT - 2), points=np.array([path[-1] for path in paths]), radius=3.0, gap=1.6,
        faint=np.array([np.hstack(pair) for path in paths for pair in pairwise(path)]).reshape(-1, 4),
    )  # fmt: skip
    written: dict[tuple[str, int, int], int] = {}  # lines that end in one place share one K
    for index, (line, path) in enumerate(zip(lines, paths, strict=True)):
        written.setdefault((line.end, *path[-1].round().astype(int).tolist()), index)
    ends = [line.end if index in written.values() else "" for index, line in enumerate(lines)]
    return annotate(sheet.axes, scene, ends, np.zeros(len(lines), bool), theme)
