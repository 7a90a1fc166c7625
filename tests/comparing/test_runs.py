"""`vssbench.compare`: it agrees with the reports and the gate, and refuses what is not comparable."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

import vssbench
from tests.comparing.made import speed, two_runs
from tests.reports.made import method_folder
from vssbench.comparing.differences import HEADER
from vssbench.errors import NotComparable, UserError
from vssbench.gate.speed import Timing, judge
from vssbench.results.record import read_result
from vssbench.stats import compare_folders


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    two_runs(tmp_path)
    return tmp_path / "before", tmp_path / "after"


def folder(run: Path) -> Path:
    (found,) = run.glob("*/")
    return found


def test_accuracy_difference_and_p_match_the_leaderboard(runs: tuple[Path, Path]) -> None:
    before, after = runs
    found = vssbench.compare(before, after)
    for metric in ("mIoU", "WIoU"):
        one = found.of(metric)
        expected = compare_folders([folder(after), folder(before)], metric)[0, 1]
        assert (one.effect, one.low, one.high, one.p) == (expected.effect, expected.low, expected.high, expected.p)
    metrics = read_result(folder(after) / "result.json").metrics
    assert metrics is not None
    assert found.of("mIoU").b == metrics["mIoU"]


def test_speed_p_is_twice_the_one_sided_p_of_the_gate_in_either_direction(runs: tuple[Path, Path]) -> None:
    timings = [Timing.of(read_result(folder(run) / "result.json")) for run in runs]
    assert timings[0] is not None
    assert timings[1] is not None
    faster = judge(timings[1], timings[0], "step", 0.0)
    one, back = vssbench.compare(*runs).of("fps(step)"), vssbench.compare(*runs[::-1]).of("fps(step)")
    assert one.p == back.p == 2 * faster.p
    assert one.effect == pytest.approx(25, abs=0.5)
    assert back.effect == pytest.approx(-20, abs=0.5)


def test_cost_differences_are_exact_and_lower_bounds_have_none(tmp_path: Path) -> None:
    two_runs(tmp_path)
    found = vssbench.compare(tmp_path / "before", tmp_path / "after")
    assert found.of("gflops").effect == pytest.approx(-0.02)
    assert (found.of("params").effect, found.of("params").p) == (0, None)
    lacking = {"amortised": 0.1, "uncounted": [{"op": "aten::odd", "calls": 1, "kind": "key"}]}
    two_runs(tmp_path / "bound", gflops=lacking)
    one = vssbench.compare(tmp_path / "bound" / "before", tmp_path / "bound" / "after").of("gflops")
    assert (one.effect, one.a_at_least, one.cells[1]) == (None, True, "≥0.1")
    assert "lower bounds" in (one.reason or "")


def test_compare_accepts_method_folders_and_results_of_different_methods(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    other = method_folder(tmp_path / "third", "mask2former", 0.95, seed=3)
    by_folder = vssbench.compare(folder(runs[0]), other, "mIoU")
    assert [one.method for one in by_folder] == ["mpvss -> mask2former"]
    assert (by_folder.a, by_folder.b) == (f"{folder(runs[0])}, mpvss", f"{other}, mask2former")
    assert by_folder.rows == vssbench.compare(str(folder(runs[0]) / "result.json"), tmp_path / "third", ["mIoU"]).rows
    results = [read_result(one / "result.json") for one in (folder(runs[0]), other)]
    loose = vssbench.compare(*results).of("mIoU")
    assert (loose.effect, loose.p) == (by_folder.of("mIoU").effect, None)
    assert "records" in (loose.reason or "")


def test_p_is_holm_corrected_over_shared_methods_and_unshared_ones_are_named(tmp_path: Path) -> None:
    for number, name in enumerate(("before", "after")):
        for place, method in enumerate(("mpvss", "mrcfa", "tdnet")):
            method_folder(tmp_path / name, method, 0.9 + 0.01 * number * place, seed=number + 10 * place)
    method_folder(tmp_path / "after", "cffm", 0.9)
    found = vssbench.compare(tmp_path / "before", tmp_path / "after", "mIoU")
    plain = {
        method: vssbench.compare(*(next((tmp_path / run).glob(f"{method}-*")) for run in ("before", "after")), "mIoU")
        for method in ("mpvss", "mrcfa", "tdnet")
    }
    smallest = min(one.rows[0].p or 1.0 for one in plain.values())
    assert min(one.p or 1.0 for one in found) == pytest.approx(3 * smallest)
    assert "only in b: cffm" in found.notes
    (said,) = (note for note in found.notes if note.startswith("p of"))
    assert said.startswith("p of mIoU: sign-flip test, paired over the same 12 clips, corrected for 3 methods (Holm);")
    assert str(found).splitlines()[3].split() == ["method", *" ".join(HEADER).split()]
    with pytest.raises(UserError, match="3 differences"):
        found.of("mIoU")
    assert found.of("mIoU", "tdnet").method == "tdnet"


def test_incomparable_runs_and_unknown_figures_are_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = method_folder(tmp_path / "other", "mpvss", 0.9, protocol="mmseg")
    with pytest.raises(NotComparable, match="protocol: exact in a, mmseg in b"):
        vssbench.compare(runs[0], other)
    assert vssbench.compare(runs[0], other, protocol="mmseg").of("mIoU").p is not None
    with pytest.raises(NotComparable, match="clips that count"):
        vssbench.compare(runs[0], method_folder(tmp_path / "fewer", "mpvss", 0.9, clips=11))
    for method in ("a", "b"):
        method_folder(tmp_path / "two", f"mrcfa(backbone={method})", 0.9)
    with pytest.raises(NotComparable, match="no method was measured"):
        vssbench.compare(runs[0], tmp_path / "two")
    with pytest.raises(
        UserError, match=r"holds no <method>.*\n.*\n  fix: name a run in it: after, before, fewer and 2 more"
    ):
        vssbench.compare(runs[0], tmp_path)
    with pytest.raises(UserError, match=r"gflops\(kye\)"):
        vssbench.compare(*runs, figures="gflops(kye)")
    with pytest.raises(UserError, match="there is no figure 'miou'"):
        vssbench.compare(*runs, figures=["mIoU", "miou"])
    assert vssbench.compare(*runs, figures="energy").of("energy").reason == "missing in a and b"


def test_different_hardware_drops_the_speed_difference_but_not_accuracy(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    elsewhere = {**speed(10.0), "environment": {"cpu": "two", "threads": 1}}
    other = method_folder(tmp_path / "elsewhere", "mpvss", 0.9, **elsewhere)
    found = vssbench.compare(runs[0], other)
    assert found.of("fps(step)").effect is None
    assert "different hardware" in (found.of("fps(step)").reason or "")
    assert found.of("mIoU").p is not None
    assert any("cpu: one then, two now" in note for note in found.notes)


def test_text_markdown_latex_and_dataframe_have_the_same_rows(runs: tuple[Path, Path]) -> None:
    found = vssbench.compare(*runs)
    frame = found.to_dataframe()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame["effect"]) == [one.effect for one in found]
    assert len(frame) == len(found) == 5
    text, md, tex = str(found), found.to_markdown(), found.to_latex()
    for one in found:
        for cell in one.cells[1:3]:
            assert cell in text
            assert cell in md
            assert cell in tex
    assert tex.count(r"\begin") == tex.count(r"\end") == 2
    assert all(note in text for note in found.notes)
    assert len(HEADER) == len(found.rows[0].cells)


def test_method_on_two_datasets_has_a_row_for_each_with_its_name(tmp_path: Path) -> None:
    for run in ("before", "after"):
        folder = method_folder(tmp_path / run, "mpvss", 0.9, seed=len(run))
        other = shutil.copytree(folder, folder.with_name("mpvss on another"))
        result = json.loads((other / "result.json").read_text())
        result["dataset"]["spec"] = "camvid(labels=camvid12)"
        (other / "result.json").write_text(json.dumps(result))
    found = vssbench.compare(tmp_path / "before", tmp_path / "after", "mIoU")
    assert str(found).splitlines()[3].split() == ["dataset", *" ".join(HEADER).split()]
    assert [line for line in str(found).splitlines() if line.startswith("camvid(labels=camvid12) val")]
    (said,) = (note for note in found.notes if note.startswith("p of"))
    assert "corrected for 2 comparisons (Holm)" in said
    with pytest.raises(UserError, match=r"mIoU of mpvss on camvid\(labels=camvid12\) val"):
        found.of("mIoU")
    assert found.of("mIoU", dataset="camvid val").dataset == "camvid val"


def test_figure_of_a_method_that_failed_is_missing_with_its_reason(runs: tuple[Path, Path], tmp_path: Path) -> None:
    broken = method_folder(tmp_path / "broken", "mpvss", None, failure="clip 'a': out of luck")
    found = vssbench.compare(runs[0], broken)
    assert found.of("mIoU").reason == "failed: clip 'a': out of luck"
    assert any(note.startswith("no difference in mIoU") and note.endswith("out of luck") for note in found.notes)
