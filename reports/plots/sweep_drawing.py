"""How the figure of a sweep is drawn: a panel a dataset and quantity, a line a method, one legend.

Colours are safe for the colour-blind, and markers and dashes tell the same; the size is that of two columns of a paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vssbench.errors import counted
from vssbench.reports.names import shortened
from vssbench.reports.plots import theme as style
from vssbench.reports.plots.theme import Theme
from vssbench.reports.tables.data_frame import COMPARABLE
from vssbench.specs import Spec, parse

ROWS = {  # figure -> axis label
    "mIoU": "mIoU (%)",
    "VC@8": "VC8 (%)",
    "gflops": "GFLOPs a frame",
    "fps(step)": "FPS (step)",
}
DASHES = ((5, 2), (1, 1.5), (6, 2, 1, 2), (2, 2), (9, 2), (4, 1, 1, 1, 1, 1))


class Look(NamedTuple):
    """How a family is drawn, the same in every panel: one style for the points of a sweep, one for a level."""

    label: str
    line: dict[str, Any]
    level: dict[str, Any]


def draw(rows: pd.DataFrame, theme: Theme) -> Figure:
    """rows: of `curves`, of datasets that differ in arguments only, under one protocol; what nobody has gets no row.

    Of very many methods the most accurate are shown.
    """
    best = rows.groupby("family")["mIoU"].max().sort_values(ascending=False, kind="stable")
    rows = rows[rows["family"].isin(best.index[: style.LINES])]
    groups = [group for _, group in rows.groupby(list(COMPARABLE), sort=False)]
    title, headings = _headings(groups)
    shown = quantities(rows)
    looks = _looks(rows, theme)
    width = style.COLUMN if len(groups) == 1 else style.PAGE
    figure = Figure(figsize=(width, 0.75 + 0.14 * len(looks) + 1.2 * len(shown)), layout="constrained")
    panels = figure.subplots(len(shown), len(groups), sharex=True, sharey="row", squeeze=False)
    for line, name in zip(panels, shown, strict=True):
        for axes, group in zip(line, groups, strict=True):
            _panel(axes, group, name, looks)
        line[0].set_ylabel(ROWS[name])
        values = [value for axes in line for value in _drawn(axes)]
        style.scale(line[0], "y", values, style.FASTEST if name.startswith("fps") else math.inf)
    for top, bottom, heading in zip(panels[0], panels[-1], headings, strict=True):
        top.set_title(heading)
        bottom.set_xlabel("key-frame interval (frames)")
        bottom.set_xticks(sorted(rows["key_interval"].dropna().unique()))
    figure.align_ylabels()
    if len(best) > style.LINES:
        title += f"; {style.LINES} of {len(best)} methods"
    figure.suptitle(style.wrapped(title, 72 * width - 10, style.TEXT))
    handles = {line.get_label(): line for axes in panels.flat for line in axes.lines}
    named = {look.label: handles[look.label] for look in looks.values() if look.label in handles}
    columns = int((72 * width - 10) / (max(map(style.breadth, named)) + 32))
    ncols = min(max(columns, 1), len(named))
    figure.legend(named.values(), named, loc="outside lower left", ncols=ncols, handlelength=2.8)
    return figure


def quantities(rows: pd.DataFrame) -> list[str]:
    """Those of ROWS that any method has."""
    return [name for name in ROWS if rows[name].fillna(0).ne(0).any()]


def _panel(axes: Axes, rows: pd.DataFrame, name: str, looks: dict[str, Look]) -> None:
    """One quantity on one dataset: points of each interval, joined; a level across for what has none."""
    for family, points in rows.dropna(subset=name).groupby("family"):
        values = points[name].clip(upper=style.FASTEST) if name.startswith("fps") else points[name]
        look = looks[str(family)]
        fixed = points["key_interval"].dropna().astype(int)
        if len(fixed):
            axes.plot(fixed, values[fixed.index], label=look.label, **look.line)
        else:
            axes.axhline(values.iloc[0], label=look.label, **look.level)


def _drawn(axes: Axes) -> list[float]:
    return [float(value) for line in axes.lines for value in np.atleast_1d(line.get_ydata())]


def _looks(rows: pd.DataFrame, theme: Theme) -> dict[str, Look]:
    """Family -> look: colours, markers and dashes in order, methods with an interval first."""
    intervals = rows.groupby("family")["key_interval"].count()
    families = [*intervals.index[intervals > 0], *intervals.index[intervals == 0]]
    labels = shortened(families)
    looks = {}
    for number, (family, label) in enumerate(zip(families, labels, strict=True)):
        colour, marker = style.look(number, theme)
        # Hollow markers, each smaller than the one before: where methods agree, all are still seen.
        hollow = {"marker": marker, "ms": max(6.0 - 1.5 * number, 2.5), "mfc": "none"}
        dashes = DASHES[sum(intervals[other] == 0 for other in families[:number]) % len(DASHES)]
        looks[family] = Look(label, {"color": colour, **hollow}, {"color": colour, "dashes": dashes})
    return looks


def _headings(groups: Sequence[pd.DataFrame]) -> tuple[str, list[str]]:
    """What all datasets of a figure have in common, and what each has of its own; one row a group is read."""
    firsts = [group.iloc[0] for group in groups]
    specs, splits = zip(*(parts(first["dataset"]) for first in firsts), strict=True)
    common = set(specs[0].args).intersection(*(spec.args for spec in specs))
    headings = [", ".join(f"{key} {value}" for key, value in spec.args if (key, value) not in common) for spec in specs]
    if len(set(headings)) < len(headings):
        headings = [
            ", ".join(filter(None, (heading, counted(first["clips"], "clip"), first["fingerprint"])))
            for heading, first in zip(headings, firsts, strict=True)
        ]
    shared = Spec(specs[0].name, tuple(common))
    return f"{shared} {splits[0]}, protocol {firsts[0]['protocol']}", headings


def parts(dataset: str) -> tuple[Spec, str]:
    """The spec and the split of a leaderboard's `dataset`, such as `synthetic(motion=fast) val`."""
    spec, _, split = dataset.rpartition(" ")
    return parse(spec), split
