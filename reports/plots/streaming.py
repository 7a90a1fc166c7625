"""The plot of what a camera's viewer sees: accuracy over frame rate. Where curves cross, the better choice changes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from vssbench.reports.plots import theme as style
from vssbench.reports.plots.column_figure import Sheet
from vssbench.reports.plots.curves import Curve, curves
from vssbench.reports.plots.curves import draw as draw_lines
from vssbench.reports.plots.theme import Theme
from vssbench.reports.rows import Row, grouped
from vssbench.reports.streams import curve


def write(rows: Sequence[Row], folder: Path, formats: Sequence[str] = style.FORMATS) -> list[Path]:
    """Write stream.<format>, and stream_2 ... for further datasets and protocols; none if no method has two rates."""
    families = frozenset(row.family for row in rows)
    written: list[Path] = []
    number = 0
    for group, members in grouped(rows):
        several = [row for row in members if len(curve(row)) > 1]
        if several:
            lines = curves(several, [curve(row) for row in several])
            number += 1
            stem = folder / (f"stream_{number}" if number > 1 else "stream")
            title = f"{group.heading}, protocol {group.protocol}"
            written += style.write(partial(draw, lines, families, title), stem, formats)
    return written


def draw(lines: Sequence[Curve], families: Collection[str], title: str, theme: Theme) -> Figure:
    """Draw a line per method, each named under the plot; of very many, only the first, which are the most accurate."""
    sheet = Sheet(title)
    axes, rates = sheet.axes, sorted({fps for line in lines for fps in line.points})
    axes.set(xlabel="camera, frames per second", ylabel="mIoU on show (%)", xscale="log")
    axes.xaxis.set_major_locator(FixedLocator(rates))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    draw_lines(sheet, lines, families, theme)
    return sheet.figure
