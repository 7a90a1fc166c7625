"""Plots of curves, over distances to key frames and over frame rates: all are named, and of very many the first."""

from __future__ import annotations

from types import ModuleType

import pytest
from matplotlib.legend import Legend

from vssbench.reports.plots import key_distance, streaming, theme


@pytest.mark.parametrize("plot", [key_distance, streaming])
@pytest.mark.parametrize("count", [3, theme.LINES, theme.LINES + 6])
def test_every_line_has_a_name_and_what_is_left_out_is_counted(count: int, plot: ModuleType) -> None:
    curves = {f"method {number}": {far: 91.0 - number - far for far in range(1, 5)} for number in range(count)}
    with theme.LIGHT.applied():
        (axes,) = plot.draw(curves, "made", theme.LIGHT).axes
    shown = min(count, theme.LINES)
    (table,) = [child for child in axes.get_children() if isinstance(child, Legend)]
    assert [text.get_text() for text in table.get_texts()] == list(curves)[:shown]
    assert [line.get_ydata()[0] for line in axes.lines] == [90.0 - number for number in range(shown)]
    notes = [text.get_text() for text in axes.texts if "not shown" in text.get_text()]
    assert notes == (["6 methods of lower accuracy are not shown"] if count > theme.LINES else [])
