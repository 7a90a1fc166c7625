"""The plot of what a camera's viewer sees: accuracy over the frame rate. Where two curves cross, the choice changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from vssbench.reports.names import names, shortened
from vssbench.reports.plots import theme as style
from vssbench.reports.plots.column_figure import Sheet
from vssbench.reports.plots.theme import Theme
from vssbench.reports.rows import Row, grouped
from vssbench.reports.streams import curve

Curves = Mapping[str, Mapping[float, float]]
"""Method -> frames per second -> mIoU on show in percent."""


def write(rows: Sequence[Row], folder: Path, formats: Sequence[str] = style.FORMATS) -> list[Path]:
    """stream.<format>, and stream_2 ... for further datasets and protocols; none where no method has two rates."""
    found = []
    for group, members in grouped(rows):
        known = {name: curve(row) for name, row in zip(names(members), members, strict=True)}
        several = {name: points for name, points in known.items() if len(points) > 1}
        curves = dict(zip(shortened(list(several)), several.values(), strict=True))
        if curves:
            found.append((curves, f"{group.dataset}, protocol {group.protocol}"))
    written = []
    for number, (curves, title) in enumerate(found, 1):
        stem = folder / (f"stream_{number}" if number > 1 else "stream")
        written += style.write(partial(draw, curves, title), stem, formats)
    return written


def draw(curves: Curves, title: str, theme: Theme) -> Figure:
    """A line per method, each named under the plot; of very many the first, which are the most accurate."""
    sheet = Sheet(title)
    sheet.axes.set(xlabel="camera, frames per second", ylabel="mIoU on show (%)")
    sheet.curves(curves, theme)
    rates = sorted({fps for by in curves.values() for fps in by})
    sheet.axes.set_xscale("log")
    sheet.axes.xaxis.set_major_locator(FixedLocator(rates))
    sheet.axes.xaxis.set_minor_locator(NullLocator())
    sheet.axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    return sheet.figure
