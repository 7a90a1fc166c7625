"""Edited results and damaged records are reported; none is accepted, none ends in a traceback."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command import vssbench
from vssbench.bench import run as whole_run
from vssbench.bench.again import asked, differences
from vssbench.bench.spec import LatencySpec, RunSpec
from vssbench.cli import main
from vssbench.progress import Progress
from vssbench.results.verify import verify
from vssbench.specs import parse

METHOD = "hold(of=oracle)"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "run"
    spec = RunSpec(
        methods=[METHOD], dataset="synthetic(clips=3,frames=10,height=32,width=48)",
        latency=LatencySpec(frames=4, rounds=2, warmup=0),
    )  # fmt: skip
    whole_run.run(spec, [parse(METHOD)], folder, False, Progress())
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A private copy of a method's folder, to damage."""
    (copied,) = shutil.copytree(finished, tmp_path / "run").glob("hold*")
    return copied


def edit(file: Path, change: Callable[[Json], object]) -> None:
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


def test_unchanged_run_verifies_without_differences(folder: Path) -> None:
    found = verify(folder)
    assert (found.differences, found.clips, found.method) == ([], 3, METHOD)
    assert found.values > 150


RESULTS: dict[str, Callable[[Json], object]] = {
    "metrics.mIoU is 99": lambda data: data["metrics"].update(mIoU=99.0),
    "per_class.sky": lambda data: data["per_class"].update(sky=1.0),
    r"by_distance\[1\].pixels": lambda data: data["by_distance"][1].update(pixels=1),
    "fps.step": lambda data: data["fps"].update(step=1e6),
    "latency_ms.key.step.p50": lambda data: data["latency_ms"]["key"]["step"].update(p50=0.001),
    r"samples_ms.step\[0\]": lambda data: data["samples_ms"]["step"].__setitem__(0, 123.0),
    "memory_mb.host_peak": lambda data: data["memory_mb"].update(host_peak=1.0),
    "notes": lambda data: data.update(notes=["as good as it gets"]),
    "method is 'mpvss'": lambda data: data.update(method="mpvss"),
    "dataset.labelled": lambda data: data["dataset"].update(labelled=29),
    r"signatures.mIoU is 'mIoU\|protocol": lambda data: data["signatures"].update(mIoU="mIoU|protocol:exact = 99.00"),
    "signatures.VC@8 is missing": lambda data: data["signatures"].pop("VC@8"),
    "kinds.key": lambda data: data.update(kinds={"key": 5, "nonkey": 25, "warmup": None}),
}
"""A part of the message -> an edit of a result that leaves it valid."""


@pytest.mark.parametrize("said", RESULTS)
def test_verify_reports_an_edited_result(folder: Path, said: str) -> None:
    edit(folder / "result.json", RESULTS[said])
    (line, *_) = verify(folder).differences
    assert re.search(said, "\n".join(verify(folder).differences)), line


IMPOSSIBLE: dict[str, Callable[[Json], object]] = {
    "mIoU 150": lambda data: data["metrics"].update(mIoU=150.0),
    "mIoU -3": lambda data: data["metrics"].update(mIoU=-3.0),
    "mIoU 1e308": lambda data: data["metrics"].update(mIoU=1e308),
    "mIoU as text": lambda data: data["metrics"].update(mIoU="75"),
    "a class that is none": lambda data: data["per_class"].update(cat=3.0),
    "negative pixels": lambda data: data["by_distance"][0].update(pixels=-1),
    "no FPS": lambda data: data["fps"].update(step=0.0),
    "a column too short": lambda data: data["samples_ms"]["step"].pop(),
    "columns of nothing": lambda data: data.update(samples_ms={"round": [], "kind": []}),
    "frames of no kind": lambda data: data.update(kinds={"key": 1, "nonkey": None, "warmup": None}),
    "names of other number": lambda data: data["dataset"]["names"].pop(),
    "a name twice": lambda data: data["dataset"]["names"].__setitem__(0, data["dataset"]["names"][1]),
    "more labels than frames": lambda data: data["dataset"].update(labelled=1000),
    "a commit of -1": lambda data: data["environment"].update(commit=-1),
    "a commit of true": lambda data: data["environment"].update(commit=True),
    "packages as a list": lambda data: data["environment"].update(packages=[]),
    "a processor of 1": lambda data: data["environment"].update(cpu=1),
    "a latency of true": lambda data: data["latency_ms"]["key"]["step"].update(mean=True),
    "a sample of true": lambda data: data["samples_ms"]["step"].__setitem__(0, True),
    "negative memory": lambda data: data["memory_mb"].update(host_peak=-5.0),
}
"""Edits that no run can have written: every command refuses them on reading."""


