"""Whole runs on small synthetic video: resume equals fresh, workers equal one process, nothing measured is lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.class_zero import ClassZero
from tests.helpers.faults import Crash, FaultyOs
from tests.helpers.timeless import numbers
from vssbench import methods, registry
from vssbench.bench import clip as runner
from vssbench.bench import run as whole_run
from vssbench.bench.spec import LatencySpec, RunSpec
from vssbench.errors import UserError
from vssbench.files import atomic
from vssbench.metrics.accuracy.protocols import PROTOCOLS
from vssbench.progress import Progress
from vssbench.registry import Entry
from vssbench.reports import read_runs
from vssbench.results.record import RunResult, read_result
from vssbench.specs import parse
from vssbench.types import Frame, Weights

SMALL = "synthetic(clips=3,frames=20,height=32,width=48)"
FAST = LatencySpec(frames=6, rounds=2, warmup=1)


def run(folder: Path, resume: bool = False, **changes: Any) -> list[RunResult]:
    spec = RunSpec(**{"methods": ["hold(key_interval=4,of=oracle)"], "dataset": SMALL, "latency": FAST, **changes})
    return whole_run.run(spec, [parse(method) for method in spec.methods], folder, resume, Progress())


class Broken(ClassZero):
    """Fails on the second clip while `Broken.fails`."""

    name, fails = "broken", True

    def prepare(self, frame: Frame) -> Frame:
        if Broken.fails and frame.clip.endswith("1"):
            raise RuntimeError("out of luck")
        return frame


class Untrained(Broken):
    name, weights = "untrained", Weights("untrained")

    def prepare(self, frame: Frame) -> Frame:
        return frame


class Hungry(Untrained):
    needs = frozenset({"lidar"})


@pytest.fixture
def own_methods(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Register the classes above as methods."""
    for name in ("Broken", "Untrained", "Hungry"):
        monkeypatch.setitem(methods.BUILTIN, name.lower(), Entry(f"{__name__}:{name}"))
    monkeypatch.setattr(Broken, "fails", True)
    registry.entries.cache_clear()
    yield
    registry.entries.cache_clear()


def test_run_writes_the_result_it_returns(tmp_path: Path) -> None:
    (result,) = run(tmp_path / "run")
    assert result.metrics is not None
    assert 0 < result.metrics["mIoU"] < 100
    assert result.kinds == {"key": 15, "nonkey": 45, "warmup": None}
    assert [row["distance"] for row in result.by_distance] == [0, 1, 2, 3]
    assert result.by_distance[0]["mIoU"] == 100
    assert (result.dataset.clips, result.dataset.frames, result.dataset.labelled) == (3, 60, 60)
    assert result.fps["end_to_end"] < result.fps["step"]
    assert result.resolved == "hold(key_interval=4,of=oracle,offset=0)"
    (file,) = (tmp_path / "run").glob("*/result.json")
    assert read_result(file) == result


def test_resume_after_any_clip_equals_a_fresh_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (fresh,) = run(tmp_path / "fresh")
    for stop_after in range(3):
        folder = tmp_path / str(stop_after)
        done = 0
        whole = runner.run_clip

        def interrupted(*args: Any, stop_after: int = stop_after, whole: Any = whole) -> Any:
            nonlocal done
            if done == stop_after:
                raise KeyboardInterrupt
            done += 1
            return whole(*args)

        monkeypatch.setattr("vssbench.bench.session.run_clip", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(folder)
        monkeypatch.setattr("vssbench.bench.session.run_clip", whole)
        (resumed,) = run(folder, resume=True)
        assert numbers(resumed) == numbers(fresh)


def test_finished_clips_are_not_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path / "run", limit=2)
    clips: list[str] = []
    whole = runner.run_clip
    monkeypatch.setattr(
        "vssbench.bench.session.run_clip", lambda method, clip, *rest: clips.append(clip) or whole(method, clip, *rest)
    )
    (result,) = run(tmp_path / "run", resume=True)
    assert len(clips) == 1
    assert numbers(result) == numbers(run(tmp_path / "fresh")[0])


