"""A description works wherever a dataset is named, and results record its content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers.command import vssbench
from tests.helpers.described import CLASSES, describe, labels, write_tree
from vssbench.bench.identity import named_files
from vssbench.bench.node_check import shared
from vssbench.bench.session import Bench
from vssbench.bench.spec import load_spec
from vssbench.datasets.label_spaces import load_space
from vssbench.load import dataset_spec, load_dataset

HOLD = "hold(of=oracle,key_interval=2)"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: two clips of nine frames and `mine.yaml`."""
    write_tree(tmp_path, {"a": 9, "b": 9})
    describe(tmp_path / "mine.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(*words: object) -> dict[str, Any]:
    done = vssbench(*words, "--json")
    assert done.status == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run(*more: object, output: str = "out") -> dict[str, Any]:
    words = ("run", "--methods", HOLD, "--no-latency", "--dataset", "mine.yaml", "--output", output)
    return next(iter(told(*words, *more)["methods"].values()))


def test_run_on_a_description_is_the_same_in_several_processes(place: Path) -> None:
    one = run()
    assert one["dataset"]["spec"] == "folder(file=mine.yaml)"
    assert one["metrics"] == run("--workers", 2, output="again")["metrics"]
    assert "## mine val, protocol `exact`" in (place / "out/leaderboard.md").read_text()
    assert vssbench("verify", "out").status == 0


def test_run_spec_accepts_a_description(place: Path) -> None:
    (place / "bench.yaml").write_text(f'methods: ["{HOLD}"]\ndataset: mine.yaml\nlatency: {{enabled: false}}\n')
    words = ("run", "bench.yaml", "--output", "out")
    assert next(iter(told(*words)["methods"].values()))["dataset"]["spec"] == "folder(file=mine.yaml)"
    (place / "bad.yaml").write_text(f'methods: ["{HOLD}"]\ndataset: folder(fil=mine.yaml)\n')
    assert "folder has no argument 'fil'" in vssbench("run", "bad.yaml", "--output", "o").stderr


def test_baseline_and_check_accept_a_description(place: Path) -> None:
    (place / "bench.yaml").write_text(f'methods: ["{HOLD}"]\ndataset: mine.yaml\nlatency: {{enabled: false}}\n')
    told("run", "bench.yaml", "--output", "out")
    assert vssbench("baseline", "update", "out", "--output", "baseline.json", "--reason", "first").status == 0
    told("run", "bench.yaml", "--output", "after")
    assert vssbench("check", "after", "--baseline", "baseline.json").status == 0


def test_resuming_with_a_changed_description_measures_again(place: Path) -> None:
    before = run()
    assert "measured again" not in str(run("--resume"))
    describe(place / "mine.yaml", classes=[{"name": name, "values": [(k + 1) % 3]} for k, name in enumerate(CLASSES)])
    after = run("--resume")
    assert any("measured again" in caveat and "mine.yaml" in caveat for caveat in after["caveats"])
    assert after["metrics"]["mIoU"] == pytest.approx(before["metrics"]["mIoU"])
    assert after["metrics"] == run(output="fresh")["metrics"]


def test_node_check_compares_the_content_of_descriptions(place: Path) -> None:
    spec = load_spec(None, {"methods": [HOLD], "dataset": "strided(of=mine.yaml)"})
    assert spec.dataset == "strided(of=folder(file=mine.yaml))"
    assert named_files([dataset_spec("strided(of=mine.yaml)")]) == [Path("mine.yaml")]
    one = shared(Bench(spec))["mine.yaml"]
    describe(place / "mine.yaml", fps=25)
    assert shared(Bench(spec))["mine.yaml"] not in (None, one)


def test_score_doctor_export_and_predict_accept_a_description(place: Path) -> None:
    for clip in ("a", "b"):
        (place / "predicted" / clip).mkdir(parents=True)
        for index in range(9):
            ids = labels(clip, index)
            file = place / "predicted" / clip / f"{index:05d}.png"
            Image.fromarray(np.where(ids == 255, 0, ids).astype(np.uint8)).save(file)
    scored = told("score", "--dataset", "mine.yaml", "--predictions", "predicted")
    assert (scored["dataset"], scored["metrics"]["mIoU"]) == ("folder(file=mine.yaml)", 100)
    assert told("doctor", "--dataset", "mine.yaml")["summary"]["frames"] == 18
    assert vssbench("export", "mine.yaml", "--layout", "camvid", "--output", "exported").status == 0
    frames = zip(load_dataset("camvid", "exported").labels("a_00000"), range(9), strict=True)
    assert all(np.array_equal(found, labels("a", index)) for (_, found), index in frames)
    words = ("predict", "mask2former(backbone=tiny)", "--allow-untrained", "--frames", "frames/a", "--limit", 1)
    assert told(*words, "--labels", "mine.yaml", "--output", "labels")["labels"] == "mine"
    assert load_space("mine.yaml").names == CLASSES
