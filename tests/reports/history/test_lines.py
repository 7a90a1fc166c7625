"""Real changes in a history: exactly the planted ones, whatever the noise around them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.reports.history.made import measured
from tests.reports.made import method_folder
from vssbench.errors import UserError
from vssbench.gate.rules import DEFAULT, Rule, rules_of
from vssbench.reports.history.lines import History, Line, history
from vssbench.reports.history.runs import read
from vssbench.reports.history.text import real

RULES = rules_of(DEFAULT)
ABACUS = {"cpu": "abacus", "threads": 1, "device": "cpu"}


def day(
    place: Path, number: int, right: float, method: str = "mpvss", clips: int = 12, seed: int | None = None, **changes
) -> Path:
    """A run of that day with a chosen share of right pixels; which pixels are wrong changes every day."""
    run = place / f"night-{number:02}"
    given = {"started": f"2026-05-{number:02}T01:00:00+00:00", "environment": ABACUS, **changes}
    method_folder(run, method, right, clips, seed=number if seed is None else seed, **given)
    return run


def timed(step_ms: float) -> dict[str, object]:
    """A latency pass of six rounds, no two alike, next to a reference workload of one millisecond."""
    rounds = [number for number in range(6) for _ in range(4)]
    times = [step_ms * (1 + number / 1000) for number in range(len(rounds))]
    zeros = [0.01] * len(rounds)
    samples: dict[str, object] = {"round": rounds, "kind": ["key"] * len(rounds)}
    for phase, column in (("prepare", zeros), ("step", times), ("decode", zeros)):
        samples |= {phase: column, f"{phase}_own": column}
    fps = {"step": 1000 / step_ms, "step+decode": 1000 / step_ms, "end_to_end": 1000 / step_ms}
    return {"samples_ms": samples, "reference_ms": [1.0] * 6, "fps": fps}


def found(place: Path, rules: tuple[Rule, ...] = RULES) -> History:
    return history(read([place]), rules)


def marked(of: History) -> dict[str, list[str]]:
    """Figure -> the runs at which it changed."""
    changes: dict[str, list[str]] = {}
    for line, step in real(of):
        assert step.after.folder is not None
        changes.setdefault(line.rule.metric, []).append(step.after.folder.parent.name)
    return changes


def line(of: History, metric: str) -> Line:
    (only,) = [one for one in of.lines if one.rule.metric == metric]
    return only


@pytest.mark.slow
def test_planted_change_among_ten_real_runs_is_marked_only_at_its_run(tmp_path: Path) -> None:
    for number in range(1, 11):
        measured(tmp_path, number, key_interval=5 if number < 6 else 7)
    of = found(tmp_path)
    assert marked(of) == {"mIoU": ["run-06"], "WIoU": ["run-06"]}
    assert len(line(of, "mIoU").points) == 10
    assert all(step.verdict.paired for step in line(of, "mIoU").steps)  # every run differed a little


@pytest.mark.parametrize("planted", [2, 6, 10])
def test_accuracy_drop_is_marked_at_its_first_run(tmp_path: Path, planted: int) -> None:
    for number in range(1, 11):
        day(tmp_path, number, 0.90 if number < planted else 0.86)
    assert marked(found(tmp_path)) == {"mIoU": [f"night-{planted:02}"], "WIoU": [f"night-{planted:02}"]}


def test_history_is_ordered_by_date_and_excludes_undated_runs(tmp_path: Path) -> None:
    for number, right in ((3, 0.7), (1, 0.9), (2, 0.9)):
        day(tmp_path, number, right)
    undated = day(tmp_path, 4, 0.5, started=None)
    of = found(tmp_path)
    assert [when.day for when, _, _ in line(of, "mIoU").points] == [1, 2, 3]
    assert marked(of)["mIoU"] == ["night-03"]
    assert [row.folder.parent for row in of.undated if row.folder] == [undated]


def test_change_over_three_clips_is_not_marked_and_says_why(tmp_path: Path) -> None:
    day(tmp_path, 1, 0.9, clips=3)
    day(tmp_path, 2, 0.5, clips=3)
    of = found(tmp_path)
    assert marked(of) == {}
    (step,) = line(of, "mIoU").steps
    assert step.beyond
    assert "with so few clips it cannot be below 0.25" in step.why


def test_incomparable_runs_break_the_history_line(tmp_path: Path) -> None:
    day(tmp_path, 1, 0.9)
    day(tmp_path, 2, 0.5, clips=20)
    day(tmp_path, 3, 0.9, clips=20)
    of = found(tmp_path)
    assert marked(of)["mIoU"] == ["night-03"]
    assert [len(piece) for piece in line(of, "mIoU").pieces] == [1, 2]
    assert "clips that count: 12 then, 20 now" in line(of, "mIoU").steps[0].why


def test_compressed_and_uncompressed_video_have_separate_lines(tmp_path: Path) -> None:
    for number in range(1, 5):
        day(tmp_path, number, 0.9 if number % 2 else 0.5, codec=None if number % 2 else "h264(gop=12)")
    of = found(tmp_path)
    assert marked(of) == {}
    lines = [one for one in of.lines if one.rule.metric == "mIoU"]
    assert [(one.place.codec, len(one.points)) for one in lines] == [("", 2), ("h264(gop=12)", 2)]


@pytest.mark.parametrize(("key", "other"), [("spec", "cityscapes"), ("split", "test")])
def test_datasets_and_their_splits_have_separate_lines(tmp_path: Path, key: str, other: str) -> None:
    for number in range(1, 5):
        file = next(day(tmp_path, number, 0.9 if number % 2 else 0.5).glob("*/result.json"))
        data = json.loads(file.read_text())
        data["dataset"][key] = data["dataset"][key] if number % 2 else other
        file.write_text(json.dumps(data))
    of = found(tmp_path)
    assert marked(of) == {}
    lines = {
        one.place.dataset: [when.day for when, _, _ in one.points] for one in of.lines if one.rule.metric == "mIoU"
    }
    assert lines == {"camvid val": [1, 3], f"{other} val" if key == "spec" else f"camvid {other}": [2, 4]}


def test_runs_without_clip_records_have_no_significance_test(tmp_path: Path) -> None:
    for number, right in ((1, 0.9), (2, 0.5)):
        next(day(tmp_path, number, right).glob("*/clips.jsonl")).unlink()
    of = found(tmp_path)
    assert marked(of) == {}
    assert "clips.jsonl" in line(of, "mIoU").steps[0].why


def test_result_that_contradicts_its_records_is_refused(tmp_path: Path) -> None:
    day(tmp_path, 1, 0.9)
    other = day(tmp_path, 2, 0.9)
    file = next(other.glob("*/result.json"))
    file.write_text(file.read_text().replace('"mIoU": 8', '"mIoU": 9', 1))
    with pytest.raises(UserError, match="follows from the records"):
        found(tmp_path)


def test_speed_is_judged_separately_per_machine(tmp_path: Path) -> None:
    """Runs on the slower machine in between are not a change; the 30 % slower step on the same machine is."""
    there = {"cpu": "calculator", "threads": 1, "device": "cpu"}
    for number, ms in enumerate((10.0, 10.1, 30.0, 10.0, 30.1, 13.0), 1):
        day(tmp_path, number, 0.9, seed=0, environment=there if ms >= 30 else ABACUS, **timed(ms))
    of = found(tmp_path)
    assert marked(of) == {"fps(step)": ["night-06"]}
    machines = {one.machine: len(one.points) for one in of.lines if one.rule.metric == "fps(step)"}
    assert machines == {"abacus, threads: 1": 4, "calculator, threads: 1": 2}
    assert [one.machine for one in of.lines if one.rule.metric == "mIoU"] == [None]


def test_counted_costs_are_marked_without_a_test_and_memory_is_not(tmp_path: Path) -> None:
    for number, gmac, mb in ((1, 2.0, 100.0), (2, 2.0, 300.0), (3, 3.0, 300.0)):
        costs = {"gflops": {"amortised": gmac}, "memory_mb": {"host_peak": mb}}
        day(tmp_path, number, 0.9, seed=0, **costs)
    of = found(tmp_path, rules_of({"gflops": "+0%", "memory(host_peak)": "+10%"}))
    assert marked(of) == {"gflops": ["night-03"]}
    step = line(of, "memory(host_peak)").steps[0]
    assert (step.beyond, step.real, step.why) == (True, False, "the gate has no test for this figure")


def test_methods_have_separate_history_lines(tmp_path: Path) -> None:
    for number in (1, 2):
        day(tmp_path, number, 0.9, seed=0)
        day(tmp_path, number, 0.6, "arseg", seed=1)
    of = found(tmp_path)
    assert [(one.method, len(one.points)) for one in of.lines if one.rule.metric == "mIoU"] == [
        ("arseg", 2),
        ("mpvss", 2),
    ]
    assert marked(of) == {}
