"""What a run is based on: a resumed run names what has changed and measures that again, and nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from vssbench import environment, registry
from vssbench.bench import identity
from vssbench.bench import run as whole_run
from vssbench.bench.spec import LatencySpec, RunSpec
from vssbench.datasets.digest import of_file
from vssbench.progress import Progress
from vssbench.results.record import RunResult
from vssbench.specs import parse
from vssbench.types import Weights

SMALL = "synthetic(clips=2,frames=6,height=32,width=48)"
FAST = LatencySpec(frames=2, rounds=1, warmup=0)


def run(folder: Path, resume: bool = False, **changes: Any) -> RunResult:
    spec = RunSpec(**{"methods": ["hold(of=oracle)"], "dataset": SMALL, "latency": FAST, **changes})
    (found,) = whole_run.run(spec, [parse(method) for method in spec.methods], folder, resume, Progress())
    return found


def stamps(folder: Path) -> tuple[list[float], int]:
    """Return the seconds of each record (they differ for a record measured again), and when speed was measured."""
    (clips,) = folder.glob("*/clips.jsonl")
    seconds = [json.loads(line)["seconds"]["step"] for line in clips.read_text().splitlines()]
    return seconds, clips.with_name("latency.json").stat().st_mtime_ns


def test_resume_without_changes_measures_nothing_again(tmp_path: Path) -> None:
    run(tmp_path)
    before = stamps(tmp_path)
    again = run(tmp_path, resume=True)
    assert stamps(tmp_path) == before
    assert not any("measured again" in caveat for caveat in again.caveats)


@pytest.mark.parametrize("what", ["vssbench", "packages"])
def test_changed_code_or_packages_measure_everything_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    first = run(tmp_path)
    before = stamps(tmp_path)
    if what == "vssbench":
        monkeypatch.setattr(identity, "sources", lambda: "f" * 64)
    else:
        monkeypatch.setattr(environment, "packages", lambda: {"vssbench": "0", "torch": "0.0"})
    again = run(tmp_path, resume=True)
    after = stamps(tmp_path)
    assert not set(before[0]) & set(after[0])
    assert before[1] != after[1]
    assert again.metrics == first.metrics
    (caveat,) = (caveat for caveat in again.caveats if "measured again" in caveat)
    assert f"{what}: " in caveat


def test_different_thread_count_measures_only_speed_again(tmp_path: Path) -> None:
    run(tmp_path, threads=1)
    before = stamps(tmp_path)
    again = run(tmp_path, resume=True, threads=2)
    after = stamps(tmp_path)
    assert before[0] == after[0]
    assert before[1] != after[1]
    assert again.environment["threads"] == 2


def test_different_latency_settings_measure_only_speed_again(tmp_path: Path) -> None:
    run(tmp_path)
    before = stamps(tmp_path)
    again = run(tmp_path, resume=True, latency=LatencySpec(frames=3, rounds=1, warmup=0))
    assert stamps(tmp_path)[0] == before[0]
    assert again.samples_ms is not None
    assert len(again.samples_ms["kind"]) == 3


def test_identity_includes_the_files_that_a_method_names(tmp_path: Path) -> None:
    mapping, model = tmp_path / "mapping.yaml", tmp_path / "model"
    model.mkdir()
    for file in (mapping, model / "config.json", model / "README.md"):
        file.write_text("1")
    method = parse(f'hold(of=huggingface(mapping="{mapping}",model="{model}"))')
    assert identity.named_files([method]) == sorted([mapping, model / "config.json"])
    before = of_file(mapping)
    mapping.write_text("2")
    assert of_file(mapping) != before


def test_identity_includes_the_code_of_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "some_plugin.py"
    file.write_text("A = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    known, some = registry.entries, {"some": registry.Entry("some_plugin:Some", origin="some-plugin")}
    monkeypatch.setattr(registry, "entries", lambda group: known(group) | (some if group == "methods" else {}))
    seen = []
    for text in ("A = 1\n", "A = 2\n"):
        file.write_text(text)
        seen.append(identity.identity(RunSpec(), parse("hold(of=some)"), Weights(), None)["plugins"])
    assert [list(one) for one in seen] == [["some-plugin"], ["some-plugin"]]
    assert seen[0] != seen[1]


METHOD = """
import numpy as np
from vssbench import Prediction

class Flat:
    name, needs, lookahead = "flat", frozenset(), 0
    def __init__(self, k: int = 0):
        self.k = k
    def reset(self): ...
    def prepare(self, frame):
        return frame.image.shape[:2]
    def step(self, x):
        return x
    def decode(self, y):
        return Prediction(np.full(y, self.k, np.uint8), "key")
"""


@pytest.mark.parametrize("spec", ["flat.py:Flat(k=1)", "hold(of=flat.py:Flat(k=1))"])
@pytest.mark.parametrize("workers", [1, 2])
def test_method_in_a_changed_file_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, workers: int
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    file, folder = tmp_path / "flat.py", tmp_path / "run"
    file.write_text(METHOD)
    first = run(folder, methods=[spec], workers=workers)
    assert first.method == spec
    assert list(first.environment["plugins"]) == ["flat.py"]
    before = stamps(folder)
    assert run(folder, resume=True, methods=[spec.replace("flat.py", "./flat.py")], workers=workers) is not None
    assert stamps(folder) == before
    file.write_text(METHOD.replace("self.k,", "2,"))
    again = run(folder, resume=True, methods=[spec], workers=workers)
    assert stamps(folder) != before
    assert again.metrics != first.metrics
    (caveat,) = (caveat for caveat in again.caveats if "measured again" in caveat)
    assert "files: {'flat.py': " in caveat
    assert run(tmp_path / "fresh", methods=[spec]).metrics == again.metrics
