"""What stands under the axes of a plot, each piece below the one before: tables of signs, and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from vssbench.reports.style import SMALL, wrapped

Sign = tuple[Mapping[str, object], str]
"""The properties of a marker, and what it stands for."""
_EDGE, _SPACING = 2.0, 1.15


class Underneath:
    """Grows downwards from `depth`, 1/72 inch below the axes, over the width of the figure."""

    def __init__(self, axes: Axes, depth: float) -> None:
        self.axes, self.depth = axes, depth
        figure = axes.get_figure()
        self.unit = figure.dpi / 72
        self.left, self.width = -axes.bbox.x0 / self.unit + _EDGE, figure.bbox.width / self.unit - 2 * _EDGE

    def table(self, signs: Sequence[Sign]) -> None:
        """Signs and what they stand for, down the columns, of which there are as many as fit."""
        if not signs:
            return
        handles = [Line2D([], [], **look) for look, _ in signs]
        texts = [wrapped(text, self.width - 12) for _, text in signs]
        for columns in range(min(len(signs), 4), 0, -1):
            legend = Legend(
                self.axes, handles, texts, ncols=columns, loc="upper left", bbox_to_anchor=self._corner(),
                bbox_transform=self.axes.transAxes, borderpad=0, borderaxespad=0, handlelength=1, handletextpad=0.4,
                columnspacing=1.2, labelspacing=0.25,
            )  # fmt: skip
            self.axes.add_artist(legend)
            box = legend.get_window_extent(FigureCanvasAgg(self.axes.get_figure()).get_renderer())
            if columns == 1 or box.width <= self.width * self.unit:
                break
            legend.remove()
        self.depth += box.height / self.unit + 2

    def note(self, text: str) -> None:
        """A sentence, in as many lines as it needs."""
        lines = wrapped(text, self.width)
        x, y = self._corner()
        self.axes.text(x, y, lines, transform=self.axes.transAxes, va="top", size=SMALL, linespacing=_SPACING)
        self.depth += SMALL * 1.2 * _SPACING * len(lines.splitlines()) + 1

    def _corner(self) -> tuple[float, float]:
        """Where the next piece starts, in fractions of the axes."""
        width, height = self.axes.bbox.size / self.unit
        return self.left / width, -self.depth / height
