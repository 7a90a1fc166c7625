"""Line plots over distances to key frames and over frame rates: every line is named, and none hides another."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from tests.reports.plots.test_pareto import row
from vssbench.reports.plots import key_distance, streaming, theme
from vssbench.reports.plots.curves import Curve, curves
from vssbench.reports.plots.overlaps import show_hidden

PLOTS = [key_distance, streaming]


def drawn(plot: ModuleType, lines: list[Curve]) -> tuple[Axes, list[Line2D]]:
    """The axes and the lines of the methods, without the extra lines that show hidden ones."""
    with theme.LIGHT.applied():
        (axes,) = plot.draw(lines, {line.family for line in lines}, "made", theme.LIGHT).axes
    return axes, [line for line in axes.lines if line.get_gid() != "hidden" and len(line.get_xdata()) > 2]


def legend(axes: Axes) -> list[str]:
    (table,) = [child for child in axes.get_children() if isinstance(child, Legend)]
    return [text.get_text() for text in table.get_texts()]


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("count", [3, theme.LINES, theme.LINES + 1, theme.LINES + 6])
def test_every_line_is_in_the_legend_and_omitted_ones_are_counted(count: int, plot: ModuleType) -> None:
    lines = [
        Curve(f"method {number}", f"family {number}", {far: 91.0 - number - far for far in range(1, 5)})
        for number in range(count)
    ]
    axes, found = drawn(plot, lines)
    shown = min(count, theme.LINES)
    assert legend(axes) == [line.name for line in lines[:shown]]
    assert [line.get_ydata()[0] for line in found] == [90.0 - number for number in range(shown)]
    notes = [text.get_text() for text in axes.texts if "not shown" in text.get_text()]
    said = {1: ["1 method of lower accuracy is not shown"], 6: ["6 methods of lower accuracy are not shown"]}
    assert notes == said.get(count - theme.LINES, [])


def test_sweep_has_one_legend_entry_and_interval_labels_at_line_ends() -> None:
    specs = ["mpvss(key_interval=2)", "mpvss(key_interval=5)", "mpvss(backbone=r50,key_interval=5)", "mask2former"]
    made = curves([row(spec, 50.0) for spec in specs], [{}] * 4)
    assert [(one.name, one.end) for one in made] == [
        ("mpvss", "K=2"), ("mpvss", "K=5"), ("mpvss r50 K=5", ""), ("mask2former", ""),
    ]  # fmt: skip
    lines = [Curve("mpvss", "mpvss", {d: 60.0 - k - d for d in range(3 * k)}, f"K={k}") for k in (2, 5)]
    axes, found = drawn(key_distance, [*lines, Curve("cffm", "cffm", {0: 60.0, 1: 50.0, 2: 40.0})])
    assert legend(axes) == ["mpvss", "cffm"]
    assert [text.get_text() for text in axes.texts if text.get_text().startswith("K=")] == ["K=2", "K=5"]
    assert found[0].get_color() == found[1].get_color() != found[2].get_color()


@pytest.mark.parametrize("plot", PLOTS)
def test_line_colours_are_those_of_the_whole_report(plot: ModuleType) -> None:
    """Whatever else this figure shows; variants of one method differ in their dashes."""
    points = {1: 3.0, 2: 2.0, 3: 1.0}
    lines = [Curve("mpvss r50", "mpvss", points), Curve("mpvss swin_t", "mpvss", points)]
    with theme.LIGHT.applied():
        (axes,) = plot.draw(lines, {"cffm", "mpvss", "tdnet"}, "made", theme.LIGHT).axes
    one, other = (line for line in axes.lines if line.get_gid() != "hidden")
    assert one.get_color() == other.get_color() == theme.looks({"cffm", "mpvss", "tdnet"}, theme.LIGHT)["mpvss"].colour
    assert one.is_dashed() != other.is_dashed()


def test_overlapping_lines_are_all_visible() -> None:
    """Three lines share a segment: two are drawn as offset dashes over the third, with rings around the points."""
    axes = Figure(figsize=(4, 4)).add_axes((0, 0, 1, 1))
    lines = [
        axes.plot(x, y, color=colour, marker="o", lw=1.0)[0]
        for colour, x, y in (
            ("#ff0000", [0, 1, 2], [0, 1, 1]), ("#00ff00", [0, 1, 2], [0, 1, 1.5]), ("#0000ff", [0, 1, 2], [0, 1, 0.5]),
        )
    ]  # fmt: skip
    show_hidden(axes, lines, (288.0, 288.0))
    extra = [line for line in axes.lines if line.get_gid() == "hidden"]
    dashes = [line for line in extra if len(line.get_xdata()) == 2]
    assert [line.get_color() for line in dashes] == ["#ff0000", "#00ff00"]
    offsets = {line._unscaled_dash_pattern[0] for line in dashes}  # where the dashes of each begin
    assert len(offsets) == 2
    ends = {tuple(np.round(line.get_xdata(), 2)) for line in dashes}
    assert len(ends) == 1  # the first segment, which all three share
    rings = [line for line in extra if line.get_markerfacecolor() == "none"]
    assert {line.get_markeredgecolor() for line in rings} == {"#ff0000", "#00ff00"}
    widths = {line.get_markeredgecolor(): line.get_markersize() for line in rings}
    assert widths["#ff0000"] > widths["#00ff00"] > lines[0].get_markersize()


def test_overlapping_lines_of_equal_style_need_no_extra_lines() -> None:
    axes = Figure(figsize=(4, 4)).add_axes((0, 0, 1, 1))
    lines = [axes.plot([0, 1], [0, 1], color="#ff0000", marker="o")[0] for _ in range(3)]
    show_hidden(axes, lines, (288.0, 288.0))
    assert len(axes.lines) == 3
