"""How the figure of a sweep is drawn: a panel per dataset and quantity, a line per method, one legend.

Colours are those of all figures, safe for the colour-blind; markers and dashes carry the same information. The size is
that of one or two columns of a paper.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import CARETUP

from vssbench.errors import counted
from vssbench.reports.names import shortened
from vssbench.reports.plots import theme as style
from vssbench.reports.plots.overlaps import show_hidden
from vssbench.reports.plots.theme import Theme
from vssbench.reports.rows import family
from vssbench.reports.tables.data_frame import COMPARABLE
from vssbench.specs import Spec, parse

ROWS = {  # figure -> axis label
    "mIoU": "mIoU (%)",
    "VC@8": "VC8 (%)",
    "gflops": "GFLOPs per frame",
    "fps(step)": "FPS (step)",
}
BOUND = "gflops is a lower bound"
"""The column that says so."""
ARROW = 11.0
"""The length of the arrow on a lower bound, in points."""
PANEL = (200.0, 80.0)
"""The approximate width and height of a panel, in points."""


class Look(NamedTuple):
    """How a method is drawn in every panel: one style for the points of a sweep, one for a level."""

    label: str
    line: dict[str, Any]
    level: dict[str, Any]


def draw(
    rows: pd.DataFrame, theme: Theme, families: Collection[str] = (), called: Mapping[str, str] = MappingProxyType({})
) -> Figure:
    """Draw `rows` of `curves`, whose datasets differ only in arguments, under one protocol, without empty quantities.

    Of very many methods, the most accurate are shown.
    families: of everything that the report shows;  called: method -> a user's name for it
    """
    best = rows.groupby("family")["mIoU"].max().sort_values(ascending=False, kind="stable")
    rows = rows[rows["family"].isin(best.index[: style.LINES])]
    groups = [group for _, group in rows.groupby(list(COMPARABLE), sort=False)]
    title, headings = _headings(groups)
    shown = quantities(rows)
    looks = _looks(rows, families, called, theme)
    width = style.COLUMN if len(groups) == 1 else style.PAGE
    figure = Figure(figsize=(width, 0.75 + 0.14 * len(looks) + 1.2 * len(shown)), layout="constrained")
    drawn: dict[Axes, list[Line2D]] = {}
    panels = figure.subplots(len(shown), len(groups), sharex=True, sharey="row", squeeze=False)
    for line, name in zip(panels, shown, strict=True):
        for axes, group in zip(line, groups, strict=True):
            drawn[axes] = _panel(axes, group, name, looks)
        line[0].set_ylabel(ROWS[name])
        values = [value for axes in line for value in _values(drawn[axes])]
        style.scale(line[0], "y", values, style.FASTEST if name.startswith("fps") else math.inf)
    for top, bottom, heading in zip(panels[0], panels[-1], headings, strict=True):
        top.set_title(heading)
        bottom.set_xlabel("key-frame interval (frames)")
        bottom.set_xticks(sorted(rows["key_interval"].dropna().unique()))
    for axes, lines in drawn.items():
        axes.margins(x=0.05, y=0.14)
        axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())  # freeze the limits
        show_hidden(axes, lines, PANEL)
    figure.align_ylabels()
    if len(best) > style.LINES:
        title += f"; {style.LINES} of {len(best)} methods"
    figure.suptitle(style.wrapped(title, 72 * width - 10, style.TEXT))
    handles = {line.get_label(): line for lines in drawn.values() for line in lines}
    named = {look.label: handles[look.label] for look in looks.values() if look.label in handles}
    if "gflops" in shown and _bound(rows).any():
        sign: dict[str, Any] = {"color": theme.faint, "marker": CARETUP, "ms": 4, "ls": "none"}
        named["lower bound"] = Line2D([], [], **sign)
    columns = int((72 * width - 10) / (max(map(style.breadth, named)) + 32))
    ncols = min(max(columns, 1), len(named))
    figure.legend(named.values(), named, loc="outside lower left", ncols=ncols, handlelength=2.8)
    return figure


def quantities(rows: pd.DataFrame) -> list[str]:
    """Return the ROWS that any method has."""
    return [name for name in ROWS if rows[name].fillna(0).ne(0).any()]


def _panel(axes: Axes, rows: pd.DataFrame, name: str, looks: dict[str, Look]) -> list[Line2D]:
    """Draw one quantity on one dataset: joined points of each interval; a level across for methods without one.

    A lower bound has an arrow upwards, where the true number is.
    """
    drawn: list[Line2D] = []
    for method, points in rows.dropna(subset=name).groupby("family"):
        values = points[name].clip(upper=style.FASTEST) if name.startswith("fps") else points[name]
        look = looks[str(method)]
        fixed = points["key_interval"].dropna().astype(int)
        if len(fixed):
            drawn += axes.plot(fixed, values[fixed.index], label=look.label, **look.line)
        else:
            drawn.append(axes.axhline(values.iloc[0], label=look.label, **look.level))
        for place in points.index[_bound(points)] if name == "gflops" else ():
            x, data = (fixed[place], axes.transData) if place in fixed else (0.97, axes.get_yaxis_transform())
            style.arrow(axes, (x, values[place]), (0, ARROW), look.line["color"], transform=data)
    return drawn


def _bound(rows: pd.DataFrame) -> pd.Series:
    return rows[BOUND].fillna(False).astype(bool)


def _values(lines: Sequence[Line2D]) -> list[float]:
    return [float(value) for line in lines for value in np.atleast_1d(line.get_ydata())]


def _looks(rows: pd.DataFrame, families: Collection[str], called: Mapping[str, str], theme: Theme) -> dict[str, Look]:
    """Return family -> look, with the colours of all figures; one without intervals is a level, told by its dashes."""
    intervals = rows.groupby("family")["key_interval"].count()
    swept, levels = intervals.index[intervals > 0], intervals.index[intervals == 0]
    methods = rows.groupby("family")["method"].first()
    named = {name: family(methods[name]) for name in (*swept, *levels)}
    seen = style.looks_of_lines(named, families, theme)
    looks = {}
    for (name, look), label in zip(seen.items(), shortened(list(seen)), strict=True):
        dashes = style.DASHES[1:][list(levels).index(name) % len(style.DASHES[1:])] if name in levels else ()
        looks[name] = Look(called.get(name, label), look.line, {"color": look.colour, "dashes": dashes})
    return looks


def _headings(groups: Sequence[pd.DataFrame]) -> tuple[str, list[str]]:
    """Return what a figure's datasets have in common, and what is specific to each; one row per group is read."""
    firsts = [group.iloc[0] for group in groups]
    specs, splits = zip(*(parts(first["dataset"]) for first in firsts), strict=True)
    common = set(specs[0].args).intersection(*(spec.args for spec in specs))
    headings = [", ".join(f"{key} {value}" for key, value in spec.args if (key, value) not in common) for spec in specs]
    if len(set(headings)) < len(headings):
        headings = [
            ", ".join(filter(None, (heading, counted(first["clips"], "clip"), first["fingerprint"])))
            for heading, first in zip(headings, firsts, strict=True)
        ]
    shared = f"{Spec(specs[0].name, tuple(common))} {splits[0]}"
    if len(firsts) == 1:
        shared = firsts[0]["title"] or shared
    return f"{shared}, protocol {firsts[0]['protocol']}", headings


def parts(dataset: str) -> tuple[Spec, str]:
    """Return the spec and the split of a leaderboard's `dataset`, such as `synthetic(motion=fast) val`."""
    spec, _, split = dataset.rpartition(" ")
    return parse(spec), split