@pytest.mark.parametrize("change", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_result_is_refused_by_verify_and_report(
    folder: Path, change: Callable[[Json], object], capsys, monkeypatch
) -> None:
    edit(folder / "result.json", change)
    (line,) = verify(folder).differences
    assert "result.json" in line
    monkeypatch.setattr("sys.argv", ["vssbench", "report", str(folder.parent), "--output", str(folder.parent / "out")])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert "result.json" in capsys.readouterr().err


def test_verify_reports_records_of_another_run(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "clips.jsonl").read_text().splitlines()]
    for line in lines:
        line["conditions"] = "0" * 16
    (folder / "clips.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert any("conditions of clip" in line for line in verify(folder).differences)


def test_verify_reports_missing_or_damaged_timings(folder: Path) -> None:
    (folder / "latency.json").unlink()
    assert verify(folder).differences == ["the result has fps, but there is no latency.json to compute it from"]
    (folder / "latency.json").write_text('{"samples_ms": 3}')
    assert "latency.json: key conditions: Field required" in verify(folder).differences[0]


def test_rerun_clips_match_the_records_or_differences_are_named(folder: Path) -> None:
    spec = asked(folder.parent)
    assert list(differences(spec, folder, 2)) == []
    lines = (folder / "clips.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    first["kinds"] = {"key": 4, "nonkey": 6}
    first["states"]["confusion"][0]["counts"]["0"][1][0] += 1
    (folder / "clips.jsonl").write_text("\n".join([json.dumps(first), *lines[1:]]) + "\n")
    found = list(differences(spec, folder, 3))
    assert found == [
        "clip val_0000: kinds {'key': 4, 'nonkey': 6} then, {'key': 2, 'nonkey': 8} now",
        "clip val_0000: the counts of confusion differ",
    ]


def test_verify_command_names_the_differences_and_exits_with_1(folder: Path, capsys, monkeypatch) -> None:
    def verb(*more: str) -> int:
        monkeypatch.setattr("sys.argv", ["vssbench", "verify", str(folder.parent), *more])
        with pytest.raises(SystemExit) as caught:
            main()
        return int(caught.value.code or 0)

    assert verb("--again", "1") == 0
    printed = capsys.readouterr().out
    assert "3 clips (1 measured again)" in printed
    assert "verified: 1 result\n" in printed
    edit(folder / "result.json", lambda data: data["metrics"].update(mIoU=99.0))
    assert verb() == 1
    assert "1 of 1 results do not hold" in capsys.readouterr().out
    assert verb("--json") == 1
    (one,) = json.loads(capsys.readouterr().out)
    assert one["differences"][0].startswith("metrics.mIoU is 99")


def test_results_of_one_method_are_told_apart_by_their_folders(folder: Path) -> None:
    shutil.copytree(folder, folder.parent / "same on another dataset")
    printed = vssbench("verify", folder.parent).stdout
    for name in (folder.name, "same on another dataset"):
        assert f"{name}: 3 clips" in printed


def test_command_that_fixes_a_run_quotes_the_name_of_its_folder(folder: Path) -> None:
    run = folder.parent.rename(folder.parent.parent / "my run")
    (run / folder.name / "clips.jsonl").write_text("")
    assert verify(run / folder.name).differences[0].endswith(f"--resume --output '{run}'")
    (run / folder.name / "result.json").unlink()
    assert f"--resume --output '{run}', if" in vssbench("verify", run).stderr