def test_two_workers_give_the_numbers_of_one(tmp_path: Path) -> None:
    (one,) = run(tmp_path / "one")
    (two,) = run(tmp_path / "two", workers=2, threads=1)
    assert numbers(one) == numbers(two)


def test_every_protocol_can_be_computed_from_a_finished_run(tmp_path: Path) -> None:
    run(tmp_path / "run")
    for protocol in PROTOCOLS:
        (asked,) = run(tmp_path / protocol, protocol=protocol)
        (row,) = read_runs.read([tmp_path / "run"], protocol, uncertainty=False)
        read = row.result
        assert read is not None
        assert (read.metrics, read.reasons, read.per_class) == (asked.metrics, asked.reasons, asked.per_class)


def test_missing_clip_record_is_one_error_message(tmp_path: Path) -> None:
    run(tmp_path / "run")
    (file,) = (tmp_path / "run").glob("*/clips.jsonl")
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(UserError, match="1 of 3 clips have no record") as caught:
        read_runs.read([tmp_path / "run"], "vspw")
    assert caught.value.where == file


def test_result_without_accuracy_stays_in_the_group_of_the_others(tmp_path: Path, own_methods: None) -> None:
    run(tmp_path / "run", methods=["oracle", "untrained"])
    assert {row.group.protocol for row in read_runs.read([tmp_path / "run"], "vspw")} == {"vspw"}


def test_resume_after_a_kill_at_every_write_fsync_and_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (fresh,) = run(tmp_path / "fresh")
    counter = FaultyOs(0, Crash())
    monkeypatch.setattr(atomic, "os", counter)
    run(tmp_path / "counted")
    assert counter.calls >= 22
    for number in range(1, counter.calls + 1):
        monkeypatch.setattr(atomic, "os", FaultyOs(number, Crash()))
        with pytest.raises(Crash):
            run(tmp_path / str(number))
        monkeypatch.setattr(atomic, "os", os)
        (resumed,) = run(tmp_path / str(number), resume=True)
        assert numbers(resumed) == numbers(fresh)


@pytest.mark.usefixtures("own_methods")
def test_failing_method_loses_only_the_failed_clip(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="out of luck") as caught:
        run(tmp_path / "run", methods=["oracle", "broken"])
    assert "val_0001" in str(caught.value)
    Broken.fails = False
    oracle, broken = run(tmp_path / "run", resume=True, methods=["oracle", "broken"])
    assert oracle.metrics["mIoU"] == 100
    assert broken.dataset.labelled == 60


@pytest.mark.usefixtures("own_methods")
def test_the_others_are_measured_when_the_first_method_fails(tmp_path: Path) -> None:
    broken, other = run(tmp_path, methods=["broken", "oracle"], on_error="skip-method")
    assert "out of luck" in str(broken.failure)
    assert other.metrics == run(tmp_path / "alone", methods=["oracle"])[0].metrics


@pytest.mark.usefixtures("own_methods")
def test_without_weights_only_cost_is_measured(tmp_path: Path) -> None:
    (refused,) = run(tmp_path / "refused", methods=["untrained"])
    assert refused.metrics is None
    assert refused.fps is not None
    assert any("--checkpoint untrained=PATH" in caveat for caveat in refused.caveats)
    (allowed,) = run(tmp_path / "allowed", methods=["untrained"], allow_untrained=True)
    assert allowed.metrics["mIoU"] is not None
    assert any(caveat.startswith("untrained") for caveat in allowed.caveats)


@pytest.mark.parametrize("device", ["meta", "cuda:99", "nothing"])
def test_unusable_device_is_refused(device: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"--device {device} cannot be used"):
        run(tmp_path / "run", device=device)
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("own_methods")
def test_method_with_unmet_needs_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs lidar"):
        run(tmp_path / "run", methods=["oracle", "hungry"])
    assert not (tmp_path / "run").exists()


def test_resume_with_a_different_dataset_is_refused(tmp_path: Path) -> None:
    run(tmp_path / "run")
    with pytest.raises(UserError, match="measured under other conditions"):
        run(tmp_path / "run", resume=True, dataset="synthetic(clips=3,frames=20,height=32,width=48,seed=1)")
