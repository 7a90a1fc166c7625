"""Whole streaming runs: resume equals fresh, workers equal one process, and all figures follow from the records."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.bench.test_run import FAST, SMALL
from tests.helpers.paths import ROOT
from tests.helpers.timeless import numbers
from vssbench.bench import run as whole_run
from vssbench.bench.spec import FrameKind, RunSpec, load_spec, with_latency_off
from vssbench.errors import UserError
from vssbench.progress import Progress
from vssbench.results.figures import figure, figures
from vssbench.results.record import RunResult, read_result
from vssbench.results.run_folder import slug
from vssbench.results.streaming import FILE
from vssbench.results.verify import verify
from vssbench.specs import parse
from vssbench.types import KINDS

HOLD = "hold(key_interval=4,of=oracle)"
ASSUMED = {"fps": [10, 50], "assume": {HOLD: {"key": 90, "nonkey": 15}}}


def run(folder: Path, resume: bool = False, **changes: Any) -> list[RunResult]:
    spec = RunSpec(**{"methods": [HOLD], "dataset": SMALL, "latency": FAST, "stream": ASSUMED, **changes})
    return whole_run.run(spec, [parse(method) for method in spec.methods], folder, resume, Progress())


def test_result_reports_streaming_figures(tmp_path: Path) -> None:
    (result,) = run(tmp_path / "run")
    slow, fast = result.streaming
    assert (slow["fps"], slow["take"], slow["assumed"]) == (10, "newest", True)
    assert slow["latency_ms"] == {"key": 90, "nonkey": 15}
    assert (slow["taken"], slow["dropped"], slow["frames"], slow["before_first"]) == (
        60,
        0,
        60,
        3,
    )  # each frame is shown one period late
    assert slow["age_ms"] == {"mean": 100, "p99": 100}
    assert fast["taken"] < 60
    assert 0 <= fast["frames"] - fast["taken"] - fast["dropped"] <= 3  # at most the last frame of each of three clips
    assert 0 < fast["metrics"]["mIoU"] < slow["metrics"]["mIoU"] < 100
    named = {one.figure.name: one.value for one in figures(result)}
    assert named["sIoU(fps=50)"] == fast["metrics"]["mIoU"]
    assert named["age(fps=10)"] == 100
    assert named["dropped(fps=50)"] == pytest.approx(100 * fast["dropped"] / 60)
    assert figure("sIoU( fps=50 )").name == "sIoU(fps=50)"


def test_resume_and_workers_do_not_change_streaming_figures(tmp_path: Path) -> None:
    (fresh,) = run(tmp_path / "fresh")
    (spread,) = run(tmp_path / "spread", workers=2)
    assert numbers(spread)["streaming"] == numbers(fresh)["streaming"]
    folder = tmp_path / "fresh" / slug(HOLD)
    lines = (folder / FILE).read_bytes().splitlines(keepends=True)
    (folder / FILE).write_bytes(b"".join(lines[:2]) + lines[2][:40])  # killed while writing the third of six lines
    (again,) = run(tmp_path / "fresh", resume=True)
    assert again.streaming == fresh.streaming
    assert sorted((folder / FILE).read_bytes().splitlines(keepends=True)) == sorted(lines)


def test_resume_with_different_latencies_streams_again(tmp_path: Path) -> None:
    run(tmp_path / "run")
    (result,) = run(tmp_path / "run", resume=True, stream={"fps": [10], "assume": {"hold": {"key": 400, "nonkey": 0}}})
    (only,) = result.streaming
    assert only["latency_ms"] == {"key": 400, "nonkey": 0}
    (fresh,) = run(tmp_path / "fresh", stream={"fps": [10], "assume": {"hold": {"key": 400, "nonkey": 0}}})
    assert fresh.streaming == result.streaming
    assert not verify(tmp_path / "run" / slug(HOLD)).differences


def test_records_of_earlier_streams_are_kept_for_a_later_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = run(tmp_path)
    file = tmp_path / slug(HOLD) / FILE
    earlier = file.read_bytes()
    (other,) = run(tmp_path, resume=True, stream={**ASSUMED, "fps": [30]})
    assert [entry["fps"] for entry in other.streaming] == [30]
    both = file.read_bytes()
    assert both.startswith(earlier)
    assert len(both.splitlines()) == 6 + 3  # clips times rates
    monkeypatch.setattr("vssbench.bench.session.run_stream", lambda *_: pytest.fail("streamed twice"))
    (again,) = run(tmp_path, resume=True)
    assert again.streaming == first.streaming
    assert file.read_bytes() == both


def test_verify_reports_changed_streaming_figures_and_missing_records(tmp_path: Path) -> None:
    run(tmp_path / "run")
    folder = tmp_path / "run" / slug(HOLD)
    assert not verify(folder).differences
    data = json.loads((folder / "result.json").read_text())
    data["streaming"][1]["metrics"]["mIoU"] += 1
    (folder / "result.json").write_text(json.dumps(data))
    assert any("streaming[1].metrics.mIoU" in line for line in verify(folder).differences)
    (folder / FILE).unlink()
    assert any("are missing" in line for line in verify(folder).differences)


def test_stream_latencies_come_from_the_latency_pass_or_another_run(tmp_path: Path) -> None:
    (own,) = run(tmp_path / "own", stream=[25])
    (rate,) = own.streaming
    assert rate["assumed"] is False
    kinds = (own.latency_ms or {})["key"], (own.latency_ms or {})["nonkey"]
    expected = [round(1e3 * kind["end_to_end"]["p50"]) / 1e3 for kind in kinds]
    assert [rate["latency_ms"][kind] for kind in ("key", "nonkey")] == expected
    (lent,) = run(
        tmp_path / "lent",
        stream={"fps": [25], "latency_from": str(tmp_path / "own")},
        latency=FAST.model_copy(update={"enabled": False}),
    )
    assert lent.streaming[0]["latency_ms"] == rate["latency_ms"]
    assert lent.streaming[0]["missed"] is None
    assert lent.streaming[0]["metrics"] == rate["metrics"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stream": {"fps": [10], "assume": {"oracle(x=1)": {"key": 1}}}}, "which is not run"),
        ({"stream": {"fps": [10], "assume": {"mpvss": {"key": 1}}}}, "which is not run"),
        ({"stream": {"fps": [0]}}, "greater than 0"),
        ({"stream": {"fps": []}}, "at least 1 item"),
        ({"stream": {"fps": [10], "latency_from": "nowhere"}}, "has no times of hold"),
        ({"stream": [10], "distances": [0, 1]}, "no fixed distances"),
    ],
)
def test_invalid_stream_settings_are_refused_before_measuring(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises((UserError, ValueError), match=message):
        run(tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_stream_without_any_latencies_is_refused(tmp_path: Path) -> None:
    spec = with_latency_off(RunSpec(methods=[HOLD], dataset=SMALL, stream=[10]))
    with pytest.raises(UserError, match="not known without a latency pass"):
        whole_run.run(spec, [parse(HOLD)], tmp_path / "run", False, Progress())


def test_stream_flag_overrides_only_the_rates_of_the_run_file(tmp_path: Path) -> None:
    file = tmp_path / "bench.yaml"
    file.write_text(f'methods: ["{HOLD}"]\nstream:\n  fps: [10]\n  assume: {{"{HOLD}": {{key: 90, nonkey: 15}}}}\n')
    stream = load_spec(file, {"stream": [30.0]}).stream
    assert stream is not None
    assert stream.fps == [30]
    assert stream.assume == {HOLD: {"key": 90, "nonkey": 15}}
    file.write_text("stream:\n  fps: [10]\n  latenzy: p90\n")
    with pytest.raises(UserError, match=r"bench.yaml:3:3.*latenzy"):
        load_spec(file, {})


def test_example_in_streaming_docs_is_a_valid_run_file(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "streaming.md").read_text(), re.DOTALL)
    (tmp_path / "bench.yaml").write_text(block)
    stream = load_spec(tmp_path / "bench.yaml", {}).stream
    assert stream is not None
    assert (stream.fps, stream.latency, stream.assume) == ([10, 15, 30], "p90", {"mpvss": {"key": 120, "nonkey": 25}})


def test_streaming_result_survives_write_and_read(tmp_path: Path) -> None:
    (result,) = run(tmp_path / "run")
    assert read_result(tmp_path / "run" / slug(HOLD) / "result.json") == result


def test_frame_kinds_of_run_files_match_the_types() -> None:
    assert get_args(FrameKind) == KINDS
