"""Changed files: a resumed run measures those clips again; a run reports files that change while it runs."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from vssbench.bench import run as whole_run
from vssbench.bench.passes import accuracy
from vssbench.bench.spec import LatencySpec, RunSpec
from vssbench.datasets.export import export
from vssbench.errors import UserError
from vssbench.load import load_dataset
from vssbench.progress import Progress
from vssbench.results.record import RunResult
from vssbench.results.run_folder import read_clips
from vssbench.specs import parse

METHOD = "hold(key_interval=3,of=oracle)"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """CamVid's layout with three clips of six frames."""
    export(load_dataset("synthetic(clips=3,frames=6,height=32,width=48)"), "camvid", tmp_path / "data")
    return tmp_path / "data"


def run(folder: Path, root: Path, resume: bool = False, methods: tuple[str, ...] = (METHOD,)) -> list[RunResult]:
    spec = RunSpec(
        methods=list(methods),
        dataset="camvid",
        data_root=str(root),
        metrics=["mIoU"],
        latency=LatencySpec(enabled=False),
    )
    return whole_run.run(spec, [parse(method) for method in methods], folder, resume, Progress())


def clips_of(folder: Path) -> dict[str, float]:
    """Return clip -> seconds of its record; they differ for a clip measured again."""
    (file,) = folder.glob("*/clips.jsonl")
    return {clip: record.seconds["step"] for clip, record in read_clips(file).items()}


@pytest.mark.parametrize("what", ["valannot", "val"])
def test_resume_measures_only_clips_with_changed_files_again(tmp_path: Path, root: Path, what: str) -> None:
    (first,) = run(tmp_path / "run", root)
    before = clips_of(tmp_path / "run")
    (file, *_) = sorted((root / what).iterdir())
    changed = next(clip for clip in before if file.name.startswith(clip))
    pixels = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(file), np.zeros_like(pixels))
    (again,) = run(tmp_path / "run", root, resume=True)
    after = clips_of(tmp_path / "run")
    assert {clip for clip in before if before[clip] != after[clip]} == {changed}
    assert (again.metrics != first.metrics) == (what == "valannot")
    assert again.dataset.files != first.dataset.files
    assert any(f"files of clip {changed}" in caveat for caveat in again.caveats)
    (fresh,) = run(tmp_path / "fresh", root)
    assert (again.metrics, again.dataset.files) == (fresh.metrics, fresh.dataset.files)


def test_resume_with_different_data_root_measures_again(tmp_path: Path, root: Path) -> None:
    (first,) = run(tmp_path / "run", root)
    export(load_dataset("synthetic(clips=3,frames=6,height=32,width=48,seed=7)"), "camvid", tmp_path / "other")
    (again,) = run(tmp_path / "run", tmp_path / "other", resume=True)
    (fresh,) = run(tmp_path / "fresh", tmp_path / "other")
    assert again.metrics == fresh.metrics != first.metrics
    assert again.dataset.fingerprint == first.dataset.fingerprint


def test_resume_after_changed_prediction_files_measures_again(tmp_path: Path, root: Path) -> None:
    predictions = tmp_path / "predictions"
    dataset = load_dataset("camvid", root)
    for clip in dataset.clips():
        for stem in dataset.stems(clip):
            (predictions / clip).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(predictions / clip / f"{stem}.png"), np.zeros((32, 48), np.uint8))
    method = (f'hold(key_interval=1,of=replay(predictions="{predictions}"))',)
    (first,) = run(tmp_path / "run", root, methods=method)
    for file in sorted(predictions.rglob("*.png")):
        cv2.imwrite(str(file), np.ones((32, 48), np.uint8))
    (again,) = run(tmp_path / "run", root, resume=True, methods=method)
    (fresh,) = run(tmp_path / "fresh", root, methods=method)
    assert again.metrics == fresh.metrics != first.metrics


def test_files_changed_between_methods_end_the_run_with_one_error(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file, *_) = sorted((root / "valannot").iterdir())
    measure = accuracy.clip_records

    def changing(bench, tasks, progress):
        for number, found in enumerate(measure(bench, tasks, progress)):
            yield found
            if number == 2:  # after the first method's last clip
                cv2.imwrite(str(file), np.zeros((32, 48), np.uint8))

    monkeypatch.setattr(accuracy, "clip_records", changing)
    methods = (METHOD, "hold(key_interval=2,of=oracle)")
    with pytest.raises(UserError, match="changed during the run") as caught:
        run(tmp_path / "run", root, methods=methods)
    assert "--resume" in str(caught.value)
    monkeypatch.setattr(accuracy, "clip_records", measure)
    one, other = run(tmp_path / "run", root, resume=True, methods=methods)
    assert one.dataset.files == other.dataset.files
    assert not list((tmp_path / "run").glob("*/*.part"))


def test_records_hold_digests_of_frames_and_labels(tmp_path: Path, root: Path) -> None:
    (found,) = run(tmp_path / "run", root)
    (file,) = (tmp_path / "run").glob("*/clips.jsonl")
    records = [json.loads(line) for line in file.read_text().splitlines()]
    assert all(set(record["files"]) == {"frames", "labels"} for record in records)
    assert len({record["files"]["labels"] for record in records}) == 3
    assert found.dataset.files is not None
