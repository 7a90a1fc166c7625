"""A plot in a paper's column: nothing of it is outside the figure."""

from __future__ import annotations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from vssbench.reports.plots.column_figure import Sheet
from vssbench.reports.plots.theme import COLUMN, LIGHT


@pytest.mark.parametrize(("low", "high", "wide"), [(10, 20, False), (0.1401, 0.1409, True), (99.901, 99.909, True)])
def test_long_figures_on_the_y_axis_do_not_push_its_title_out(low: float, high: float, wide: bool) -> None:
    with LIGHT.applied():
        sheet = Sheet("own val, protocol exact")
        sheet.axes.plot([0, 1], [low, high], marker="o")
        sheet.axes.set(ylabel="GFLOPs (GMAC/frame)", xlabel="date")
        sheet.table([({"marker": "o"}, "mpvss")])
        sheet.note("a note")
        figure = sheet.figure
        box = figure.get_tightbbox(FigureCanvasAgg(figure).get_renderer())  # in inches
    assert box.x0 >= 0
    assert box.x1 <= figure.get_figwidth()
    assert (figure.get_figwidth() > COLUMN) == wide
