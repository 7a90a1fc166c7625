"""How the figure of a sweep is drawn: a panel a dataset and quantity, a line a method, one legend.

Colours are safe for the colour-blind, and markers and dashes tell the same; the size is that of two columns of a paper.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from vssbench.names import Spec, parse
from vssbench.reports.table import COMPARABLE

ROWS = {  # column of the leaderboard -> axis label
    "mIoU": "mIoU (%)",
    "VC@8": "VC8 (%)",
    "GFLOPs": "GFLOPs a frame",
    "FPS step": "FPS (step)",
}
FASTEST = 1e4
"""FPS from which on a clock says nothing, as in the leaderboard: no network has run. Drawn at this level."""
COLOURS = (0, 1, 2, 3, 4, 9, 7, 6, 5, 8)
"""Of seaborn's colour-blind safe palette, those first that differ most."""
MARKERS = "osD^vP*X"
DASHES = ((5, 2), (1, 1.5), (6, 2, 1, 2), (2, 2), (9, 2), (4, 1, 1, 1, 1, 1))


class Look(NamedTuple):
    """How a family is drawn, the same in every panel: one style for the points of a sweep, one for a level."""

    label: str
    line: dict[str, Any]
    level: dict[str, Any]


def draw(rows: pd.DataFrame) -> Figure:
    """rows: of `curves`, of datasets that differ in arguments only, under one protocol; what nobody has gets no row."""
    groups = [group for _, group in rows.groupby(list(COMPARABLE), sort=False)]
    title, headings = _headings(groups)
    shown = quantities(rows)
    looks = _looks(rows)
    with sns.axes_style("whitegrid"), mpl.rc_context({"font.size": 8, "axes.titlesize": 8, "axes.labelsize": 8}):
        size = (max(1.0 + 2.0 * len(groups), 4.5), 1.1 + 0.15 * len(looks) + 1.35 * len(shown))
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(shown), len(groups), sharex=True, sharey="row", squeeze=False)
        for line, name in zip(panels, shown, strict=True):
            for axes, group in zip(line, groups, strict=True):
                _panel(axes, group, name, looks)
            line[0].set_ylabel(ROWS[name])
            _scale(line[0], name)
        for top, bottom, heading in zip(panels[0], panels[-1], headings, strict=True):
            top.set_title(heading)
            bottom.set_xlabel("key-frame interval (frames)")
            bottom.set_xticks(sorted(rows["key_interval"].dropna().unique()))
        figure.align_ylabels()
        figure.suptitle(title, fontsize=8)
        handles = {line.get_label(): line for axes in panels.flat for line in axes.lines}
        named = {look.label: handles[look.label] for look in looks.values() if look.label in handles}
        figure.legend(named.values(), named, loc="outside lower center", ncols=3, fontsize=7, frameon=False)
    return figure


def quantities(rows: pd.DataFrame) -> list[str]:
    """Those of ROWS that any method has."""
    return [name for name in ROWS if rows[name].fillna(0).ne(0).any()]


def _panel(axes: Axes, rows: pd.DataFrame, name: str, looks: dict[str, Look]) -> None:
    """One quantity on one dataset: points of each interval, joined; a level across for what has none."""
    for family, points in rows.dropna(subset=name).groupby("family"):
        values = points[name].clip(upper=FASTEST) if name.startswith("FPS") else points[name]
        look = looks[str(family)]
        fixed = points["key_interval"].dropna().astype(int)
        if len(fixed):
            axes.plot(fixed, values[fixed.index], label=look.label, **look.line)
        else:
            axes.axhline(values.iloc[0], label=look.label, **look.level)


def _scale(axes: Axes, name: str) -> None:
    """A logarithmic axis where what is drawn spans more than a decade."""
    values = [value for line in axes.get_shared_y_axes().get_siblings(axes) for value in _drawn(line)]
    low, high = min(values), max(values)
    if low <= 0 or high / low <= 10:
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 200 else (1,)))
    axes.yaxis.set_minor_locator(NullLocator())
    top = FASTEST if name.startswith("FPS") else math.inf
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"≥{top / 1e3:g}k" if value >= top else f"{value:g}"))


def _drawn(axes: Axes) -> list[float]:
    return [float(value) for line in axes.lines for value in np.atleast_1d(line.get_ydata())]


def _looks(rows: pd.DataFrame) -> dict[str, Look]:
    """Family -> look: colours, markers and dashes in order, methods with an interval first."""
    intervals = rows.groupby("family")["key_interval"].count()
    families = [*intervals.index[intervals > 0], *intervals.index[intervals == 0]]
    labels = _short_names(families)
    palette = sns.color_palette("colorblind")
    looks = {}
    for number, family in enumerate(families):
        colour = palette[COLOURS[number % len(COLOURS)]]
        dashes = DASHES[sum(intervals[other] == 0 for other in families[:number]) % len(DASHES)]
        # Hollow markers, each smaller than the one before: where methods agree, all are still seen.
        marker = {"marker": MARKERS[number % len(MARKERS)], "ms": max(6.5 - 1.5 * number, 3.0), "mfc": "none"}
        line = {"color": colour, "lw": 1.2, **marker}
        looks[family] = Look(labels[family], line, {"color": colour, "lw": 1.2, "dashes": dashes})
    return looks


def _short_names(families: Sequence[str]) -> dict[str, str]:
    """Each family without its arguments but `of`, where that is still a name of its own.

    >>> list(_short_names(["mpvss(backbone=r50)", "hold(of=mrcfa(labels=vspw))"]).values())
    ['mpvss', 'hold(of=mrcfa)']
    """

    def short(spec: Spec) -> Spec:
        inner = spec.get("of")
        return Spec(spec.name) if inner is None else Spec(spec.name, (("of", short(parse(str(inner)))),))

    names = {}
    for family in families:
        method, again, number = family.partition(" #")
        names[family] = f"{short(parse(method))}{again}{number}"
    count = Counter(names.values())
    return {family: name if count[name] == 1 else family for family, name in names.items()}


def _headings(groups: Sequence[pd.DataFrame]) -> tuple[str, list[str]]:
    """What all datasets of a figure have in common, and what each has of its own; one row a group is read."""
    firsts = [group.iloc[0] for group in groups]
    specs, splits = zip(*(parts(first["dataset"]) for first in firsts), strict=True)
    common = set(specs[0].args).intersection(*(spec.args for spec in specs))
    headings = [", ".join(f"{key} {value}" for key, value in spec.args if (key, value) not in common) for spec in specs]
    if len(set(headings)) < len(headings):
        headings = [
            ", ".join(filter(None, (heading, f"{first['clips']} clips", first["fingerprint"])))
            for heading, first in zip(headings, firsts, strict=True)
        ]
    shared = Spec(specs[0].name, tuple(common))
    return f"{shared} {splits[0]}, protocol {firsts[0]['protocol']}", headings


def parts(dataset: str) -> tuple[Spec, str]:
    """The spec and the split of a leaderboard's `dataset`, such as `synthetic(motion=fast) val`."""
    spec, _, split = dataset.rpartition(" ")
    return parse(spec), split
