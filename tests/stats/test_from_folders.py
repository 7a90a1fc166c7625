"""Intervals and comparisons from the files that a run keeps."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.stats.made import label_space, write
from vssbench.errors import NotComparable, UserError
from vssbench.stats import compare_folders, interval, intervals


def test_folder_intervals_match_the_records_and_missing_clips_are_refused(pair, tmp_path):
    result = write(tmp_path / "a", pair[0], label_space(5), "a")
    found = intervals(tmp_path / "a", resamples=500)
    assert {name: one.value for name, one in found.items()} == result.metrics
    assert all(one.low < one.value < one.high for one in found.values())
    assert found["mIoU"] == interval(pair[0], label_space(5), "mIoU", "exact", resamples=500)
    assert intervals(tmp_path / "a", protocol="arseg", resamples=500)["VC@5"].reason
    write(tmp_path / "b", pair[0], label_space(5), "b", metrics=None)
    assert intervals(tmp_path / "b") == {}
    lines = (tmp_path / "a" / "clips.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "a" / "clips.jsonl").write_text("".join(lines[1:]))
    with pytest.raises(UserError, match="clip0"):
        intervals(tmp_path / "a")


def test_all_pairs_of_folders_are_compared_with_corrected_p(pair, tmp_path):
    space, (a, b) = label_space(5), pair
    for name, some in {"a": a, "b": b[::-1], "same": b}.items():
        write(tmp_path / name, some, space, name)
    write(tmp_path / "cost", b, space, "cost", metrics=None)
    found = compare_folders([tmp_path / name for name in ("cost", "a", "b", "same")], resamples=1000)
    assert list(found) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert found[0, 1].reason == "measured for cost only"
    assert found[1, 2].p == 1 / 1001
    assert found[1, 2].adjusted == pytest.approx(3 / 1001)
    assert (found[2, 3].effect, found[2, 3].adjusted) == (0, 1)
    write(tmp_path / "other", a, space, "other", protocol="vspw")
    with pytest.raises(NotComparable, match="vspw"):
        compare_folders([tmp_path / "a", tmp_path / "other"])
    assert compare_folders([tmp_path / "a", tmp_path / "other"], protocol="exact", resamples=200)[0, 1].effect == 0


def test_stats_imports_neither_torch_nor_matplotlib_nor_pandas():
    script = "import sys, vssbench.stats; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "vssbench.stats" in found
    assert not {"torch", "matplotlib", "pandas", "transformers"} & set(found)
