"""Results as a pandas data frame: it holds what is in result.json, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from statistics import mean

import pandas as pd
import pytest

import vssbench
from tests.reports.made import CLASSES, method_folder
from vssbench.errors import UserError
from vssbench.results.dataframe import COLUMNS

COST = {
    "gflops": {"key": 2.0, "nonkey": None, "warmup": None, "amortised": 1.5, "nominal": 1.25, "convention": "mac"},
    "params_m": 3.5,
    "params_training_only_m": 0.5,
    "fps": {"step": 10.0, "step+decode": 8.0, "end_to_end": None},
    "latency_ms": {"key": {"step": {"mean": 100.0, "p50": 99.0, "n": 4}}, "nonkey": None},
    "memory_mb": {"device_peak": None, "host_peak": 12.5},
    "energy": {"joules_per_frame": None, "watts": None, "reason": "no NVIDIA device"},
}
KEY = ["run", "method", "dataset", "split", "codec", "protocol", "metric"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of three methods: two scored, one measured for cost only."""
    run = tmp_path / "runs" / "one"
    method_folder(run, "hold(of=oracle)", 0.9, environment={"cpu": "a machine"}, **COST)
    method_folder(run, "mpvss", 0.6, seed=3, codec="h264(gop=12)", reasons={"VC@8": "no clip is densely labelled"})
    method_folder(run, "mrcfa", None)
    return run


def found(frame: pd.DataFrame, method: str, metric: str) -> pd.Series:
    (row,) = [row for _, row in frame[(frame.method == method) & (frame.metric == metric)].iterrows()]
    return row


def test_dataframe_has_one_row_for_every_figure_in_the_result_files(run: Path) -> None:
    frame = vssbench.load_results(run)
    assert list(frame.columns) == [name for name in COLUMNS if name != "clip"]
    assert not frame.duplicated(KEY).any()
    assert set(frame.run) == {str(run)}
    for file in run.glob("*/result.json"):
        result = json.loads(file.read_text())
        rows = frame[frame.method == result["method"]].set_index("metric")
        wanted = dict(result["metrics"] or {})
        wanted |= {f"IoU(class={name})": value for name, value in result["per_class"].items()}
        distances = {row["distance"]: row["mIoU"] for row in result["by_distance"]}
        wanted |= {f"mIoU(distance={distance})": value for distance, value in distances.items()}
        wanted |= {"mIoU(distance=mean)": mean(distances.values())} if distances else {}
        assert dict(rows.value[rows.protocol.notna()]) == wanted
        assert set(rows.unit[rows.protocol.notna()]) <= {"%"}
        assert set(rows.protocol.dropna()) <= {"exact"}
        assert rows.value["frames(key)"] == result["kinds"]["key"]
        assert rows.value["key_frames"] == 100
    counts = ["key_frames", "clips", "frames", "frames(labelled)", "frames(key)"]
    assert list(frame.metric[frame.method == "mrcfa"]) == counts
    assert found(frame, "mpvss", "mIoU").codec == "h264(gop=12)"


def test_dataframe_has_units_and_reasons_for_missing_values(run: Path) -> None:
    frame = vssbench.load_results(run)
    expected = {
        "gflops(key)": (2.0, "GMAC/frame"),
        "gflops": (1.5, "GMAC/frame"),
        "params": (3.5, "M"),
        "params(training_only)": (0.5, "M"),
        "fps(step+decode)": (8.0, "frames/s"),
        "latency(p50,step,key)": (99.0, "ms"),
        "frames(timed,key)": (4.0, "frames"),
        "memory(host_peak)": (12.5, "MB"),
    }
    for metric, (value, unit) in expected.items():
        row = found(frame, "hold(of=oracle)", metric)
        assert (row.value, row.unit) == (value, unit)
        assert row.machine == "a machine"
    energy = found(frame, "hold(of=oracle)", "energy")
    assert pd.isna(energy.value)
    assert (energy.unit, energy.reason) == ("J/frame", "no NVIDIA device")
    nonkey = found(frame, "hold(of=oracle)", "gflops(nonkey)")
    assert pd.isna(nonkey.value)
    assert nonkey.reason == "no nonkey frame was counted"


