"""The plot of mIoU over the distance to the key frame: how a prediction ages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vssbench.reports.ageing import ageing
from vssbench.reports.rows import Row, grouped


def write(rows: Sequence[Row], folder: Path) -> list[Path]:
    """distance.png, and distance_2.png ... for further datasets and protocols; none where no method has distances."""
    written: list[Path] = []
    for group, members in grouped(rows):
        curves = {name: one.miou for name, one in ageing(members).items()}
        if curves:
            path = folder / (f"distance_{len(written) + 1}.png" if written else "distance.png")
            protocol = f"protocol {group.protocol}" if group.protocol else "protocol not stated"
            draw(curves, f"{group.dataset}, {protocol}").savefig(path, dpi=200)
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
