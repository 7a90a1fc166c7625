"""Sweeps over arguments of methods and of the dataset: what is run; several datasets are one run per dataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.timeless import numbers
from vssbench import methods as known
from vssbench import registry
from vssbench.bench import clip
from vssbench.bench.run import run
from vssbench.bench.spec import LatencySpec, RunSpec
from vssbench.bench.sweep import Expanded, expand
from vssbench.cli.run import by_dataset
from vssbench.errors import UserError
from vssbench.progress import Progress
from vssbench.registry import Entry
from vssbench.reports import read_runs
from vssbench.results.record import RunResult
from vssbench.specs import parse

SMALL = "synthetic(clips=2,frames=12,height=32,width=48)"
BOTH: dict[str, list[Any]] = {"key_interval": [2, 3], "motion": ["slow", "fast"]}


class Seeded:
    """A method with an argument that the synthetic dataset also has."""

    def __init__(self, seed: int = 0): ...


@pytest.fixture
def seeded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Register the class above as a method."""
    monkeypatch.setitem(known.BUILTIN, "seeded", Entry(f"{__name__}:Seeded"))
    registry.entries.cache_clear()
    yield
    registry.entries.cache_clear()


def expanded(methods: list[str], sweep: dict[str, list[Any]], dataset: str = SMALL) -> Expanded:
    return expand([parse(method) for method in methods], parse(dataset), sweep)


def measured(folder: Path, sweep: dict[str, list[Any]], resume: bool = False, **changes: Any) -> list[RunResult]:
    spec = RunSpec(
        methods=["hold(of=oracle)"], sweep=sweep, latency=LatencySpec(frames=4, rounds=1),
        **{"dataset": SMALL, **changes},
    )  # fmt: skip
    methods, datasets, _ = expanded(spec.methods, spec.sweep, spec.dataset)
    return run(spec, methods, folder, resume, Progress(), datasets)


def test_sweep_arguments_go_to_the_methods_or_dataset_that_have_them() -> None:
    methods, datasets, left_out = expanded(["oracle", "hold(of=oracle)"], BOTH)
    assert list(map(str, methods)) == ["oracle", "hold(key_interval=2,of=oracle)", "hold(key_interval=3,of=oracle)"]
    assert [dataset.get("motion") for dataset in datasets] == ["slow", "fast"]
    assert {dataset.get("clips") for dataset in datasets} == {2}
    assert left_out == []


def test_swept_datasets_are_all_combinations_without_repeats() -> None:
    datasets = expanded(["oracle"], {"motion": ["slow", "fast", "slow"], "seed": [0, 1]}, "synthetic").datasets
    assert list(map(str, datasets)) == [
        "synthetic(motion=slow,seed=0)", "synthetic(motion=slow,seed=1)",
        "synthetic(motion=fast,seed=0)", "synthetic(motion=fast,seed=1)",
    ]  # fmt: skip
    assert expanded(["hold(of=oracle)"], {"key_interval": [1, 2]}).datasets == []


@pytest.mark.parametrize("key", ["speed", "split", "root", "device", "context"])
def test_unknown_sweep_argument_is_refused(key: str) -> None:
    with pytest.raises(UserError, match=f"--sweep {key}: none of the methods has this argument, nor has the dataset"):
        expanded(["oracle", "hold(of=oracle)"], {"motion": ["slow"], key: [1, 2]})


@pytest.mark.usefixtures("seeded")
def test_sweep_argument_of_both_a_method_and_the_dataset_is_refused() -> None:
    with pytest.raises(UserError, match="--sweep seed: the dataset and a method both have this argument") as caught:
        expanded(["oracle", "seeded"], {"seed": [0, 1]})
    assert "seeded" in str(caught.value.where)
    assert "oracle" not in str(caught.value.where)


def test_run_over_several_datasets_equals_separate_runs(tmp_path: Path) -> None:
    results = measured(tmp_path / "both", BOTH)
    found = [(parse(one.dataset.spec).get("motion"), parse(one.method).get("key_interval")) for one in results]
    assert found == [("slow", 2), ("slow", 3), ("fast", 2), ("fast", 3)]
    alone = [
        result
        for motion in ("slow", "fast")
        for result in measured(
            tmp_path / motion, {"key_interval": [2, 3]}, dataset=str(parse(SMALL).with_args(motion=motion))
        )
    ]
    assert list(map(numbers, results)) == list(map(numbers, alone))
    assert {str(numbers(row.result)) for row in read_runs.read([tmp_path / "both"]) if row.result} == {
        str(numbers(result)) for result in results
    }
    assert len({result.metrics["mIoU"] for result in results if result.metrics}) == 4


def test_resume_continues_in_the_second_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = measured(tmp_path / "fresh", BOTH)
    done: list[str] = []
    whole = clip.run_clip

    def counted(*args: Any) -> Any:
        if len(done) == 5:  # the first dataset has 2 intervals of 2 clips
            raise KeyboardInterrupt
        done.append(args[1])
        return whole(*args)

    monkeypatch.setattr("vssbench.bench.session.run_clip", counted)
    with pytest.raises(KeyboardInterrupt):
        measured(tmp_path / "run", BOTH)
    assert len(read_runs.folders(tmp_path / "run")) == 2
    again: list[str] = []
    monkeypatch.setattr("vssbench.bench.session.run_clip", lambda *args: again.append(args[1]) or whole(*args))
    resumed = measured(tmp_path / "run", BOTH, resume=True)
    assert len(again) == 8 - 5
    assert list(map(numbers, resumed)) == list(map(numbers, fresh))


def test_resume_measures_only_the_added_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(tmp_path / "run", {"motion": ["slow"]})
    again: list[str] = []
    whole = clip.run_clip
    monkeypatch.setattr("vssbench.bench.session.run_clip", lambda *args: again.append(args[1]) or whole(*args))
    measured(tmp_path / "run", {"motion": ["slow", "fast"]}, resume=True)
    assert len(again) == 2
    assert len(read_runs.folders(tmp_path / "run")) == 2


def test_invalid_sweep_value_for_the_dataset_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'quick' is not valid"):
        measured(tmp_path / "run", {"motion": ["slow", "quick"]})
    assert not (tmp_path / "run").exists()


def test_json_nests_methods_by_dataset_only_for_several_datasets(tmp_path: Path) -> None:
    results = measured(tmp_path / "run", BOTH)
    intervals = {(result.dataset.spec, result.method): {} for result in results}
    one = by_dataset(results[:2], intervals)
    assert list(one) == ["methods"]
    assert list(one["methods"]) == ["hold(key_interval=2,of=oracle)", "hold(key_interval=3,of=oracle)"]
    several = by_dataset(results, intervals)
    assert list(several) == ["datasets"]
    assert [parse(dataset).get("motion") for dataset in several["datasets"]] == ["slow", "fast"]
    for result in results:
        entry = several["datasets"][result.dataset.spec]["methods"][result.method]
        assert entry["metrics"] == result.metrics
        assert entry["intervals"] == {}


def test_sweep_with_too_many_combinations_is_refused() -> None:
    values = {"key_interval": list(range(1, 201)), "offset": list(range(200))}
    with pytest.raises(UserError, match="asks for 40000 combinations"):
        expand([parse("hold(of=oracle)")], parse("synthetic"), values)
