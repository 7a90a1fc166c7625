"""The plot of mIoU over the distance to the key frame: how a prediction ages."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import matplotlib as mpl
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vssbench.reports.leaderboard import ageing, group_of, rank
from vssbench.result import RunResult


def write(results: Sequence[RunResult], folder: Path) -> list[Path]:
    """distance.png, and distance_2.png ... for further datasets and protocols; none where no method has distances."""
    written: list[Path] = []
    for key, members in groupby(sorted(results, key=rank), key=group_of):
        curves = {name: by for name, (_, by) in ageing(list(members)).items()}
        if curves:
            path = folder / (f"distance_{len(written) + 1}.png" if written else "distance.png")
            draw(curves, f"{key[0]}, protocol {key[1]}").savefig(path, dpi=200)
            written.append(path)
    return written


def draw(curves: dict[str, dict[int, float]], title: str) -> Figure:
    """curves: method -> distance -> mIoU in percent."""
    with sns.axes_style("whitegrid"), mpl.rc_context({"font.size": 8}):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.subplots()
        palette = sns.color_palette("colorblind", len(curves))
        markers = "osD^vP*X"
        for number, (method, by) in enumerate(curves.items()):
            distances = sorted(by)
            values = [by[distance] for distance in distances]
            axes.plot(
                distances, values, color=palette[number], marker=markers[number % len(markers)], ms=4, label=method
            )
        axes.set(xlabel="frames since the key frame, d", ylabel="mIoU (%)", title=title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(fontsize=7)
    return figure
