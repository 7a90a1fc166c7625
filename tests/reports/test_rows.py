"""The values that a row takes from its result, and which rows are best in a column."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reports.tables.test_leaderboard import result
from vssbench.errors import UserError
from vssbench.reports.columns import Column, columns, parse_columns
from vssbench.reports.rows import Group, Row, family, grouped, measured
from vssbench.results.figures import figure
from vssbench.results.record import WeightsInfo

MIOU, GFLOPS = Column(figure("mIoU")), Column(figure("gflops"))


def row(method: str, miou: float | None = None, **values: float) -> Row:
    return Row(method, method, Group("camvid val", "exact", "f", 1), {"mIoU": miou, **values})


def gflops(*uncounted: tuple[str, str]) -> dict[str, object]:
    listed = [{"op": op, "calls": 1, "kind": kind} for op, kind in uncounted]
    return {"amortised": 2.0, "key": 5.0, "nonkey": 1.0, "warmup": None, "uncounted": listed, "disagreements": []}


def test_row_values_are_the_figures_of_the_result() -> None:
    values = measured(result("mpvss", 40.0, fps=12.5, gflops=gflops(), params_m=3.25)).values
    assert values["mIoU"] == 40.0
    assert (values["gflops"], values["gflops(key)"], values["gflops(nonkey)"]) == (2.0, 5.0, 1.0)
    assert (values["gflops(warmup)"], values["params"], values["fps(end_to_end)"]) == (None, 3.25, 12.5)
    assert values["key_frames"] == pytest.approx(100 * 21 / 101)


def test_gflops_are_a_lower_bound_if_a_frame_kind_that_ran_has_uncounted_work() -> None:
    flow = ("optical flow", "nonkey")
    found = measured(result("flowwarp(of=mpvss)", 40.0, gflops=gflops(flow))).at_least
    assert found == {"gflops", "gflops(nonkey)"}
    assert not measured(result("hold(of=mpvss)", 40.0, gflops=gflops())).at_least
    every_frame_a_key_frame = {"key": 101, "nonkey": None, "warmup": None}
    keyed = measured(result("flowwarp(of=mpvss)", 40.0, gflops=gflops(flow), kinds=every_frame_a_key_frame)).at_least
    assert "gflops" not in keyed
    cost_only = result("flowwarp(of=mpvss)", None, metrics=None, reasons={}, gflops=gflops(flow), kinds={})
    assert "gflops" in measured(cost_only).at_least


def test_lower_bound_is_shown_as_one_and_is_not_marked_best() -> None:
    rows = [
        dataclasses.replace(row("a", 1.0, gflops=0.5), at_least=frozenset({"gflops"})),
        row("b", 1.0, gflops=1.0),
        row("c", 1.0, gflops=2.0),
    ]
    assert [GFLOPS.text(one) for one in rows] == ["≥0.5", "1", "2"]
    assert GFLOPS.marks(rows) == [None, "best", None]


def test_family_is_the_method_name_and_its_inner_methods() -> None:
    assert family("hold(key_interval=5,of=flowwarp(of=mask2former(backbone=r50)))") == "hold of flowwarp of mask2former"


@pytest.mark.parametrize(
    ("mious", "marks"),
    [
        ([50.0, 40.0, 30.0], ["best", "second", None]),
        ([50.0, 50.001, 30.0, 20.0], ["best", "best", "second", None]),  # equal as printed
        ([50.0, 40.0, 40.0], ["best", None, None]),  # the second would be the last
        ([50.0, 40.0], ["best", None]),
        ([50.0], [None]),
        ([50.0, 50.0], [None, None]),
        ([50.0, None, 30.0], ["best", None, None]),
        ([None, None], [None, None]),
    ],
)
def test_best_and_second_best_are_marked_as_printed(mious: list[float | None], marks: list[str | None]) -> None:
    assert MIOU.marks([row(str(place), miou) for place, miou in enumerate(mious)]) == marks


figures = st.lists(st.none() | st.floats(0, 100), min_size=1, max_size=12)


@given(figures, st.sampled_from(["more", "less"]))
def test_no_value_is_better_than_the_marked_ones(mious: list[float | None], better: str) -> None:
    column = Column(dataclasses.replace(MIOU.figure, better=better))  # type: ignore[arg-type]
    rows = [row(str(place), miou) for place, miou in enumerate(mious)]
    marks = column.marks(rows)
    sign = 1 if better == "more" else -1
    printed = [None if miou is None else sign * float(f"{miou:.2f}") for miou in mious]
    levels = sorted({value for value in printed if value is not None}, reverse=True)
    for value, mark in zip(printed, marks, strict=True):
        assert (mark == "best") == (len(levels) > 1 and value == levels[0])
        assert (mark == "second") == (len(levels) > 2 and value == levels[1])


def test_oracle_untrained_and_published_rows_are_not_marked() -> None:
    best, second, last = row("b", 50.0), row("c", 40.0), row("d", 30.0)
    others = [
        dataclasses.replace(row("a", 99.0), told=True),
        dataclasses.replace(row("a", 99.0), untrained=True),
        dataclasses.replace(row("a", 99.0), origin="published"),
    ]
    assert MIOU.marks([*others, best, second, last]) == [None, None, None, "best", "second", None]


def test_implausibly_high_speed_is_not_marked_best() -> None:
    speed = Column(figure("fps(step)"))
    rows = [row(name, 1.0, **{"fps(step)": value}) for name, value in (("a", 2e6), ("b", 9.0), ("c", 3.0))]
    assert [speed.text(one) for one in rows] == [">9999", "9.0", "3.0"]
    assert speed.marks(rows) == [None, "best", None]


def test_speed_is_only_in_the_column_of_its_machine() -> None:
    rows = [dataclasses.replace(row("a", 1.0, **{"fps(step)": 9.0}), machine=name) for name in ("x", "y", "y")]
    shown = [column for column in columns(rows) if column.key == "fps(step)"]
    assert [(column.title, column.machine) for column in shown] == [("FPS step (A)", "x"), ("FPS step (B)", "y")]
    assert [[column.value(one) for one in rows] for column in shown] == [[9.0, None, None], [None, 9.0, 9.0]]


def test_costs_of_untrained_networks_can_be_marked_best() -> None:
    rows = [dataclasses.replace(row("a", 1.0, gflops=3.0), untrained=True), row("b", 2.0, gflops=4.0)]
    assert GFLOPS.marks(rows) == ["best", None]


def test_plugin_metric_without_direction_is_shown_but_not_ranked() -> None:
    (flicker,) = (column for column in columns([row("a", 1.0, flicker=3.0)]) if column.key == "flicker")
    assert flicker.accuracy
    assert flicker.better is None


def test_cost_of_a_frame_kind_is_shown_but_not_ranked() -> None:
    rows = [row(name, 1.0, **{"gflops(key)": value, "gflops(nonkey)": 0.0}) for name, value in (("a", 1.0), ("b", 2.0))]
    shown = {column.key: column for column in columns(rows)}
    assert shown["gflops(key)"].marks(rows) == [None, None]


def test_any_figure_can_be_chosen_as_a_column() -> None:
    """A figure that no row has is shown as missing."""
    chosen = parse_columns("mIoU,latency(end_to_end,p99), memory(host_peak),IoU(class=road)")
    assert chosen == ("mIoU", "latency(p99,end_to_end)", "memory(host_peak)", "IoU(class=road)")
    timed = {"latency(p99,end_to_end)": 3.0}
    rows = [dataclasses.replace(row(name, 1.0, **timed), machine=name) for name in ("x", "y")]
    shown = columns(rows, chosen)
    timed_on = [f"latency p99 end to end (ms) ({letter})" for letter in "AB"]
    titles = ["mIoU", *timed_on, "memory host peak (MB)", "IoU road"]
    assert [column.title for column in shown] == titles
    assert [column.text(rows[0]) for column in shown] == ["1.00", "3.00", "–", "–", "–"]
    with pytest.raises(UserError, match=r"expected: gflops$"):
        parse_columns("mIoU,GFLOPs")


def test_measured_groups_precede_published_ones_and_missing_values_are_last() -> None:
    printed = dataclasses.replace(row("p", 99.0), origin="published", group=Group("camvid", "", "", 0))
    groups = list(grouped([printed, row("none"), row("low", 1.0), row("high", 2.0)]))
    assert [[one.method for one in members] for _, members in groups] == [["high", "low", "none"], ["p"]]


def test_row_of_random_weights_is_untrained() -> None:
    assert measured(result("mpvss", 40.0).model_copy(update={"weights": WeightsInfo(origin="untrained")})).untrained


def test_memory_measured_alone_and_together_are_separate_columns() -> None:
    def of(name: str, how: str | None) -> Row:
        known = {"memory_mb": {"host_peak": 300.0}, "memory_measured": how}
        return measured(result(name, 40.0).model_copy(update=known))

    rows = [of("a", "alone"), of("b", "together"), of("old", None)]
    alone, together = columns(rows, ["memory(host_peak)"])
    assert (alone.title, together.title) == ("memory host peak (MB), alone", "memory host peak (MB), together")
    assert [alone.text(row) for row in rows] == ["300.0", "–", "–"]
    assert [together.text(row) for row in rows] == ["–", "300.0", "300.0"]
    (only,) = columns(rows[:1], ["memory(host_peak)"])
    assert only.title == alone.title
