"""One plot in a paper's column: axes of a fixed size, a title above, and explanations below.

The figure is as wide as the column, and a little wider where the figures on its y axis are very long.

Tables of signs and notes are under the axes, each below the one before, where they cover no data; the figure becomes as
high as they need.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from vssbench.reports.plots.theme import COLUMN, SMALL, TEXT, wrapped

Sign = tuple[dict[str, Any], str]
"""The properties of a marker or line, and its meaning."""

# Points (1/72 inch) from here on: the space left of the axes, right and below (for their labels), and their size.
_LEFT, _RIGHT, _BELOW, _EDGE = 33.0, 11.0, 26.0, 2.0
WIDTH, HEIGHT = 72 * COLUMN - _LEFT - _RIGHT, 152.0
_SPACING = 1.15


class Sheet:
    """`axes` to draw on, WIDTH x HEIGHT; `figure` when everything is written. Use it within `Theme.applied`."""

    def __init__(self, title: str) -> None:
        lines = wrapped(title, WIDTH, TEXT)
        self._above = 7 + 1.2 * TEXT * 1.1 * len(lines.splitlines())
        self._below = _BELOW
        self._figure = Figure()
        self.axes = self._figure.add_axes((0, 0, 1, 1))
        self.axes.text(0, 1 + 4 / HEIGHT, lines, transform=self.axes.transAxes, va="bottom", linespacing=1.1)
        self._fit()

    @property
    def figure(self) -> Figure:
        self._fit()
        return self._figure

    def table(self, signs: Sequence[Sign]) -> None:
        """Add signs and their meanings, column by column, in as many columns as fit."""
        if not signs:
            return
        room = 72 * COLUMN - 2 * _EDGE
        handles = [Line2D([], [], **look) for look, _ in signs]
        texts = [wrapped(text, room - 2.5 * SMALL) for _, text in signs]
        for columns in range(min(len(signs), 4), 0, -1):
            legend = Legend(
                self.axes, handles, texts, ncols=columns, loc="upper left", bbox_to_anchor=self._corner(),
                bbox_transform=self.axes.transAxes, borderpad=0, borderaxespad=0, handletextpad=0.4,
                columnspacing=1.2, labelspacing=0.25,
            )  # fmt: skip
            self.axes.add_artist(legend)
            box = legend.get_window_extent(FigureCanvasAgg(self._figure).get_renderer())
            if columns == 1 or box.width * 72 / self._figure.dpi <= room:
                break
            legend.remove()
        self._below += box.height * 72 / self._figure.dpi + 2

    def note(self, text: str) -> None:
        """Add a sentence, in as many lines as it needs."""
        x, y = self._corner()
        lines = wrapped(text, 72 * COLUMN - 2 * _EDGE)
        self.axes.text(x, y, lines, transform=self.axes.transAxes, va="top", size=SMALL, linespacing=_SPACING)
        self._below += 1.2 * SMALL * _SPACING * len(lines.splitlines()) + 1

    def _corner(self) -> tuple[float, float]:
        """Return where the next piece starts, in fractions of the axes."""
        return (_EDGE - self._left()) / WIDTH, -self._below / HEIGHT

    def _left(self) -> float:
        """Return the space left of the axes: more than usual where long figures push the axis's title outwards."""
        box = self.axes.yaxis.get_tightbbox(FigureCanvasAgg(self._figure).get_renderer())
        return max(_LEFT, (self.axes.bbox.x0 - box.x0) * 72 / self._figure.dpi + _EDGE) if box else _LEFT

    def _fit(self) -> None:
        """Fit the figure around the axes."""
        left = self._left()
        width, height = left + WIDTH + _RIGHT, self._below + _EDGE + HEIGHT + self._above
        self._figure.set_size_inches(width / 72, height / 72)
        self.axes.set_position((left / width, (self._below + _EDGE) / height, WIDTH / width, HEIGHT / height))
