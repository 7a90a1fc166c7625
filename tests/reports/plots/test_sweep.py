"""The figure of a sweep: every number in it comes from a result and is in the right place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vssbench.reports.plots import sweep, sweep_drawing
from vssbench.reports.plots.theme import LIGHT, LINES, looks
from vssbench.reports.rows import measured
from vssbench.results.record import DatasetInfo, RunResult, WeightsInfo
from vssbench.specs import parse

MOTIONS = ("fast", "medium", "slow")


def result(
    method: str, motion: str | None = None, resolved: str | None = None, miou: float | None = 60.0, **changes: object
) -> RunResult:
    info = DatasetInfo(
        spec=f"synthetic(motion={motion})" if motion else "synthetic", split="val", labels="synthetic",
        classes=["a", "b"], clips=2, frames=20, labelled=20, fingerprint="f" * 64, names=["c", "d"],
    )  # fmt: skip
    given = {
        "metrics": {"mIoU": miou, "VC@8": 90.0},
        "gflops": {"amortised": 0.5},
        "fps": {"step": 20.0, "step+decode": 18.0, "end_to_end": 15.0},
    }
    return RunResult(
        method=method, resolved=resolved, dataset=info, protocol="exact", weights=WeightsInfo(origin="none"),
        **{**given, **changes},
    )  # fmt: skip


def curves(results: list[RunResult]) -> pd.DataFrame:
    return sweep.curves([measured(one) for one in results])


def write(results: list[RunResult], folder: Path, ending: str = "png") -> list[Path]:
    return sweep.write([measured(one) for one in results], folder, [ending])


def swept(motions: tuple[str, ...] = MOTIONS) -> list[RunResult]:
    """Two methods at three intervals and one without; every number is different."""
    results = []
    for place, motion in enumerate(motions):
        for interval in (10, 1, 2):
            for number, method in enumerate(("mpvss(key_interval={})", "hold(key_interval={},of=mask2former)")):
                value = 80.0 - interval - 10 * place - number / 2
                fps = {"step": value / 2, "step+decode": 1.0, "end_to_end": 1.0}
                costs = {"gflops": {"amortised": value / 100}, "fps": fps}
                results.append(result(method.format(interval), motion, miou=value, **costs))
        results.append(result("mask2former", motion, resolved="mask2former(backbone=tiny)", miou=81.5 - place))
    return results


def lines(figure, row: int, column: int) -> dict[str, tuple[list[float], list[float]]]:
    """Label -> (x, y) of one panel."""
    panels = figure.axes
    columns = panels[0].get_gridspec().ncols
    return {
        line.get_label(): (list(np.asarray(line.get_xdata(), float)), list(np.asarray(line.get_ydata(), float)))
        for line in panels[row * columns + column].lines
        if line.get_gid() != "hidden"
    }


def test_sweep_panels_show_the_results_of_their_dataset() -> None:
    results = swept()
    figure = sweep_drawing.draw(curves(results), LIGHT)
    assert [axes.get_title() for axes in figure.axes[:3]] == ["motion slow", "motion medium", "motion fast"]
    assert figure.get_suptitle() == "synthetic val, protocol exact"
    assert [axes.get_ylabel() for axes in figure.axes[::3]] == [
        "mIoU (%)", "VC8 (%)", "GFLOPs per frame", "FPS (step)",
    ]  # fmt: skip
    read = (
        lambda one: one.metrics["mIoU"],
        lambda one: one.metrics["VC@8"],
        lambda one: one.gflops["amortised"],
        lambda one: one.fps["step"],
    )
    for column, motion in enumerate(("slow", "medium", "fast")):
        own = {parse(one.method): one for one in results if motion in one.dataset.spec}
        for row, value in enumerate(read):
            drawn = lines(figure, row, column)
            assert set(drawn) == {"hold of mask2former", "mpvss", "mask2former"}
            for label, method in (("hold of mask2former", "hold(of=mask2former)"), ("mpvss", "mpvss")):
                expected = [value(own[parse(method).with_args(key_interval=interval)]) for interval in (1, 2, 10)]
                assert drawn[label] == ([1, 2, 10], expected)
            assert drawn["mask2former"][1] == [value(own[parse("mask2former")])] * 2


def test_sweep_of_one_dataset_has_the_title_of_the_tables() -> None:
    rows = [measured(result(f"mpvss(key_interval={k})")) for k in (1, 2)]
    assert sweep_drawing.draw(sweep.curves(rows), LIGHT).get_suptitle() == "synthetic val, protocol exact"
    own = [replace(row, group=row.group._replace(title="own val")) for row in rows]
    assert sweep_drawing.draw(sweep.curves(own), LIGHT).get_suptitle() == "own val, protocol exact"


def test_sweep_draws_lower_bounds_as_arrows_in_the_report_colours() -> None:
    bound = {"amortised": 0.5, "uncounted": [{"op": "aten::odd", "calls": 1, "kind": "key"}]}
    given = [result(f"mpvss(key_interval={k})", gflops=bound if k == 2 else {"amortised": 0.6}) for k in (1, 2)]
    rows = curves([*given, result("mask2former")])
    assert list(rows[rows["method"] == "mpvss(key_interval=2)"]["gflops is a lower bound"]) == [True]
    families = {"arseg", "mask2former", "mpvss"}
    figure = sweep_drawing.draw(rows, LIGHT, families)
    arrows = [len([text for text in axes.texts if text.arrow_patch is not None]) for axes in figure.axes]
    assert arrows == [0, 0, 1, 0]  # of GFLOPs
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["mpvss", "mask2former", "lower bound"]
    drawn = {line.get_label(): line.get_color() for line in figure.axes[0].lines}
    seen = looks(families, LIGHT)
    assert {name: drawn[name] for name in ("mpvss", "mask2former")} == {
        name: seen[name].colour for name in ("mpvss", "mask2former")
    }


def test_sweep_uses_the_name_given_by_the_user(tmp_path: Path) -> None:
    rows = [replace(measured(result(f"mpvss(key_interval={k})")), called=f"Ours K={k}") for k in (1, 2)]
    sweep.write([*rows, measured(result("mask2former"))], tmp_path, ["svg"])
    text = (tmp_path / "sweep.svg").read_text()
    assert ">Ours<" in text
    assert ">mpvss<" not in text
    assert ">mask2former<" in text


def test_sweep_csv_has_the_figures_of_the_results_by_dataset(tmp_path: Path) -> None:
    results = swept()
    written = write(results, tmp_path)
    assert [path.name for path in written] == ["sweep.csv", "sweep.png"]
    rows = pd.read_csv(written[0])
    assert len(rows) == len(results)
    assert [dataset.split("=")[1].split(")")[0] for dataset in rows["dataset"].unique()] == ["slow", "medium", "fast"]
    for row in rows.to_dict("records"):
        (one,) = (one for one in results if (one.method, f"{one.dataset.spec} val") == (row["method"], row["dataset"]))
        assert one.metrics is not None
        assert row["mIoU"] == one.metrics["mIoU"]
        assert row["gflops"] == one.gflops["amortised"]
        assert row["fps(step)"] == one.fps["step"]
        assert row["key_interval"] == parse(one.method).get("key_interval") or np.isnan(row["key_interval"])


def test_no_sweep_figure_is_written_without_a_swept_interval(tmp_path: Path) -> None:
    results = [result("mask2former"), result("mpvss(key_interval=5)"), result("mpvss(backbone=r50,key_interval=2)")]
    assert write(results, tmp_path) == []
    assert write([], tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_resolved_default_interval_is_part_of_its_sweep() -> None:
    rows = curves([
        result("mpvss", resolved="mpvss(backbone=tiny,key_interval=5,offset=0)", miou=70.0),
        result("mpvss(key_interval=2)", resolved="mpvss(backbone=tiny,key_interval=2,offset=0)", miou=75.0),
    ])  # fmt: skip
    assert rows[["family", "key_interval", "mIoU"]].values.tolist() == [["mpvss", 2, 75.0], ["mpvss", 5, 70.0]]


def test_adaptive_schedule_is_a_horizontal_line_of_its_own() -> None:
    auto = "mpvss(key_interval=auto(threshold=12))"
    results = [result(auto, miou=77.0), *(result(f"mpvss(key_interval={number})") for number in (1, 2))]
    drawn = lines(sweep_drawing.draw(curves(results), LIGHT), 0, 0)
    assert drawn["mpvss"][0] == [1, 2]
    assert drawn["mpvss K=auto"][1] == [77.0, 77.0]


def test_method_measured_on_two_days_is_two_sweep_lines() -> None:
    days = {50.0: "2026-05-04", 60.0: "2026-05-08"}
    twice = [
        result(f"mpvss(key_interval={number})", miou=value, started=days[value]) for number in (1, 2) for value in days
    ]
    rows = curves(twice)
    assert rows.groupby("family")["key_interval"].apply(list).to_dict() == {
        f"mpvss @ {day}": [1, 2] for day in days.values()
    }


def test_datasets_without_a_sweep_are_omitted_and_protocols_are_separate(tmp_path: Path) -> None:
    other = [result(f"mpvss(key_interval={number})", "slow") for number in (1, 2)]
    other = [one.model_copy(update={"protocol": "vspw"}) for one in other]
    written = write([*swept(("slow",)), result("mpvss", "fast"), *other], tmp_path)
    assert [path.name for path in written if path.suffix == ".png"] == ["sweep.png", "sweep_2.png"]
    assert not pd.read_csv(tmp_path / "sweep.csv")["dataset"].str.contains("fast").any()


def test_figure_missing_from_all_has_no_panel_row_and_from_one_is_a_gap() -> None:
    results = [
        result(f"mpvss(key_interval={number})", miou=None if number == 2 else 60.0, fps=None, gflops=None)
        for number in (1, 2, 3)
    ]
    figure = sweep_drawing.draw(curves(results), LIGHT)
    assert [axes.get_ylabel() for axes in figure.axes] == ["mIoU (%)", "VC8 (%)"]
    assert lines(figure, 0, 0)["mpvss"][0] == [1, 3]


def test_speed_beyond_the_clock_resolution_is_drawn_at_the_edge() -> None:
    results = [
        result(f"hold(key_interval={number},of=oracle)", fps={"step": fps}) for number, fps in ((1, 40.0), (2, 3e6))
    ]
    figure = sweep_drawing.draw(curves(results), LIGHT)
    assert lines(figure, 3, 0)["hold of oracle"][1] == [40.0, 10_000.0]
    figure.draw_without_rendering()
    assert "≥10k" in [text.get_text() for text in figure.axes[3].get_yticklabels()]


@pytest.mark.parametrize(
    ("families", "shown"),
    [
        (["mpvss(backbone=r50)", "hold(of=mrcfa(labels=vspw))"], ["mpvss r50", "hold of mrcfa labels=vspw"]),
        (["mpvss(backbone=r50)", "mpvss(backbone=tiny)"], ["mpvss r50", "mpvss tiny"]),
        (
            ["mpvss @ 2026-05-04", "mpvss @ 2026-05-08", "hold(of=oracle)"],
            ["mpvss @ 2026-05-04", "mpvss @ 2026-05-08", "hold of oracle"],
        ),
    ],
)
def test_sweep_names_are_short_if_they_stay_different(families: list[str], shown: list[str]) -> None:
    results = [
        result(
            str(parse(family.partition(" @ ")[0]).with_args(key_interval=number)),
            started=family.partition(" @ ")[2] or None,
        )
        for family in families
        for number in (1, 2)
    ]
    figure = sweep_drawing.draw(curves(results), LIGHT)
    assert set(lines(figure, 0, 0)) == set(shown)


def test_datasets_of_one_name_have_distinct_panel_titles() -> None:
    results = [result(f"mpvss(key_interval={number})") for number in (1, 2)]
    fewer = [one.model_copy(update={"dataset": one.dataset.model_copy(update={"clips": 1})}) for one in results]
    figure = sweep_drawing.draw(curves([*results, *fewer]), LIGHT)
    assert [axes.get_title() for axes in figure.axes[:2]] == ["1 clip, ffffffffffff", "2 clips, ffffffffffff"]


def test_sweep_svg_is_identical_for_equal_results(tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(swept(("slow",)), tmp_path / name, "svg")
        texts.append((tmp_path / name / "sweep.svg").read_text())
    assert texts[0] == texts[1]
    assert texts[0].rstrip().endswith("</svg>")


def test_sweep_of_too_many_methods_draws_the_most_accurate() -> None:
    count = LINES + 6
    results = [
        result(f"mpvss(backbone=b{number},key_interval={interval})", miou=90.0 - number - interval)
        for number in range(count)
        for interval in (1, 5)
    ]
    with LIGHT.applied():
        figure = sweep_drawing.draw(curves(results), LIGHT)
    (legend,) = figure.legends
    assert {text.get_text() for text in legend.get_texts()} == {f"mpvss b{number}" for number in range(LINES)}
    assert f"{LINES} of {count} methods" in " ".join(figure.get_suptitle().split())
