"""The plot of mIoU over the distance to the key frame: how a prediction ages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vssbench.reports.key_frames import ageing
from vssbench.reports.plots import theme as style
from vssbench.reports.plots.column_figure import Sheet
from vssbench.reports.plots.curves import Curve, curves
from vssbench.reports.plots.curves import draw as draw_lines
from vssbench.reports.plots.theme import Theme
from vssbench.reports.rows import Row, grouped


def write(rows: Sequence[Row], folder: Path, formats: Sequence[str] = style.FORMATS) -> list[Path]:
    """Write distance.<format>, distance_2 ... for further datasets and protocols; none if no method has distances."""
    families = frozenset(row.family for row in rows)
    written: list[Path] = []
    number = 0
    for group, members in grouped(rows):
        ages = ageing(members).values()
        if ages:
            title = f"{group.heading}, {f'protocol {group.protocol}' if group.protocol else 'protocol not stated'}"
            lines = curves([one.row for one in ages], [one.miou for one in ages])
            number += 1
            stem = folder / (f"distance_{number}" if number > 1 else "distance")
            written += style.write(partial(draw, lines, families, title), stem, formats)
    return written


def draw(lines: Sequence[Curve], families: Collection[str], title: str, theme: Theme) -> Figure:
    """Draw a line per method, each named under the plot; of very many, only the first."""
    sheet = Sheet(title)
    sheet.axes.set(xlabel="frames since the key frame, d", ylabel="mIoU (%)")
    sheet.axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    draw_lines(sheet, lines, families, theme)
    return sheet.figure
