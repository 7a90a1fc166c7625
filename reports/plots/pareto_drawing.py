"""How a Pareto plot is drawn: as wide as a paper's column, every method named at its point, the front a staircase.

The front consists of methods that no other beats in both accuracy and cost. A name that finds no place near its point
becomes a number, and a key under the plot says whose it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.markers import CARETLEFT, CARETRIGHT
from matplotlib.ticker import MaxNLocator

from vssbench.reports.plots import theme as style
from vssbench.reports.plots.column_figure import HEIGHT, WIDTH, Sheet
from vssbench.reports.plots.label_drawing import annotate
from vssbench.reports.plots.label_placement import Bools, Floats, Scene
from vssbench.reports.plots.overlaps import rings
from vssbench.reports.plots.theme import Look, Theme


def dominated(x: Floats, y: Floats, more_is_better: bool, rivals: Bools | None = None) -> Bools:
    """Return bool[N]: points that a rival beats: as good in both, better in one. Higher y is better; ties beat nothing.

    rivals: bool[N], which points may beat others; all where it is not given.

    >>> dominated(np.array([1.0, 2.0, 3.0]), np.array([9.0, 5.0, 9.5]), more_is_better=False).tolist()
    [False, True, False]
    """
    cost = -x if more_is_better else x
    no_worse = (cost[None, :] <= cost[:, None]) & (y[None, :] >= y[:, None])
    better = (cost[None, :] < cost[:, None]) | (y[None, :] > y[:, None])
    beaten = no_worse & better
    return np.asarray((beaten if rivals is None else beaten & rivals[None, :]).any(axis=1))


def staircase(x: Floats, y: Floats, more_is_better: bool, worst: tuple[float, float]) -> Floats:
    """Return float64[M, 2]: the edge of the region that a front's points dominate, from the cheapest to the best.

    worst: the corner of that region, as bad as anything in x and y. The edge is empty without points.
    """
    if not len(x):
        return np.empty((0, 2))
    steps = sorted(set(zip(x.tolist(), y.tolist(), strict=True)), reverse=more_is_better)
    corners = [(steps[0][0], worst[1])]
    for step, (across, up) in enumerate(steps):
        if step:
            corners.append((across, corners[-1][1]))
        corners.append((across, up))
    return np.array([*corners, (worst[0], corners[-1][1])])


LEAST_SPAN = 0.5
"""The least span of the accuracy axis, in percentage points: finer numbers at its ticks would not fit."""
PLAIN = {"", "torch"}
"""Runtimes that need no shapes of their own."""
MARKER, ARROW = 5.0, 13.0
"""Points (1/72 inch): the size of a marker, and how far the arrow of a lower bound goes."""


@dataclass(frozen=True)
class Point:
    """One method.

    label:     the text next to it, or empty; its name explains a number
    runtime:   what ran it; empty where there is no network, or it is not known. If any is not torch, shapes show
               runtimes
    contender: may be on the front;  at_least: x is a lower bound;  x_interval, y_interval: low and high
    """

    name: str
    label: str
    family: str
    x: float
    y: float
    runtime: str = ""
    published: bool = False
    contender: bool = True
    at_least: bool = False
    x_interval: tuple[float, float] | None = None
    y_interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Plot:
    """Points and the text around them.

    families: all that any figure of the report shows, so that each looks the same in all figures
    curves:   indices of points to be joined, in order
    keyed:    some points have no name: their families are listed below
    x_top:    a point there means that value or more
    """

    title: str
    x_label: str
    y_label: str
    more_is_better: bool
    points: tuple[Point, ...]
    families: frozenset[str]
    curves: tuple[tuple[int, ...], ...] = ()
    notes: tuple[str, ...] = ()
    x_top: float = math.inf
    keyed: bool = False


def draw(plot: Plot, theme: Theme) -> Figure:
    """Draw the figure of one plot: as wide as a column, as high as the text under the axes needs."""
    points = plot.points
    x, y = np.array([(point.x, point.y) for point in points]).T
    rivals = np.array([point.contender and not point.at_least for point in points])
    beaten = dominated(x, y, plot.more_is_better, rivals)
    best, dim = rivals & ~beaten, beaten & np.array([not point.published for point in points])
    looks = _looks(plot, theme)
    worse = -1 if plot.more_is_better else 1

    sheet = Sheet(plot.title)
    axes = sheet.axes
    for point, look, faint in zip(points, looks, dim, strict=True):
        _mark(axes, point, look, 0.4 if faint else 1.0, worse, theme)
    for curve in plot.curves:
        axes.plot(x[[*curve]], y[[*curve]], color=looks[curve[0]].colour, lw=0.7, alpha=0.4, zorder=1.7)
    axes.margins(0.09)
    style.scale(axes, "x", x.tolist(), plot.x_top)
    axes.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    low, high = axes.get_ylim()
    lacking = max(0.0, LEAST_SPAN - (high - low)) / 2
    axes.set_ylim(low - lacking, high + lacking)
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())  # freeze the limits
    corner = axes.get_xlim()[worse > 0], axes.get_ylim()[0]
    steps = staircase(x[best], y[best], plot.more_is_better, corner)
    axes.plot(*steps.T, color=theme.faint, lw=0.8, zorder=1.5)
    axes.fill(*np.vstack([steps, [corner]]).T, color=theme.faint, alpha=0.08, lw=0, zorder=0)
    axes.set_xlabel(f"{plot.x_label}  ({'←' if worse > 0 else '→'} better)")
    axes.set_ylabel(f"{plot.y_label}  (→ better)")
    scene = _scene(axes, plot, steps)
    seen = zip(looks, scene.points, strict=True)
    rings(axes, [((look.colour, look.marker, MARKER), spot) for look, spot in seen], (WIDTH, HEIGHT))
    numbers = annotate(axes, scene, _together(points, [point.label for point in points]), dim, theme)
    _explain(sheet, plot, numbers, looks, theme)
    return sheet.figure


def _looks(plot: Plot, theme: Theme) -> list[Look]:
    """Return the colour of each point's family, and its shape, or that of its runtime where there are several."""
    families, runtimes = style.looks(plot.families, theme), {point.runtime for point in plot.points}
    found = [families[point.family] for point in plot.points]
    if runtimes <= PLAIN:
        return found
    of_runtime = dict(zip(sorted(runtimes), style.MARKERS * len(runtimes), strict=False))
    return [look._replace(marker=of_runtime[point.runtime]) for look, point in zip(found, plot.points, strict=True)]