def test_dataframe_has_date_commit_and_machine_of_each_run(tmp_path: Path) -> None:
    commit = {"commit": "0123456789abcdef", "dirty": True, "device_name": "an accelerator"}
    method_folder(tmp_path / "new", "mpvss", 0.9, started="2026-05-08T12:00:00+02:00", environment=commit)
    method_folder(tmp_path / "old", "mpvss", 0.9, started="2026-05-04T10:00:00+00:00")
    method_folder(tmp_path / "undated", "mpvss", 0.9)
    frame = vssbench.load_results(tmp_path)
    frame = frame[frame.metric == "mIoU"].sort_values("date").set_index("run")
    assert [Path(run).name for run in frame.index] == ["old", "new", "undated"]
    assert frame.date.iloc[1] == pd.Timestamp("2026-05-08 10:00", tz="UTC")
    assert pd.isna(frame.date.iloc[2])
    assert frame["commit"].iloc[1] == "0123456789abcdef+"
    assert pd.isna(frame["commit"].iloc[0])
    assert frame.machine.iloc[1] == "an accelerator"


def test_at_least_column_marks_gflops_that_are_lower_bounds(tmp_path: Path) -> None:
    flow = {"op": "optical flow", "calls": 1, "kind": "key"}
    method_folder(tmp_path, "flowwarp(of=oracle)", 0.9, gflops={"key": 2.0, "amortised": 2.0, "uncounted": [flow]})
    frame = vssbench.load_results(tmp_path)
    assert str(frame.at_least.dtype) == "bool"
    assert set(frame.metric[frame.at_least]) == {"gflops", "gflops(key)"}


def test_load_results_accepts_runs_parents_method_folders_and_files(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "runs" / "two")
    one = vssbench.load_results(run)
    for path in (str(run), [run, run / "mpvss"][:1], sorted(run.glob("*/result.json")), sorted(run.iterdir())):
        pd.testing.assert_frame_equal(vssbench.load_results(path), one)
    both = vssbench.load_results(tmp_path / "runs")
    assert len(both) == 2 * len(one)
    assert not both.duplicated(KEY).any()
    pd.testing.assert_frame_equal(vssbench.load_results([run, tmp_path / "runs" / "two"]), both)
    single = vssbench.load_results(next(run.glob("mrcfa*/result.json")))
    assert set(single.method) == {"mrcfa"}
    with pytest.raises(UserError, match=r"does not exist"):
        vssbench.load_results(tmp_path / "nowhere")


def test_per_clip_dataframe_matches_the_clip_records(run: Path) -> None:
    frame = vssbench.load_results(run, per_clip=True)
    assert list(frame.columns) == list(COLUMNS)
    assert not frame.duplicated([*KEY, "clip"]).any()
    assert set(frame.method) == {"hold(of=oracle)", "mpvss"}
    records = [json.loads(line) for line in next(run.glob("mpvss*/clips.jsonl")).read_text().splitlines()]
    rows = frame[frame.method == "mpvss"].set_index(["clip", "metric"])
    for record in records:
        cells = dict(zip(*record["states"]["confusion"][0]["counts"]["0"], strict=True))
        ious = []
        for label in range(len(CLASSES)):
            hits = cells[label * 256 + label]
            union = sum(n for cell, n in cells.items() if label in (cell // 256, cell % 256))
            ious.append(100 * hits / union)
        assert rows.value[record["clip"], "mIoU"] == pytest.approx(sum(ious) / len(ious), abs=1e-9)
        assert rows.value[record["clip"], "frames"] == record["frames"]
        assert rows.value[record["clip"], "seconds(step)"] == record["seconds"]["step"]
    next(run.glob("mpvss*/clips.jsonl")).unlink()
    with pytest.raises(UserError, match="12 of 12 clips have no record"):
        vssbench.load_results(run, per_clip=True)


def test_load_results_recomputes_metrics_under_another_protocol(run: Path) -> None:
    frame = vssbench.load_results(run, protocol="detectron2")
    assert set(frame.protocol.dropna()) == {"detectron2"}
    short = vssbench.load_results(run, protocol="vspw", per_clip=True)
    row = found(short[short["clip"] == "clip0"], "mpvss", "mIoU")
    assert pd.isna(row.value)
    assert row.reason


def test_results_without_clip_figures_are_an_empty_frame_with_all_columns(tmp_path: Path) -> None:
    method_folder(tmp_path, "mrcfa", None)
    frame = vssbench.load_results(tmp_path, per_clip=True)
    assert (len(frame), list(frame.columns), str(frame.value.dtype)) == (0, list(COLUMNS), "float64")
