"""The verdicts: what fails, what passes, and what cannot be judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gate.made import CLASSES, result, snapshot, write
from vssbench.errors import UserError
from vssbench.gate.baseline import Snapshot, read_either, read_runs
from vssbench.gate.check import check
from vssbench.gate.rules import Rule, rules_of
from vssbench.gate.speed import Timing
from vssbench.gate.verdict import ALL, Report, Verdict
from vssbench.metrics.cost.latency import SCOPES
from vssbench.results.fold import score
from vssbench.results.read_folder import read_folder

RULES = rules_of({"mIoU": -0.1, "gflops": "+0.5%", "params": "+0%", "memory(host_working)": 5})


def judged(now: Any, before: Any, rules: tuple[Rule, ...] | None = RULES) -> Report:
    return check(snapshot(now), snapshot(before), rules)


def of(report: Report, metric: str) -> Verdict:
    (verdict,) = [verdict for verdict in report.verdicts if verdict.metric == metric]
    return verdict


def test_unchanged_result_passes_every_rule() -> None:
    report = judged(result(), result())
    assert report.counts == {"pass": 4}
    assert report.exit_status == 0
    assert report.notes == ()
    assert all(verdict.change == 0 for verdict in report.verdicts)


@pytest.mark.parametrize(
    ("changes", "metric", "change"),
    [
        ({"wrong": 101}, "mIoU", 100 * (899 / 1101 - 900 / 1100)),
        ({"gflops": {"amortised": 0.8041}}, "gflops", 0.5125),
        ({"params_m": 3.0001}, "params", 0.01 / 3),
        ({"memory_mb": {"host_working": 45.5}}, "memory(host_working)", 5.5),
    ],
)
def test_worse_figure_fails_only_its_own_rule(changes: dict[str, Any], metric: str, change: float) -> None:
    report = judged(result(**changes), result())
    assert [verdict.metric for verdict in report.verdicts if verdict.failed] == [metric]
    assert of(report, metric).change == pytest.approx(change)
    assert report.exit_status == 1
    assert report.verdicts[0].metric == metric  # the worst comes first
    back = of(judged(result(), result(**changes)), metric)
    assert back.status == "improved"


@given(
    st.floats(1e-3, 1e6),
    st.floats(-50, 50).filter(lambda change: abs(change) > 1e-6),
    st.floats(1e-3, 40),
    st.booleans(),
)
def test_figure_fails_exactly_beyond_its_limit(before: float, change: float, limit: float, relative: bool) -> None:
    """GFLOPs: higher is worse."""
    now = before * (1 + change / 100) if relative else before + change
    rule = Rule("gflops", limit, relative)
    report = judged(result(gflops={"amortised": now}), result(gflops={"amortised": before}), (rule,))
    (verdict,) = report.verdicts
    moved = 100 * (now - before) / before if relative else now - before
    if abs(abs(moved) - limit) > 1e-6 * max(limit, before, now):
        assert verdict.status == ("fail" if moved > limit else "improved" if -moved > limit else "pass")
    assert verdict.change == pytest.approx(moved)


def test_change_equal_to_the_limit_passes_and_rounding_is_not_a_change() -> None:
    rule = (Rule("mIoU", -0.1),)
    for before in (65.01, 74.78, 80.44, 99.99):
        at_limit = judged(result(metrics={"mIoU": before - 0.1}), result(metrics={"mIoU": before}), rule)
        assert at_limit.exit_status == 0
    exact = (Rule("params", 0, relative=True),)
    assert judged(result(params_m=3.0000000001), result(), exact).counts == {"pass": 1}


def test_change_from_zero_has_no_percentage() -> None:
    report = judged(result(gflops={"amortised": 0.1}), result(gflops={"amortised": 0.0}))
    assert of(report, "gflops").status == "fail"
    assert report.to_json()["verdicts"][0]["change"] is None
    same = result(gflops={"amortised": 0.0})
    assert of(judged(same, same), "gflops").status == "pass"


@given(st.dictionaries(st.sampled_from(["mIoU", "WIoU"]), st.none() | st.floats(0, 100)), st.none() | st.floats(0, 1e9))
def test_any_results_compared_with_themselves_pass(metrics: dict[str, float | None], gflops: float | None) -> None:
    same = snapshot(result(metrics=metrics, gflops={"amortised": gflops}), result("arseg", metrics=None))
    report = check(same, same)
    assert report.exit_status == 0
    assert set(report.counts) <= {"pass", "absent"}


def timed(frames_ms: float, reference_ms: float = 2.0, rounds: int = 20, cpu: str = "one") -> Snapshot:
    """A method that takes `frames_ms` per frame, give or take a few thousandths, next to the reference workload."""
    blocks = [frames_ms * (1 + 0.001 * (number % 7 - 3)) for number in range(rounds)]
    timing = Timing({"cpu": cpu, "threads": 1}, dict.fromkeys(SCOPES, blocks), [reference_ms] * rounds)
    side = snapshot(result(fps={"step": 1000 / frames_ms}))
    entries = {key: entry.model_copy(update={"timing": timing}) for key, entry in side.entries.items()}
    return Snapshot(entries, {}, "made")


def speed(now: Snapshot, before: Snapshot, limit: str = "-5%") -> tuple[Verdict, int]:
    report = check(now, before, [Rule.read("fps(step)", limit)])
    (verdict,) = report.verdicts
    return verdict, report.exit_status


def test_speed_is_judged_relative_to_the_reference_workload() -> None:
    for now, status, code, change in [
        (timed(20.0), "pass", 0, 0.0),
        (timed(20.8), "pass", 0, -100 * 0.8 / 20.8),
        (timed(22.0), "fail", 1, -100 * 2 / 22),
        (timed(19.6), "pass", 0, 100 * 0.4 / 19.6),
        (timed(18.0), "improved", 0, 100 * 2 / 18),
        (timed(40.0, reference_ms=4.0), "pass", 0, 0.0),  # the machine is half as fast
        (timed(20.0, reference_ms=1.8), "fail", 1, -10.0),  # the machine is faster, and the method is not
    ]:
        verdict, left = speed(now, timed(20.0))
        assert (verdict.status, left) == (status, code)
        assert verdict.change == pytest.approx(change, abs=0.1)
        assert "20 rounds then and 20 now" in str(verdict.why)


def test_speed_that_cannot_be_judged_is_incomparable() -> None:
    other, code = speed(timed(20.0, cpu="two"), timed(20.0))
    assert (other.status, code) == ("incomparable", 3)
    assert "cpu: one then, two now" in str(other.why)
    calibrated, code = speed(timed(20.0, cpu="two"), timed(20.0), "-5% calibrated")
    assert (calibrated.status, code) == ("pass", 0)
    assert "cpu: one then, two now" in str(calibrated.why)
    assert speed(timed(30.0, cpu="two"), timed(20.0), "-5% calibrated")[0].status == "fail"
    few, code = speed(timed(30.0, rounds=3), timed(20.0))
    assert (few.status, code) == ("incomparable", 3)
    assert "rounds" in str(few.why)
    bare, code = speed(snapshot(result(fps={"step": 50.0})), timed(20.0))
    assert (bare.status, code) == ("incomparable", 3)
    assert "in the results" in str(bare.why)


def test_missing_method_fails() -> None:
    report = check(snapshot(result()), snapshot(result(), result("oracle", gflops=None)), RULES)
    missing = [verdict for verdict in report.verdicts if verdict.status == "missing"]
    assert {verdict.method for verdict in missing} == {"oracle"}
    assert len(missing) == len(RULES)
    assert report.exit_status == 1
    elsewhere = check(snapshot(result(dataset={"spec": "camvid"})), snapshot(result()), RULES)
    assert elsewhere.verdicts[0].why == "was not measured; it was on camvid val"


def test_new_method_is_shown_and_does_not_fail() -> None:
    report = check(snapshot(result(), result("arseg")), snapshot(result()), RULES)
    new = [verdict for verdict in report.verdicts if verdict.status == "new"]
    assert {verdict.method for verdict in new} == {"arseg"}
    assert new[0].current == pytest.approx(100 * 900 / 1100)
    assert report.exit_status == 0
    cost_only = check(snapshot(result(), result("arseg", metrics=None)), snapshot(result()), RULES)
    assert {(one.metric, one.status) for one in cost_only.verdicts if one.method == "arseg"} == {
        ("mIoU", "absent"), ("gflops", "new"), ("params", "new"), ("memory(host_working)", "new"),
    }  # fmt: skip


def test_missing_clip_fails() -> None:
    report = judged(result(clips=("a", "c")), result())
    assert report.counts == {"missing": 4}
    assert report.verdicts[0].why == "1 of the 3 clips are missing: b"
    skipped = judged(result(skipped={"b": "no frame has labels"}), result())
    assert skipped.verdicts[0].why == "1 of the 3 clips are missing: b (no frame has labels)"
    assert skipped.exit_status == 1
    six = result(clips="abcdef")
    assert judged(result(), six).verdicts[0].why == "3 of the 6 clips are missing: d, e, f"
    assert judged(result(clips="a"), six).verdicts[0].why == "5 of the 6 clips are missing: b, c, d and 2 more"
    none_left = judged(result(skipped=dict.fromkeys("abc", "too short")), result())
    assert none_left.verdicts[0].why == "3 of the 3 clips are missing: a, b, c (too short)"
    assert none_left.exit_status == 1


def test_missing_figure_fails() -> None:
    without = result(metrics={"mIoU": None}, reasons={"mIoU": "0/0: no labelled pixel"}, gflops=None)
    report = judged(without, result())
    assert {verdict.metric: verdict.why for verdict in report.verdicts if verdict.failed} == {
        "mIoU": "0/0: no labelled pixel",
        "gflops": "has no such figure",
    }
    assert of(judged(result(metrics=None), result()), "mIoU").why == "was measured for cost only"
    narrower = judged(result(metrics={"mIoU": 80.0}), result(), rules_of({"WIoU": -0.1}))
    assert of(narrower, "WIoU").why == "was not scored"
    rules = (*RULES, Rule("fps(step)", -5, relative=True))
    assert of(judged(result(), result(fps={"step": 10.0}), rules), "fps(step)").why == "speed was not measured"


def test_method_that_failed_is_missing_with_its_reason() -> None:
    """With --on-error skip-method."""
    broken = result().model_copy(update={"failure": "clip 'a': out of luck", "metrics": None, "gflops": None})
    report = judged(broken, result())
    assert (of(report, "mIoU").status, of(report, "mIoU").why) == ("missing", "failed: clip 'a': out of luck")
    assert report.exit_status == 1


def test_figure_absent_on_both_sides_is_shown_and_does_not_fail() -> None:
    cost_only = result("replay", gflops=None, params_m=None)
    report = check(snapshot(result(), cost_only), snapshot(result(), cost_only), RULES)
    assert report.counts == {"pass": 6, "absent": 2}
    assert report.exit_status == 0


def test_cost_is_compared_whether_or_not_accuracy_was_measured() -> None:
    """Labels are counted only where they are scored."""
    cost_only = result(metrics=None, dataset={"labelled": 0})
    report = judged(cost_only, result())
    assert {verdict.metric for verdict in report.verdicts if verdict.failed} == {"mIoU"}
    assert report.counts == {"missing": 1, "pass": 3}


def test_rule_that_matches_no_figure_fails_and_lists_the_figures() -> None:
    report = judged(result(), result(), (*RULES, Rule("VC@8", -0.2)))
    assert report.exit_status == 1
    assert (report.verdicts[0].method, report.verdicts[0].metric) == (ALL, "VC@8")
    assert "there are mIoU, WIoU, gflops" in str(report.verdicts[0].why)
    (misspelt,) = check(snapshot(result()), snapshot(result()), [Rule("mIuO", -0.1)]).verdicts
    assert str(misspelt.why).endswith("most like it: mIoU")
    assert report.counts["pass"] == 4  # the others are judged all the same


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"protocol": "vspw"}, "protocol: exact then, vspw now"),
        ({"codec": "h264(gop=12)"}, "codec: none then, h264(gop=12) now"),
        ({"dataset": {"labels": "other"}}, "labels: made then, other now"),
        ({"dataset": {"classes": [*CLASSES[::-1]]}}, "the classes of made have changed"),
        ({"dataset": {"fingerprint": "e" * 64}}, "files of the split: ffffffffffff then, eeeeeeeeeeee now"),
        ({"clips": ("a", "b", "c", "d")}, "clips that count: 3 then, 4 now; frames: 12 then, 16 now"),
        ({"clips": ("x", "y", "z"), "dataset": {"fingerprint": "e" * 64}}, "files of the split"),
        ({"dataset": {"labelled": 11}}, "labelled frames: 12 then, 11 now"),
    ],
)
def test_results_measured_under_different_conditions_are_incomparable(changes: dict[str, Any], part: str) -> None:
    report = judged(result(**changes), result())
    assert report.counts == {"incomparable": 4}
    assert part in str(report.verdicts[0].why)
    assert report.exit_status == 3


def test_regression_outweighs_incomparable_results() -> None:
    now = snapshot(result(wrong=200), result("arseg", codec="h264"))
    report = check(now, snapshot(result(), result("arseg")), RULES)
    assert report.counts == {"fail": 1, "incomparable": 4, "pass": 3}
    assert report.exit_status == 1


def test_changed_weights_and_versions_are_noted_once() -> None:
    changed = [
        result(name, environment={"cpu": "one", "threads": 1, "packages": {"torch": "2.14.0"}}) for name in ("a", "b")
    ]
    changed[0].weights.sha256 = "b" * 64
    report = check(snapshot(*changed), snapshot(result("a"), result("b")), RULES)
    assert report.notes == (
        "weights of a on synthetic val: aaaaaaaaaaaa then, bbbbbbbbbbbb now",
        "torch: 2.13.0 then, 2.14.0 now",
    )
    assert report.exit_status == 0


def test_without_rules_the_default_rules_that_have_figures_apply() -> None:
    report = judged(result(), result(), None)
    assert [rule.metric for rule in report.rules] == ["mIoU", "WIoU", "gflops", "params"]
    assert report.notes == ("no rules given: the default ones; no result has VC@8, VC@16, fps(step)",)
    bare = result(metrics=None, gflops=None, params_m=None)
    with pytest.raises(UserError, match="none of the default rules"):
        judged(bare, bare, None)


def test_run_folders_are_also_compared_over_clips(tmp_path: Path) -> None:
    before = write(tmp_path / "before", (result(), 100), (result("arseg"), 100))
    dearer = result("arseg", gflops={"amortised": 0.802})
    now = write(tmp_path / "now", (result(wrong=150), 150), (dearer, 100))
    report = check(read_runs([now]), read_either(before), RULES)
    assert {one.method for one in report.verdicts if one.paired is not None} == {"mpvss"}
    found = {verdict.method: verdict.paired for verdict in report.verdicts if verdict.metric == "mIoU"}
    assert found["arseg"] is None  # nothing changed
    assert found["mpvss"] is not None
    assert found["mpvss"].effect == report.verdicts[0].change == pytest.approx(100 * (850 / 1150 - 900 / 1100))
    assert found["mpvss"].reason == "3 clips: an interval over clips needs 10"
    assert report.to_json()["verdicts"][0]["paired"]["p"] == 0.25  # two of the eight swaps


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"failure": "out of luck"}, "failed: out of luck"), ({}, "was measured for cost only")],
)
def test_accuracy_missing_from_a_run_is_missing_and_not_incomparable(
    changes: dict[str, str], why: str, tmp_path: Path
) -> None:
    before = write(tmp_path / "before", (result(), 100))
    now = write(tmp_path / "now", (result(metrics=None, resolved=None, **changes), 100))
    (next(now.iterdir()) / "clips.jsonl").unlink()
    report = check(read_runs([now]), read_either(before), RULES)
    assert (of(report, "mIoU").status, of(report, "mIoU").why) == ("missing", why)
    assert report.exit_status == 1
    assert not [note for note in report.notes if "defaults written out" in note]
    later = check(read_runs([before]), read_either(now), RULES)
    assert (of(later, "mIoU").status, later.exit_status) == ("new", 0)


def slowest(p99: float, **changes: Any) -> Any:
    return result(latency_ms={"all": {"end_to_end": {"p99": p99}}}, **changes)


@pytest.mark.parametrize(("now", "status"), [(10.9, "pass"), (11.1, "fail"), (8.9, "improved")])
def test_any_figure_can_have_a_rule(now: float, status: str) -> None:
    report = judged(slowest(now), slowest(10.0), rules_of({"latency(p99,end_to_end)": "+10%"}))
    assert of(report, "latency(p99,end_to_end)").status == status
    assert of(report, "latency(p99,end_to_end)").protocol is None


def test_latency_is_compared_only_on_the_same_machine() -> None:
    rules = rules_of({"latency(p99,end_to_end)": "+10%", "memory(host_working)": "+10%"})
    report = judged(slowest(99.0, environment={"cpu": "two"}), slowest(10.0), rules)
    assert of(report, "memory(host_working)").status == "pass"
    verdict = of(report, "latency(p99,end_to_end)")
    assert verdict.status == "incomparable"
    assert "measured on different hardware (cpu: one then, two now" in str(verdict.why)


def test_iou_of_a_class_can_have_a_rule_but_has_no_interval(tmp_path: Path) -> None:
    sides = {
        name: write(tmp_path / name, (result(wrong=wrong, per_class={"road": value, "car": None}), wrong))
        for name, wrong, value in (("before", 100, 80.0), ("now", 150, 70.0))
    }
    report = check(read_runs([sides["now"]]), read_either(sides["before"]), rules_of({"IoU(class=road)": -1}))
    (verdict,) = report.verdicts
    assert (verdict.status, verdict.change, verdict.protocol, verdict.paired) == ("fail", -10.0, "exact", None)


def test_figure_missing_from_an_older_baseline_is_new() -> None:
    report = judged(slowest(10.0), result(), rules_of({"latency(p99,end_to_end)": "+10%"}))
    assert of(report, "latency(p99,end_to_end)").status == "new"
    assert report.exit_status == 0


def test_comparing_a_run_with_itself_is_noted(tmp_path: Path) -> None:
    run = write(tmp_path / "run", (result(), 100))
    copy = write(tmp_path / "copy", (result(), 100))
    assert check(read_runs([copy]), read_either(run), RULES).notes == ()
    (note,) = check(read_runs([copy / ".." / "run"]), read_either(run), RULES).notes
    assert note == "the results are compared with themselves: the baseline is the same folder"


def test_different_ground_truth_under_the_same_names_is_incomparable(tmp_path: Path) -> None:
    before, now = (write(tmp_path / name, (result(wrong=wrong), wrong)) for name, wrong in (("a", 100), ("b", 120)))
    (file,) = now.glob("*/clips.jsonl")
    file.write_text(file.read_text().replace("[880,120,120,880]", "[980,120,120,880]"))
    kept = read_folder(file.parent)
    score(kept.result, kept.clips(), ["mIoU", "WIoU"])  # the result of those records
    (file.parent / "result.json").write_text(kept.result.to_json())
    report = check(read_runs([now]), read_either(before), RULES)
    assert report.exit_status == 3
    assert "different ground truth" in str(report.verdicts[0].why)


def test_method_with_explicit_defaults_is_the_same_method() -> None:
    short = result("hold(of=oracle)", resolved="hold(key_interval=5,of=oracle,offset=0)")
    full = result("hold(key_interval=5,of=oracle)", resolved="hold(key_interval=5,of=oracle,offset=0)")
    report = check(snapshot(full), snapshot(short), RULES)
    assert {verdict.status for verdict in report.verdicts} == {"pass"}
    assert {verdict.method for verdict in report.verdicts} == {"hold(key_interval=5,of=oracle)"}
    assert any("hold(of=oracle) is now called hold(key_interval=5,of=oracle)" in note for note in report.notes)
    other = result("hold(key_interval=2,of=oracle)", resolved="hold(key_interval=2,of=oracle,offset=0)")
    assert {verdict.status for verdict in check(snapshot(other), snapshot(short), RULES).verdicts} == {"missing", "new"}


def test_datasets_with_different_file_contents_are_incomparable() -> None:
    then, now = (result(dataset={"files": digest}) for digest in ("a" * 16, "b" * 16))
    report = check(snapshot(now), snapshot(then), RULES)
    assert {verdict.status for verdict in report.verdicts} == {"incomparable"}
    assert "contents of the files" in str(report.verdicts[0].why)
    unknown = result()
    assert {verdict.status for verdict in check(snapshot(now), snapshot(unknown), RULES).verdicts} == {"pass"}


def test_result_that_does_not_follow_from_its_records_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", (result(wrong=120), 100))
    with pytest.raises(UserError, match=r"result.json: mIoU is .*, but .* follows from the records") as caught:
        read_runs([folder])
    assert "vssbench verify" in str(caught.value)


def test_memory_measured_alone_and_together_are_incomparable() -> None:
    rules = rules_of({"memory(host_peak)": "+10%"})
    alone = result(memory_measured="alone")
    assert of(judged(alone, alone, rules), "memory(host_peak)").status == "pass"
    assert of(judged(result(), result(memory_measured="together"), rules), "memory(host_peak)").status == "pass"
    for now, before in ((alone, result()), (result(memory_measured="together"), alone)):
        verdict = of(judged(now, before, rules), "memory(host_peak)")
        assert verdict.status == "incomparable"
        assert "in a process of its own" in str(verdict.why)


def streamed(miou: float, assumed: bool, spent: float = 40.0, cpu: str = "one", **changes: Any) -> Any:
    entry = {
        "fps": 30.0, "take": "newest", "assumed": assumed, "latency_ms": {"key": spent}, "metrics": {"mIoU": miou},
        "reasons": {}, "frames": 12, "taken": 9, "dropped": 3, "before_first": 1,
        "age_ms": {"mean": 66.7, "p99": 100.0}, "missed": 20.0,
    }  # fmt: skip
    return result(streaming=[{**entry, **changes}], environment={"cpu": cpu})


STREAM_RULES = rules_of({"sIoU(fps=30)": -0.5, "missed(fps=30)": 1})


@pytest.mark.parametrize(("miou", "status"), [(59.6, "pass"), (59.4, "fail"), (60.6, "improved")])
def test_streaming_figures_can_have_rules(miou: float, status: str) -> None:
    for assumed in (True, False):
        report = judged(streamed(miou, assumed), streamed(60.0, assumed), STREAM_RULES)
        assert of(report, "sIoU(fps=30)").status == status


def test_only_streams_with_assumed_latencies_are_compared_across_machines() -> None:
    report = judged(streamed(60.0, True, cpu="two"), streamed(60.0, True), STREAM_RULES)
    assert of(report, "sIoU(fps=30)").status == "pass"
    assert "different hardware" in str(of(report, "missed(fps=30)").why)  # of timed frames, even with assumed latencies
    report = judged(streamed(60.0, False, cpu="two"), streamed(60.0, False), STREAM_RULES)
    assert of(report, "sIoU(fps=30)").status == "incomparable"
    assert "different hardware (cpu: one then, two now" in str(of(report, "sIoU(fps=30)").why)


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (streamed(60.0, False), "times per frame were assumed then, and are measured now"),
        (streamed(60.0, True, spent=20.0), r"ms per frame: {'key': 40.0} then, {'key': 20.0} now"),
        (streamed(60.0, True, take="every"), "frames taken: newest then, every now"),
    ],
)
def test_streams_with_different_assumptions_are_incomparable(now: Any, why: str) -> None:
    verdict = of(judged(now, streamed(60.0, True), STREAM_RULES), "sIoU(fps=30)")
    assert verdict.status == "incomparable"
    assert why in str(verdict.why)
