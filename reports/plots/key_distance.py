"""The plot of mIoU over the distance to the key frame: how a prediction ages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vssbench.reports.key_frames import ageing
from vssbench.reports.names import shortened
from vssbench.reports.plots import theme as style
from vssbench.reports.plots.column_figure import Sheet
from vssbench.reports.plots.theme import Theme
from vssbench.reports.rows import Row, grouped

Curves = Mapping[str, Mapping[int, float]]
"""Method -> frames since the key frame -> mIoU in percent."""


def write(rows: Sequence[Row], folder: Path, formats: Sequence[str] = style.FORMATS) -> list[Path]:
    """distance.<format>, and distance_2 ... for further datasets and protocols; none where no method has distances."""
    found = []
    for group, members in grouped(rows):
        ages = ageing(members)
        names = list(ages) if members[0].origin == "published" else shortened(list(ages))
        title = f"{group.heading}, {f'protocol {group.protocol}' if group.protocol else 'protocol not stated'}"
        found.append(({name: one.miou for name, one in zip(names, ages.values(), strict=True)}, title))
    written = []
    for number, (curves, title) in enumerate((one for one in found if one[0]), 1):
        stem = folder / (f"distance_{number}" if number > 1 else "distance")
        written += style.write(partial(draw, curves, title), stem, formats)
    return written


def draw(curves: Curves, title: str, theme: Theme) -> Figure:
    """A line a method, each named under the plot; of very many the first."""
    sheet = Sheet(title)
    sheet.axes.set(xlabel="frames since the key frame, d", ylabel="mIoU (%)")
    sheet.curves(curves, theme)
    sheet.axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return sheet.figure