def _together(points: Sequence[Point], texts: Sequence[str]) -> list[str]:
    """Return the texts of the points; those of points in one place are joined at the first."""
    places: dict[tuple[float, float], list[int]] = {}
    for index, point in enumerate(points):
        places.setdefault((point.x, point.y), []).append(index)
    found = [""] * len(points)
    for first, *others in places.values():
        found[first] = ", ".join(filter(None, dict.fromkeys(texts[index] for index in (first, *others))))
    return found


def _mark(axes: Axes, point: Point, look: Look, alpha: float, worse: int, theme: Theme) -> None:
    """Draw the marker of a point, its intervals, and the arrow of a lower bound."""
    thin: dict[str, Any] = {"color": look.colour, "lw": 0.7, "alpha": 0.5 * alpha, "zorder": 1.8}
    if point.x_interval:
        axes.plot(point.x_interval, (point.y, point.y), **thin)
    if point.y_interval:
        axes.plot((point.x, point.x), point.y_interval, **thin)
    if point.at_least:
        style.arrow(axes, (point.x, point.y), (worse * ARROW, 0), look.colour, alpha=alpha)
    axes.plot(point.x, point.y, **_marker(look, point.published, theme), alpha=alpha, zorder=3)


def _marker(look: Look, hollow: bool, theme: Theme) -> dict[str, Any]:
    fill, edge, width = (theme.background, look.colour, 0.9) if hollow else (look.colour, theme.background, 0.5)
    return {"marker": look.marker, "ms": MARKER, "mfc": fill, "mec": edge, "mew": width, "ls": "none"}


def _scene(axes: Axes, plot: Plot, steps: Floats) -> Scene:
    """Return what names must not cover: markers, arrows and the front; if possible neither intervals nor curves."""

    def seen(*data: tuple[float, float]) -> Floats:
        """Return where the data are in the axes."""
        pixels = axes.transData.transform(np.array(data, float).reshape(-1, 2))
        return np.asarray(axes.transAxes.inverted().transform(pixels) * (WIDTH, HEIGHT), float)

    points, worse = plot.points, -ARROW if plot.more_is_better else ARROW
    at, edge = seen(*((point.x, point.y) for point in points)), seen(*steps)
    bars = [[(x, point.y) for x in point.x_interval] for point in points if point.x_interval]
    bars += [[(point.x, y) for y in point.y_interval] for point in points if point.y_interval]
    joints = [at[[*pair]].ravel() for curve in plot.curves for pair in pairwise(curve)]
    arrows = [(*spot, spot[0] + worse, spot[1]) for spot, point in zip(at, points, strict=True) if point.at_least]
    return Scene(
        frame=(2, 2, WIDTH - 2, HEIGHT - 2), points=at, radius=MARKER / 2 + 0.7, gap=1.6,
        lines=np.vstack([np.hstack([edge[:-1], edge[1:]]), np.reshape(arrows, (-1, 4))]),
        faint=np.reshape([*(seen(*bar).ravel() for bar in bars), *joints], (-1, 4)),
    )  # fmt: skip


def _explain(sheet: Sheet, plot: Plot, numbers: dict[int, str], looks: Sequence[Look], theme: Theme) -> None:
    """Explain the signs in the plot and the numbers, and add the notes."""
    plain, points = Look(theme.faint, "o"), plot.points
    published = [point.published for point in points]
    thin = {"marker": "|", "ms": 8, "mec": theme.faint, "mew": 0.7, "ls": "none"}
    arrow = {"marker": CARETLEFT if plot.more_is_better else CARETRIGHT, "ms": 4, "color": theme.faint, "ls": "none"}
    signs = [
        (_marker(plain, False, theme), "measured", any(published) and not all(published)),
        (_marker(plain, True, theme), "published", any(published)),
        (thin, "95 % interval", any(point.x_interval or point.y_interval for point in points)),
        (arrow, "at least: not all work is counted", any(point.at_least for point in points)),
    ]
    shapes = {point.runtime: look.marker for point, look in zip(points, looks, strict=True) if not point.published}
    signs += [
        (_marker(Look(theme.faint, marker), False, theme), name or "no network", not shapes.keys() <= PLAIN)
        for name, marker in sorted(shapes.items())
    ]
    sheet.table([(look, text) for look, text, occurs in signs if occurs])
    names = _together(points, [point.name for point in points])
    sheet.table([
        (
            _marker(looks[index], points[index].published, theme),
            f"{number or f'at {points[index].x:g}, {points[index].y:g}:'} {names[index]}",
        )
        for index, number in numbers.items()
    ])  # fmt: skip
    unnamed = {point.family: look for point, look in zip(points, looks, strict=True) if plot.keyed and not point.label}
    sheet.table([(_marker(look, False, theme), family) for family, look in sorted(unnamed.items())])
    for note in plot.notes:
        sheet.note(note)
