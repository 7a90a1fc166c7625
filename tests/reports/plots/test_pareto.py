"""Pareto plots of handmade rows: positions, labels and notes of the points, and that nothing covers a name."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

from vssbench.reports.plots import pareto
from vssbench.reports.plots.pareto_drawing import Plot, Point, draw
from vssbench.reports.plots.theme import LIGHT
from vssbench.reports.rows import Group, Row, family
from vssbench.stats import Interval

GROUP = Group("synthetic val", "exact", "f00", 12)


def row(method: str, miou: float | None, gflops: float | None = None, **given: Any) -> Row:
    """A measured row; fps, params and vc are given by keyword."""
    values = {
        "mIoU": miou, "VC@8": given.pop("vc", None),
        "gflops": gflops, "params": given.pop("params", None), "fps(step+decode)": given.pop("fps", None),
    }  # fmt: skip
    return Row(method, **{"family": family(method), "group": GROUP, "values": values, "machine": "abacus", **given})


def published(name: str, miou: float, gflops: float) -> Row:
    values = {"mIoU": miou, "gflops": gflops, "VC@8": 80.0}
    return Row(name, "mpvss", Group("synthetic val", "", "", 0), values, origin="published", machine="elsewhere")


def texts(figure: Figure) -> list[str]:
    """The texts in and under the plot."""
    (axes,) = figure.axes
    tables = [child for child in axes.get_children() if isinstance(child, Legend)]
    return [text.get_text() for text in (*axes.texts, *(text for table in tables for text in table.get_texts()))]


def plotted(rows: list[Row], column: str, machine: str | None = "abacus") -> Plot:
    return pareto.plot(GROUP, rows, column, machine)


def test_pareto_files_are_named_by_cost_group_and_machine(tmp_path: Path) -> None:
    rows = [
        row("a", 40.0, 1.0, fps=5.0, vc=80.0),
        row("b", 60.0, 2.0, fps=9.0, vc=None),
        *(row(name, 50.0, fps=50.0, machine="clock") for name in "cde"),
        *(row(name, 50.0, 3.0, group=Group("vspw val", "vspw", "f01", 9)) for name in "fg"),
    ]
    written = pareto.write(rows, tmp_path, ("svg",))
    names = ["pareto_gflops", "pareto_fps", "pareto_fps_machine2", "pareto_gflops_2"]
    assert [path.name for path in written] == [f"{name}{end}.svg" for name in names for end in ("", "_dark")]
    assert ">clock<" in (tmp_path / "pareto_fps.svg").read_text()
    assert ">abacus<" in (tmp_path / "pareto_fps_machine2.svg").read_text()
    assert pareto.write([row("a", 40.0, 1.0)], tmp_path / "none") == []


def test_equal_rows_give_identical_files_in_every_format(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        written = pareto.write([row("a", 40.0, 1.0), row("b", 60.0, 2.0)], tmp_path / folder)
    assert [path.suffix for path in written] == [".png", ".svg", ".pdf", ".svg"]
    for path in written:
        assert path.read_bytes() == (tmp_path / "one" / path.name).read_bytes()


def test_omitted_and_non_competing_methods_are_named_in_the_notes() -> None:
    rows = [
        row("a", 40.0, fps=5.0),
        row("b", None, fps=9.0),
        row("c", float("nan")),
        row("d", 50.0, fps=7.0, machine="clock"),
        row("e", 60.0, fps=1e6, told=True),
        row("f", 60.0, fps=8.0, untrained=True),
    ]
    plot = plotted(rows, "fps(step+decode)")
    assert [(point.name, point.x, point.contender) for point in plot.points] == [
        ("a", 5.0, True), ("e", 1e4, False), ("f", 8.0, False),
    ]  # fmt: skip
    assert plot.notes == (
        "Not shown, no mIoU: b",
        "Not shown, no mIoU and no FPS step+decode: c",
        "Not shown, measured on another machine: d",
        "Not on the front, given the ground truth: e",
        "Not on the front, random weights: f",
    )


def test_published_points_are_only_in_the_cost_plot_and_off_the_front(tmp_path: Path) -> None:
    rows = [
        row("mpvss", 40.0, 2.0, vc=80.0, fps=5.0),
        published("MPVSS R50", 70.0, 1.0),
        published("MPVSS R101", 71.0, 3.0),
    ]
    plot = plotted(rows, "gflops")
    assert [(point.name, point.published, point.contender) for point in plot.points] == [
        ("mpvss", False, True), ("MPVSS R50", True, False), ("MPVSS R101", True, False),
    ]  # fmt: skip
    assert len(plotted(rows, "VC@8").points) == 1
    assert {"measured", "published"} <= set(texts(draw(plot, LIGHT)))
    rows.append(row("mask2former", 41.0, fps=4.0))
    written = pareto.write(rows, tmp_path, ("png",))
    assert [path.name for path in written] == ["pareto_gflops.png", "pareto_fps.png"]


def test_gflops_lower_bound_is_off_the_cost_front_but_on_the_speed_front() -> None:
    rows = [
        row("flowwarp(of=mpvss)", 60.0, 1.0, fps=9.0, at_least=frozenset({"gflops"})),
        row("mpvss", 50.0, 2.0, fps=5.0),
    ]
    by_cost, by_speed = plotted(rows, "gflops"), plotted(rows, "fps(step+decode)")
    assert [point.at_least for point in by_cost.points] == [True, False]
    assert not any(point.at_least for point in by_speed.points)
    assert _front(draw(by_cost, LIGHT)) == {(2.0, 50.0)}
    assert _front(draw(by_speed, LIGHT)) == {(9.0, 60.0)}
    assert "at least: not all work is counted" in texts(draw(by_cost, LIGHT))


def test_only_existing_intervals_are_drawn() -> None:
    known = {"mIoU": Interval(50.0, 45.0, 54.0), "VC@8": Interval(80.0, reason="one clip")}
    plot = plotted([row("a", 50.0, vc=80.0, intervals=known), row("b", 60.0, vc=70.0)], "VC@8")
    assert [(point.x_interval, point.y_interval) for point in plot.points] == [(None, (45.0, 54.0)), (None, None)]
    assert "95 % interval" in texts(draw(plot, LIGHT))


def test_key_interval_sweep_is_one_curve_with_one_full_name() -> None:
    rows = [row(f"mpvss(key_interval={frames})", 80.0 - frames, 1 / frames) for frames in (10, 2, 5)]
    plot = plotted([*rows, row("mask2former", 81.0, 1.0)], "gflops")
    assert [point.label for point in plot.points] == ["mpvss K=10", "K=2", "K=5", "mask2former"]
    assert plot.curves == ((1, 2, 0),)
    assert plotted(rows[:2], "gflops").curves == ((1, 0),)
    assert plotted(rows[:1], "gflops").curves == ()


def test_method_colour_is_the_same_in_all_plots_of_a_report(tmp_path: Path) -> None:
    """Also if a different group or plot lacks some of the methods."""
    seen = LIGHT.palette[["cffm", "mpvss", "tdnet"].index("tdnet")]
    other = Group("vspw val", "vspw", "f01", 9)
    rows = [row("mpvss", 40.0, 1.0), row("cffm", 50.0, 2.0), row("tdnet", 60.0, 3.0)]
    rows += [row("tdnet", 50.0, 3.0, group=other), row("tdnet(subsampling=2)", 51.0, 4.0, group=other)]
    for path in pareto.write(rows, tmp_path, ("svg",)):
        if "dark" not in path.name:
            assert seen in path.read_text(), path.name
    assert LIGHT.palette[0] not in (tmp_path / "pareto_gflops_2.svg").read_text()


def test_duplicate_published_entries_are_one_point_or_one_label() -> None:
    same = [published("MPVSS R50", 70.0, 1.0), published("MPVSS R50", 70.0, 1.0)]
    twice = [published("MPVSS R101", 71.0, 3.0), published("MPVSS R101", 72.0, 3.0)]
    plot = plotted([row("mpvss", 40.0, 2.0), *same, *twice], "gflops")
    assert [(point.y, point.label) for point in plot.points] == [
        (40.0, "mpvss"), (70.0, "MPVSS R50"), (71.0, ""), (72.0, "MPVSS R101"),
    ]  # fmt: skip


def test_coinciding_points_have_rings_and_a_joint_label() -> None:
    rows = [
        row("mask2former", 80.0, 1.0),
        *(row(f"hold(key_interval={k},of=mask2former)", 81.0 - k, 1 / k) for k in (1, 5)),
    ]
    figure = draw(plotted(rows, "gflops"), LIGHT)
    assert "mask2former, K=1" in texts(figure)
    rings = [
        line for line in figure.axes[0].lines if line.get_gid() == "hidden" and line.get_markerfacecolor() == "none"
    ]
    assert [line.get_markeredgecolor() for line in rings] == [LIGHT.palette[1]]  # mask2former, under hold


def test_marker_shape_is_the_runtime_if_there_are_several() -> None:
    plot = plotted(
        [row(name, 40.0 + n, 1.0 + n) for n, name in enumerate(("mpvss", "cffm", "tdnet", "oracle"))], "gflops"
    )

    def drawn(*runtimes: str) -> tuple[list[Any], set[str]]:
        points = [replace(point, runtime=runtime) for point, runtime in zip(plot.points, runtimes, strict=True)]
        figure = draw(replace(plot, points=tuple(points)), LIGHT)
        return [line.get_marker() for line in figure.axes[0].lines if line.get_zorder() == 3], set(texts(figure))

    shapes, said = drawn("torch", "onnxruntime", "torch", "")
    assert shapes[0] == shapes[2]
    assert len(set(shapes)) == 3
    assert {"torch", "onnxruntime", "no network"} <= said
    shapes, said = drawn("torch", "torch", "torch", "")
    assert len(set(shapes)) == 4  # by family
    assert not {"torch", "no network"} & said


def test_among_many_methods_only_the_front_and_user_named_ones_are_labelled() -> None:
    random = np.random.default_rng(0)
    span = Interval(1.0, 0.0, 2.0)
    rows = [row(f"m{n}", float(random.uniform(40, 80)), float(random.uniform(1, 99))) for n in range(90)]
    rows = [replace(one, intervals={"mIoU": span}) for one in [*rows, row("cheapest", 30.0, 0.5)]]
    rows.append(row("ours", 41.0, 98.0, called="Ours"))
    found = plotted(rows, "gflops")
    named = {point.name for point in found.points if point.label}
    assert len(found.points) == 92
    best = [one for one in found.points if not any(other.x <= one.x and other.y > one.y for other in found.points)]
    assert named == {point.name for point in best} | {"Ours"}
    assert {bool(point.y_interval) for point in found.points if not point.label} == {False}
    assert found.notes == (f"{92 - len(named)} methods off the front not named",)
    with LIGHT.applied():
        said = texts(draw(found, LIGHT))
    assert {text.split()[-1] for text in said if re.fullmatch(r"(\d+ )?(m\d+|cheapest|Ours)", text)} >= named
    assert set(texts(draw(found, LIGHT))) >= {point.family for point in found.points if not point.label}  # the legend


def test_curve_label_moves_to_another_point_if_the_last_one_has_none() -> None:
    many = [row(f"m{n}", 60.0 + n / 10, 9.0 + n) for n in range(60)]
    curve = [row(f"hold(key_interval={k},of=oracle)", y, 5.0 / k) for k, y in ((1, 90.0), (2, 80.0), (3, 40.0))]
    labels = {point.name: point.label for point in plotted([*many, *curve], "gflops").points}
    assert labels["hold of oracle K=3"] == "hold of oracle K=3"  # the cheapest: on the front
    assert (labels["hold of oracle K=1"], labels["hold of oracle K=2"]) == ("K=1", "K=2")
    curve[2] = row("hold(key_interval=3,of=oracle)", 20.0, 99.0)
    labels = {point.name: point.label for point in plotted([*many, *curve], "gflops").points}
    assert labels["hold of oracle K=3"] == ""
    assert labels["hold of oracle K=2"] == "hold of oracle K=2"


NAMES = st.text("abcdefghij_=. ", min_size=3, max_size=38).map(lambda text: f"m{text}m")
POINTS = st.builds(
    lambda name, **given: Point(name, name, **given),
    NAMES, family=st.sampled_from("abcdefghijk"), x=st.integers(1, 900), y=st.integers(0, 100),
    published=st.booleans(), contender=st.booleans(), at_least=st.booleans(),
    y_interval=st.none() | st.just((20.0, 70.0)),
)  # fmt: skip


@settings(max_examples=8)
@given(st.lists(POINTS, min_size=1, max_size=25, unique_by=lambda point: point.name), st.booleans())
def test_every_point_is_labelled_and_nothing_covers_a_label(points: list[Point], more: bool) -> None:
    with LIGHT.applied():
        figure = draw(Plot("title " * 20, "x", "y", more, tuple(points), frozenset("abcdefghijk")), LIGHT)
        figure.draw_without_rendering()
    (axes,) = figure.axes
    renderer = FigureCanvasAgg(figure).get_renderer()
    frame = axes.get_window_extent(renderer)
    boxes = {text: text.get_window_extent(renderer) for text in axes.texts if text.get_text()}
    inside = {text: box for text, box in boxes.items() if frame.contains(*box.p0)}
    written = [text.get_text() for text in inside]
    entries = [text.split() for text in texts(figure) if re.match(r"\d+ m", text)]
    together: dict[tuple[float, float], list[str]] = {}
    for point in points:
        together.setdefault((point.x, point.y), []).append(point.name)
    numbers = sorted((text for text in written if text.isdigit()), key=int)
    assert numbers == [number for number, *_ in entries] == [str(count + 1) for count in range(len(numbers))]
    explained = {"".join(words) for _, *words in entries}
    joined = [", ".join(names) for names in together.values()]
    assert {text for text in written if not text.isdigit()} == {
        names for names in joined if "".join(names.split()) not in explained
    }
    assert len(written) == len(joined)
    spots = axes.transData.transform([(point.x, point.y) for point in points])
    for text, box in inside.items():
        assert not any(box.overlaps(other) for one, other in inside.items() if one is not text)
        assert frame.fully_containsx(box.x1)
        assert frame.fully_containsy(box.y1)
        assert not any(box.contains(*spot) for spot in spots)
    drawn = axes.get_tightbbox(renderer)
    assert drawn is not None
    assert figure.bbox.x0 <= drawn.x0 <= drawn.x1 <= figure.bbox.x1
    assert figure.bbox.y0 <= drawn.y0 <= drawn.y1 <= figure.bbox.y1
    assert min(text.get_fontsize() for text in axes.findobj(Text)) >= 6.5
    assert figure.get_figwidth() == pytest.approx(8.5 / 2.54)


def _front(figure: Figure) -> set[tuple[float, float]]:
    """The corners of the staircase, without the points at which it leaves the plot."""
    (axes,) = figure.axes
    (steps,) = [
        line for line in axes.lines if line.get_color() == LIGHT.faint and line.get_transform() == axes.transData
    ]
    edges = (*axes.get_xlim(), *axes.get_ylim())
    return {(x, y) for x, y in np.column_stack(steps.get_data()).tolist() if x not in edges and y not in edges}
