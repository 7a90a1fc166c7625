"""Pareto plots: accuracy against what it costs, the front drawn, dominated points dimmed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vssbench.reports.leaderboard import COMPARABLE, table
from vssbench.result import RunResult

COSTS = {  # column -> (file name, axis label, more is better)
    "FPS step+decode": ("fps", "FPS, step + decode", True),
    "GFLOPs": ("gflops", "GFLOPs a frame, multiply-accumulates, amortised", False),
    "params (M)": ("params", "parameters (M)", False),
}


def front(x: np.ndarray, y: np.ndarray, more_is_better: bool) -> np.ndarray:
    """bool[N]: points that no other point beats in both. Higher y is better; ties stay on the front.

    >>> front(np.array([1.0, 2.0, 3.0]), np.array([9.0, 5.0, 7.0]), more_is_better=True).tolist()
    [True, False, True]
    """
    cost = -x if more_is_better else x
    no_worse = (cost[None, :] <= cost[:, None]) & (y[None, :] >= y[:, None])
    better = (cost[None, :] < cost[:, None]) | (y[None, :] > y[:, None])
    return np.asarray(~(no_worse & better).any(axis=1))


def write(results: Sequence[RunResult], folder: Path, accuracy: str = "mIoU") -> list[Path]:
    """pareto_<cost>_<n>.png for what may be compared and each cost that two methods or more have."""
    written = []
    rows = table(results)
    for number, ((dataset, protocol, *_), group) in enumerate(rows.groupby(list(COMPARABLE), sort=True)):
        for cost, (name, label, more) in COSTS.items():
            if accuracy not in group or cost not in group:
                continue
            points = group[["method", cost, accuracy]].dropna()
            if len(points) < 2:
                continue
            path = folder / (f"pareto_{name}.png" if number == 0 else f"pareto_{name}_{number + 1}.png")
            draw(points.reset_index(drop=True), cost, accuracy, label, more, f"{dataset}, protocol {protocol}").savefig(
                path, dpi=200
            )
            written.append(path)
    return written


def draw(points: pd.DataFrame, cost: str, accuracy: str, label: str, more: bool, title: str) -> Figure:
    """One plot; points has the columns method, cost and accuracy."""
    x, y = points[cost].to_numpy(float), points[accuracy].to_numpy(float)
    best = front(x, y, more)
    families = points["method"].str.partition("(")[0]
    with sns.axes_style("whitegrid"), mpl.rc_context({"font.size": 8}):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.subplots()
        order = np.argsort(x[best])
        axes.plot(x[best][order], y[best][order], color="0.6", lw=1, zorder=1)
        palette = sns.color_palette("colorblind", families.nunique())
        for colour, family in zip(palette, sorted(families.unique()), strict=True):
            own = (families == family).to_numpy()
            axes.scatter(
                x[own],
                y[own],
                s=34,
                color=colour,
                alpha=np.where(best[own], 1.0, 0.4).tolist(),
                edgecolor="white",
                zorder=2,
            )
            axes.scatter([], [], s=34, color=colour, edgecolor="white", label=family)  # the legend's, never dimmed
        if x.min() > 0 and x.max() / x.min() > 10:
            axes.set_xscale("log")
        axes.margins(0.12)
        axes.set(xlabel=f"{label}, {'more' if more else 'less'} is better", ylabel=f"{accuracy} (%)", title=title)
        _label(figure, axes, x, y, list(points["method"]), best)
        axes.legend(loc="best", frameon=True, framealpha=1, fontsize=7)
    return figure


def _label(figure: Figure, axes: Axes, x: np.ndarray, y: np.ndarray, names: list[str], best: np.ndarray) -> None:
    """Write each name where it covers no point and no other name; a name without such a place is left out."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    pixels = axes.transData.transform(np.column_stack([x, y]))
    taken: list[tuple[float, float, float, float]] = []
    places = [(6, 4, "left", "bottom"), (6, -4, "left", "top"), (-6, 4, "right", "bottom"), (-6, -4, "right", "top")]
    for index in np.argsort(~best, kind="stable"):
        for dx, dy, horizontal, vertical in places:
            text = axes.annotate(
                names[index], (x[index], y[index]), (dx, dy), textcoords="offset points", ha=horizontal, va=vertical,
                fontsize=6.5, color="0.1" if best[index] else "0.45",
            )  # fmt: skip
            box = text.get_window_extent(renderer)
            inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
            hits = any(box.x0 < b[2] and b[0] < box.x1 and box.y0 < b[3] and b[1] < box.y1 for b in taken)
            covers = any(
                box.x0 - 3 < px < box.x1 + 3 and box.y0 - 3 < py < box.y1 + 3 for px, py in np.delete(pixels, index, 0)
            )
            if inside and not hits and not covers:
                taken.append((box.x0, box.y0, box.x1, box.y1))
                break
            text.remove()
