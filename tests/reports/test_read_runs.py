"""From run directories to rows: intervals, comparisons, and rows that cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.reports.made import method_folder
from vssbench.errors import UserError
from vssbench.reports import read_runs
from vssbench.reports.tables import leaderboard
from vssbench.stats import compare_folders, intervals

NEAR = {"mask2former": 0.9, "mpvss": 0.895, "mrcfa": 0.8}
"""Method -> share of right pixels: two are close and one is far off."""


def test_row_has_the_intervals_of_its_folder(tmp_path: Path) -> None:
    folder = method_folder(tmp_path / "run", "mask2former", 0.8)
    (row,) = read_runs.read([tmp_path / "run"])
    assert row.folder == folder
    assert row.intervals == intervals(folder)
    interval = row.intervals["mIoU"]
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low < row.values["mIoU"] < interval.high


def test_rows_without_uncertainty_have_no_intervals_or_comparisons(tmp_path: Path) -> None:
    method_folder(tmp_path, "mask2former", 0.8)
    (row,) = read_runs.read([tmp_path], uncertainty=False)
    assert (row.intervals, row.to_best) == ({}, {})


def test_rows_are_compared_with_the_best_and_the_one_above_across_runs(tmp_path: Path) -> None:
    worst = method_folder(tmp_path / "one", "mrcfa", 0.5, seed=1)
    best = method_folder(tmp_path / "one", "mask2former", 0.9, seed=2)
    middle = method_folder(tmp_path / "two", "mpvss", 0.7, seed=3)
    first, second, third = read_runs.read([tmp_path / "one", tmp_path / "two"])
    assert (first.to_best, first.to_above) == ({}, None)
    pairs = [(1, 0), (2, 0), (2, 1)]
    expected = compare_folders([best, middle, worst], pairs=pairs)
    assert (second.to_best["mIoU"], second.to_above) == (expected[1, 0], expected[1, 0])
    assert (third.to_best["mIoU"], third.to_above) == (expected[2, 0], expected[2, 1])
    to_best = third.to_best["mIoU"]
    assert to_best.effect is not None
    assert to_best.effect < -30
    least = 3 * 2 / 2**12  # the smallest that 12 clips and three pairs allow
    assert (to_best.adjusted, to_best.least) == (pytest.approx(least), pytest.approx(least))


def test_each_metric_is_compared_with_its_own_best(tmp_path: Path) -> None:
    """VC and WIoU used to be marked best without any test."""
    folders = [method_folder(tmp_path, name, right, seed=seed) for seed, (name, right) in enumerate(NEAR.items())]
    rows = {row.method: row for row in read_runs.read([tmp_path])}
    for metric in ("mIoU", "WIoU"):
        order = sorted(rows.values(), key=lambda row: -row.values[metric])
        assert metric not in order[0].to_best
        by_name = dict(zip(NEAR, folders, strict=True))
        ordered = [by_name[row.method] for row in order]
        expected = compare_folders(ordered, metric, pairs=[(1, 0), (2, 0), (2, 1)])
        for index, row in enumerate(order[1:], 1):
            found, wanted = row.to_best[metric], expected[index, 0]
            assert (found.effect, found.p, found.adjusted) == (wanted.effect, wanted.p, wanted.adjusted)
            assert (found.low is None) == (metric != "mIoU")


def test_pairs_of_the_best_change_no_other_comparison(tmp_path: Path) -> None:
    folders = [method_folder(tmp_path, name, right, seed=seed) for seed, (name, right) in enumerate(NEAR.items())]
    plain, paired = read_runs.read([tmp_path]), read_runs.read([tmp_path], pairs=True)
    assert [row.to_above for row in paired] == [row.to_above for row in plain]
    for metric in ("mIoU", "WIoU"):
        order = sorted(paired, key=lambda row: -(row.values[metric] or 0))
        by_name = dict(zip(NEAR, folders, strict=True))
        ordered = [by_name[row.method] for row in order]
        expected = compare_folders(ordered, metric, pairs=[(1, 0), (2, 0), (2, 1)])
        for (later, earlier), one in expected.items():
            assert order[later].to_others[metric][ordered[earlier]] == one
        for before, now in zip(plain, paired, strict=True):
            one, other = before.to_best.get(metric), now.to_best.get(metric)
            assert (one and (one.effect, one.p, one.adjusted)) == (other and (other.effect, other.p, other.adjusted))


def test_metric_missing_from_one_method_is_compared_among_the_others(tmp_path: Path) -> None:
    for seed, (name, right) in enumerate(NEAR.items()):
        folder = method_folder(tmp_path, name, right, seed=seed)
    data = json.loads((folder / "result.json").read_text())
    del data["metrics"]["WIoU"]
    (folder / "result.json").write_text(json.dumps(data))
    rows = {row.method: row for row in read_runs.read([tmp_path])}
    assert [name for name, row in rows.items() if "WIoU" in row.to_best] == ["mpvss"]
    assert rows["mpvss"].to_best["WIoU"].least == pytest.approx(2 / 2**12)  # one pair
    assert rows["mrcfa"].to_best.keys() == {"mIoU"}


def test_too_few_clips_have_no_equivalence_mark(tmp_path: Path) -> None:
    for seed, (name, right) in enumerate(NEAR.items()):
        method_folder(tmp_path, name, right, seed=seed, clips=4)
    text = leaderboard.markdown(read_runs.read([tmp_path]))
    assert "So few clips cannot separate two methods: p is 0.38 or more" in text
    assert "≈" not in text


def test_run_given_twice_is_read_once(tmp_path: Path) -> None:
    for run, method in (("one", "mrcfa"), ("two", "mpvss")):
        method_folder(tmp_path / run, method, 0.8)
    given = [tmp_path / "one", tmp_path / "two", tmp_path / "two" / ".." / "one"]
    assert [row.method for row in read_runs.read(given, uncertainty=False)] == ["mrcfa", "mpvss"]


def test_runs_over_different_clips_have_separate_tables_and_no_comparison(tmp_path: Path) -> None:
    method_folder(tmp_path / "one", "mask2former", 0.9, clips=12)
    method_folder(tmp_path / "two", "mpvss", 0.7, clips=10)
    rows = read_runs.read([tmp_path / "one", tmp_path / "two"])
    assert [row.to_best for row in rows] == [{}, {}]
    assert "The clips differ from those of the table above" in leaderboard.markdown(rows)


def test_different_ground_truth_under_equal_clip_names_is_not_compared(tmp_path: Path) -> None:
    method_folder(tmp_path, "mask2former", 0.9)
    other = method_folder(tmp_path, "mpvss", 0.7)
    text = (other / "clips.jsonl").read_text()
    (other / "clips.jsonl").write_text(
        text.replace('"frames":1,', '"frames":2,').replace('"kinds":{"key":1}', '"kinds":{"key":2}')
    )
    assert "Not known: the two methods were scored against different ground truth" in leaderboard.markdown(
        read_runs.read([tmp_path])
    )


def test_oracle_and_untrained_methods_are_not_compared(tmp_path: Path) -> None:
    method_folder(tmp_path, "hold(of=oracle)", 0.99)
    method_folder(tmp_path, "mask2former", 0.9)
    method_folder(tmp_path, "mpvss", 0.7)
    untrained = method_folder(tmp_path, "mrcfa", 0.3)
    text = (untrained / "result.json").read_text()
    (untrained / "result.json").write_text(text.replace('"origin": "file"', '"origin": "untrained"'))
    rows = {row.method: row for row in read_runs.read([tmp_path])}
    assert {name: row.contender for name, row in rows.items()} == {
        "hold(of=oracle)": False, "mask2former": True, "mpvss": True, "mrcfa": False,
    }  # fmt: skip
    assert [name for name, row in rows.items() if row.to_best] == ["mpvss"]
    assert any("given the ground truth" in note for note in rows["hold(of=oracle)"].notes)


def test_result_without_records_has_a_reason_for_no_interval(tmp_path: Path) -> None:
    for method in ("mask2former", "mpvss"):
        (method_folder(tmp_path, method, 0.8) / "clips.jsonl").unlink()
    text = leaderboard.markdown(read_runs.read([tmp_path]))
    assert f"no intervals: {read_runs.NO_RECORDS}" in text
    assert "Not known: the clips' records" in text


def test_too_few_clips_have_a_note_instead_of_an_interval(tmp_path: Path) -> None:
    method_folder(tmp_path, "mask2former", 0.8, clips=3)
    (row,) = read_runs.read([tmp_path])
    assert row.intervals["mIoU"].low is None
    assert "no intervals: 3 clips: an interval over clips needs 10" in row.notes


def test_method_measured_for_cost_only_keeps_its_row(tmp_path: Path) -> None:
    method_folder(tmp_path, "mask2former", 0.8)
    method_folder(tmp_path, "mpvss", None, params_m=3.0)
    rows = read_runs.read([tmp_path])
    assert [(row.method, row.values.get("mIoU") is None) for row in rows] == [("mask2former", False), ("mpvss", True)]
    assert read_runs.read([tmp_path], "vspw")[1].group.protocol == "vspw"


def test_metrics_of_another_protocol_are_computed_from_the_records(tmp_path: Path) -> None:
    method_folder(tmp_path, "mask2former", 0.8)
    (row,) = read_runs.read([tmp_path], "mmseg")
    assert row.group.protocol == "mmseg"
    assert row.intervals["mIoU"].value == row.values["mIoU"]


def test_empty_folder_or_incomplete_records_are_one_error_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no <method>"):
        read_runs.read([tmp_path])
    folder = method_folder(tmp_path, "mask2former", 0.8)
    lines = (folder / "clips.jsonl").read_text().splitlines(keepends=True)
    (folder / "clips.jsonl").write_text("".join(lines[1:]))
    with pytest.raises(UserError, match="1 of 12 clips have no record"):
        read_runs.read([tmp_path])


def test_equal_clip_names_with_different_file_contents_have_separate_tables(tmp_path: Path) -> None:
    for number, (name, method) in enumerate((("a", "mpvss"), ("b", "mrcfa"), ("c", "segformer"))):
        folder = method_folder(tmp_path / name, method, 0.9)
        text = (folder / "result.json").read_text()
        digest = "null" if number == 2 else f'"{number}{"0" * 15}"'
        (folder / "result.json").write_text(text.replace('"files": null', f'"files": {digest}'))
    rows = read_runs.read([tmp_path / name for name in "abc"])
    text = leaderboard.markdown(rows)
    assert text.count("The files (") == 2
    assert "(1000000000000000) differ from those of the table above" in text
    assert not any(row.to_best for row in rows)
