"""Leaderboard and Pareto front from results made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vssbench.errors import UserError
from vssbench.reports import leaderboard, pareto
from vssbench.result import DatasetInfo, RunResult, WeightsInfo, read_result


def result(method: str, miou: float | None, fps: float = 10.0, protocol: str = "exact", **changes: object) -> RunResult:
    info = DatasetInfo(
        spec="camvid", split="val", labels="camvid", classes=["a", "b"], clips=1, frames=101, labelled=101,
        fingerprint="0", names=["c"],
    )  # fmt: skip
    given = {
        "metrics": {"mIoU": miou, "WIoU": 50.0, "VC@8": None},
        "reasons": {"VC@8": "clips are sparsely labelled"},
        "fps": {"step": fps, "step+decode": fps, "end_to_end": fps},
        "environment": {"cpu": "abacus", "threads": 2},
        "kinds": {"key": 21, "nonkey": 80, "warmup": None},
    }
    return RunResult(
        method=method, dataset=info, protocol=protocol, weights=WeightsInfo(origin="none"), **{**given, **changes}
    )


def test_best_first_missing_last_and_notes_numbered_once() -> None:
    text = leaderboard.markdown([result("low", 40.0), result("none", None), result("high", 61.234)])
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == ["high", "low", "none"]
    assert "61.23" in rows[0]
    assert "–" in rows[2]
    assert text.count("no VC@8: clips are sparsely labelled") == 1
    assert "speed on abacus, threads: 2" in text


def test_what_is_missing_for_one_reason_is_one_note_and_a_dash() -> None:
    sparse = dict.fromkeys(("VC@8", "VC@16"), "clips are sparsely labelled")
    one = result("a", 40.0, metrics={"mIoU": 40.0, "VC@8": None, "VC@16": None}, reasons=sparse)
    text = leaderboard.markdown([one])
    assert "1. no VC@8, VC@16: clips are sparsely labelled\n2. speed on" in text
    header, _, row = (line for line in text.splitlines() if line.startswith("|"))
    cells = dict(zip(*([cell.strip() for cell in line.split("|")] for line in (header, row)), strict=True))
    assert (cells["mIoU"], cells["VC8"], cells["VC16"]) == ("40.00", "–", "–")
    assert "WIoU" not in cells  # was not asked for


def test_the_offsets_of_a_sweep_are_counted_where_there_is_a_sweep() -> None:
    def at(offset: int) -> RunResult:
        rows = [{"distance": d, "mIoU": 90.0 - offset - d, "pixels": 9} for d in (0, 1)]
        return result(f"hold(key_interval=2,of=oracle,offset={offset})", 40.0, by_distance=rows)

    assert "offsets" not in leaderboard.markdown([at(0)])
    table = leaderboard.markdown([at(0), at(1)]).partition("mIoU by distance")[2]
    assert "| `hold(key_interval=2,of=oracle)` |         2 |  89.00 | 89.50 | 88.50 |" in table


def test_protocols_never_share_a_table() -> None:
    text = leaderboard.markdown([result("a", 40.0), result("a", 45.0, protocol="vspw")])
    assert text.count("## camvid val, protocol") == 2


def test_metrics_asked_for_by_name_are_printed_too() -> None:
    values = {"mIoU": 40.0, "pixel_accuracy": 70.0, "VC@4": 80.0, "mIoU(protocol=mmseg)": None, "flicker": 3.0}
    header = leaderboard.markdown([result("a", 40.0, metrics=values, reasons={})]).splitlines()[6]
    cells = [cell.strip() for cell in header.split("|")]
    assert cells[2:6] == ["mIoU", "VC4", "mIoU(protocol=mmseg)", "flicker"]
    assert "pixel_accuracy" not in cells  # measured by default, in the CSV file


def test_other_frames_of_a_dataset_of_the_same_name_never_share_a_table(tmp_path: Path) -> None:
    real, made, part = result("a", 40.0), result("a", 90.0), result("a", 60.0)
    made.dataset.fingerprint, part.dataset.clips = "1", 2
    results = [real, made, part, result("b", 50.0, 20.0)]
    assert leaderboard.markdown(results).count("## camvid val, protocol") == 3
    assert [path.name for path in pareto.write(results, tmp_path)] == ["pareto_fps.png"]


def test_one_method_measured_twice_keeps_its_notes_apart() -> None:
    rows = [{"distance": d, "mIoU": 90.0 - d, "pixels": 9} for d in (0, 1)]
    fast = result("a", 40.0, environment={"cpu": "abacus", "threads": 1}, by_distance=rows)
    text = leaderboard.markdown([result("a", 50.0, by_distance=rows), fast])
    table = text.partition("1. ")[0].splitlines()
    assert table[-3:-1] == [line for line in table if line.startswith("| `a` [1] [")]
    assert table[-3].startswith("| `a` [1] [2] |")
    assert table[-2].startswith("| `a` [1] [3] |")
    assert text.count("|  89.50") == 2
    assert "`a #2`" in text


def test_csv_keeps_full_precision(tmp_path: Path) -> None:
    leaderboard.write([result("a", 100 / 3), result("b", None)], tmp_path)
    read = pd.read_csv(tmp_path / "leaderboard.csv")
    assert read["mIoU"][0] == 100 / 3
    assert np.isnan(read["mIoU"][1])


def test_results_survive_the_disk(tmp_path: Path) -> None:
    first = result("a", float("nan"))
    (tmp_path / "result.json").write_text(first.to_json())
    again = read_result(tmp_path / "result.json")
    assert again.metrics == {"mIoU": None, "WIoU": 50.0, "VC@8": None}
    assert again.to_json() == first.to_json()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "cannot be read"),
        ("[1]", "no schema number"),
        ('{"schema": 99}', "schema 99"),
        ('{"schema": 1}', "key method"),
    ],
)
def test_other_files_are_one_message(tmp_path: Path, text: str, part: str) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(UserError, match=part):
        read_result(tmp_path / "result.json")


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30))
def test_a_point_is_on_the_front_unless_another_beats_it(points: list[tuple[int, int]]) -> None:
    x, y = np.array(points, float).T
    expected = [not any((a <= px and b >= py) and (a < px or b > py) for a, b in points) for px, py in points]
    assert pareto.front(x, y, more_is_better=False).tolist() == expected
    assert pareto.front(-x, y, more_is_better=True).tolist() == expected


def test_plots_are_written_where_two_methods_have_both_figures(tmp_path: Path) -> None:
    paths = pareto.write([result("a", 40.0, 5.0), result("b", 60.0, 500.0), result("c", None, 7.0)], tmp_path)
    assert [path.name for path in paths] == ["pareto_fps.png"]
    assert paths[0].stat().st_size > 10_000
    assert pareto.write([result("a", 40.0)], tmp_path / "none") == []
