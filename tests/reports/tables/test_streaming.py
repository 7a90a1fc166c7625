"""The table of frame rates, its place in the leaderboard, and its figures as columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.reports.made import method_folder
from vssbench.reports import read_runs
from vssbench.reports.streams import curve
from vssbench.reports.tables import data_frame, leaderboard, streaming


def entry(fps: float, miou: float | None, **changes: Any) -> dict[str, Any]:
    return {
        "fps": fps, "take": "newest", "assumed": True, "latency_ms": {"key": 40.0}, "metrics": {"mIoU": miou},
        "reasons": {} if miou is not None else {"mIoU": "0/0"}, "frames": 12, "taken": 9, "dropped": 3,
        "before_first": 1, "age_ms": {"mean": 66.7, "p99": 100.0}, "missed": None, **changes,
    }  # fmt: skip


def rows(folder: Path) -> list[Any]:
    method_folder(folder, "mpvss", 0.9, streaming=[entry(30.0, 60.25), entry(10.0, 70.0)])
    method_folder(folder, "arseg", 0.8, streaming=[entry(10.0, None, take="every", assumed=False)])
    method_folder(folder, "mask2former", 0.7)
    return read_runs.read([folder])


def test_streaming_table_has_one_line_per_streamed_method(tmp_path: Path) -> None:
    text = streaming.text(rows(tmp_path))
    lines = [" ".join(line.split()) for line in text.splitlines() if line.startswith("| `")]
    assert lines == [
        "| `mpvss` | key 40.0 | 70.00 (67 ms, 25 %) | 60.25 (67 ms, 25 %) | – |",
        "| `arseg` | key 40.0 | – | – | – |",
    ]
    assert "assumed, not measured: `mpvss`." in text
    assert "leads from one to the next: `arseg`." in text


def test_leaderboard_has_the_streaming_table_only_if_streamed(tmp_path: Path) -> None:
    found = rows(tmp_path)
    assert "What a camera's viewer sees" in leaderboard.markdown(found)
    assert streaming.text([row for row in found if not row.result.streaming]) == ""


def test_streaming_curves_ascend_by_rate_and_skip_missing_values(tmp_path: Path) -> None:
    found = {row.method: curve(row) for row in rows(tmp_path)}
    assert list(found["mpvss"].items()) == [(10.0, 70.0), (30.0, 60.25)]
    assert found["arseg"] == found["mask2former"] == {}


def test_csv_has_streaming_columns_of_every_rate(tmp_path: Path) -> None:
    table = data_frame.table(rows(tmp_path)).set_index("method")
    assert table.loc["mpvss", "sIoU(fps=30)"] == 60.25
    assert table.loc["arseg", "age(p99,fps=10)"] == 100
    assert table["sIoU(fps=30)"].isna().sum() == 2
