"""benchmarks/gpu.py on a CPU, with tiny networks: its tables, its verdicts, what it leaves out and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import goldens, gpu
from tests.helpers.paths import SHARED
from vssbench import Frame, load_method
from vssbench.testing import random_clip

REFERENCE = SHARED / "reference"


def made(name: str, reference: Path, folder: Path) -> goldens.Golden:
    """A golden of the tiny network itself; "wrong": with different labels."""
    frames = random_clip(length=2, size=(40, 72))
    method = load_method("videomt", checkpoint="untrained")
    labels = {1: [method.decode(method.step(method.prepare(frame))).labels for frame in frames][1]}
    if name == "wrong":
        labels = {1: (labels[1] + 1).astype(np.uint8)}
    return goldens.Golden("videomt", "untrained", frames, labels, 0.999)


def run(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    file = tmp_path / "found.json"
    gpu.main(
        ["--device", "cpu", "--size", "40x72", "--frames", "7", "--rounds", "1", "--output", str(file), *arguments]
    )
    return json.loads(file.read_text())


def test_gpu_benchmark_writes_and_prints_its_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(goldens, "read", made)
    monkeypatch.setitem(gpu.NUMERICS, "compile", {})  # compiling takes a compiler and a minute
    monkeypatch.setattr(gpu, "COMPILING", 0.0)
    found = run(tmp_path, "--goldens", "right,wrong", "--methods", "mpvss,videomt")
    assert found["goldens"]["right"]["float32"] == found["goldens"]["right"]["tf32"] == 1  # a CPU has no TF32
    assert 0.9 < found["goldens"]["right"]["bf16"] <= 1
    assert found["goldens"]["wrong"]["float32"] == 0
    assert set(found["latency"]) == {"mpvss", "videomt"}
    assert all(set(columns) == set(gpu.NUMERICS) for columns in found["latency"].values())
    assert set(found["latency"]["mpvss"]["bf16"]) == {"key", "nonkey"}
    for columns in found["latency"].values():
        for kinds in columns.values():
            assert all(one["wall_ms"] > 0 and one["event_ms"] is None for one in kinds.values())
    assert found["left_out"] == []
    printed = capsys.readouterr().out
    assert "| `right` | 100.000 | 100.000 |" in printed
    assert "| `wrong` | 0.000 |" in printed
    assert [line.rpartition("| ")[2] for line in printed.splitlines() if "99.900" in line] == ["as asked |", "below |"]
    assert "| `mpvss` | nonkey |" in printed


def test_gpu_benchmark_says_what_it_leaves_out_and_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = str(tmp_path / "nothing")
    found = run(tmp_path, "--goldens", "videomt_vit_s_vspw", "--reference", empty, "--methods", "videomt(classes=clip)")
    assert found["goldens"] == found["latency"] == {}
    assert "golden videomt_vit_s_vspw" in found["left_out"][0]
    assert "looks ahead" in found["left_out"][1]
    assert not any("\n" in one for one in found["left_out"])
    found = run(tmp_path, "--goldens", "videomt_vit_s_vspw", "--methods", "videomt", "--budget", "0")
    assert len(found["left_out"]) == 5
    assert all(one.endswith("no time left") for one in found["left_out"])
    assert "left out: latency of videomt, bf16: no time left" in capsys.readouterr().out


def test_missing_device_is_an_error_that_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        gpu.main(["--device", "cuda:77"])
    assert left.value.code == 2
    said = capsys.readouterr()
    what, expected = said.err.splitlines()
    assert what.startswith("gpu.py: --device cuda:77 cannot be used: ")
    assert expected == "  expected: cpu, or cuda:0 with a GPU"
    assert said.out == ""


def test_agreement_is_the_minimum_over_frames() -> None:
    class Method:
        def reset(self) -> None:
            self.seen = 0

        def prepare(self, frame: Frame) -> int:
            return frame.index

        def step(self, x: int) -> int:
            return x

        def decode(self, y: int) -> Any:
            labels = np.zeros((2, 2), np.uint8)
            labels[0, 0] = y
            return type("Prediction", (), {"labels": labels})

    frames = random_clip(length=3, size=(2, 2))
    labels = dict.fromkeys((0, 2), np.zeros((2, 2), np.uint8))
    assert goldens.agreement(Method(), goldens.Golden("x", None, frames, labels, 1.0)) == 0.75


@pytest.mark.slow
@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference material is not next to the project")
@pytest.mark.parametrize("name", goldens.NAMES)
def test_cpu_agrees_with_every_golden(name: str, tmp_path: Path) -> None:
    if name.startswith("espnet") and not (SHARED / "data" / "camvid").is_dir():
        pytest.skip("the frames of CamVid are not next to the project")
    golden = goldens.read(name, REFERENCE, tmp_path)
    assert goldens.agreement(load_method(golden.spec, checkpoint=golden.checkpoint), golden) >= golden.least
