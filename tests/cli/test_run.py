"""`vssbench run` as users meet it: exit status, one message, one JSON object."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.command import MAIN
from vssbench.cli.run import made
from vssbench.errors import UserError

SMALL = "synthetic(clips=2,frames=20,height=32,width=48)"
COMMAND = [sys.executable, "-c", MAIN]


def vssbench(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, check=False)


def test_json_is_the_only_thing_on_stdout_and_files_are_written(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    done = vssbench(
        "run", "--methods", "oracle,hold(of=oracle,key_interval=4)", "--dataset", SMALL, "--output", folder, "--json"
    )
    assert done.returncode == 0, done.stderr
    methods = json.loads(done.stdout)["methods"]
    assert list(methods) == ["oracle", "hold(key_interval=4,of=oracle)"]
    hold = methods["hold(key_interval=4,of=oracle)"]
    assert hold["protocol"] == "exact"
    assert {"mIoU", "WIoU", "VC@8", "VC@16"} <= set(hold["metrics"])
    assert hold["intervals"] == dict.fromkeys(hold["metrics"])  # two clips are too few for intervals
    assert set(hold["fps"]) == {"step", "step+decode", "end_to_end"}
    assert {file.name for file in folder.iterdir()} >= {
        "leaderboard.md",
        "leaderboard.csv",
        "report.html",
        "pareto_fps.png",
        "run.json",
    }
    assert list(pd.read_csv(folder / "leaderboard.csv")["method"]) == ["oracle", "hold(key_interval=4,of=oracle)"]


def test_offset_sweep_covers_every_distance_of_a_sparsely_labelled_dataset(tmp_path: Path) -> None:
    city = tmp_path / "city"
    made = vssbench(
        "export", "synthetic(clips=2,frames=24,height=32,width=48)", "--layout", "cityscapes", "--output", city
    )
    assert made.returncode == 0, made.stderr
    method = f"hold(of=replay(predictions={_predictions(city, tmp_path)}),key_interval=3)"
    done = vssbench(
        "run", "--methods", method,
        "--dataset", "cityscapes", "--data-root", city, "--sweep", "offset=0..2", "--output", tmp_path / "run",
        "--no-latency", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    methods = json.loads(done.stdout)["methods"].values()
    assert sorted(row["distance"] for method in methods for row in method["by_distance"]) == [0, 1, 2]
    for method in methods:
        assert method["metrics"]["VC@8"] is None
        assert method["reasons"]["VC@8"]
        assert method["protocol"] == "cityscapes"
    table = (tmp_path / "run" / "leaderboard.md").read_text().partition("mIoU by distance")[2]
    assert "d=0 |   d=1 |   d=2" in table


def test_sweep_over_datasets_and_intervals_is_written_per_dataset(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    done = vssbench(
        "run", "--methods", "oracle,hold(of=oracle)", "--dataset", SMALL, "--limit", 1, "--no-latency",
        "--sweep", "key_interval=2,4", "--sweep", "motion=slow,fast", "--output", folder, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert set(printed) == {"datasets", "output"}
    assert len(printed["datasets"]) == 2
    for entry in printed["datasets"].values():
        assert list(entry["methods"]) == ["oracle", "hold(key_interval=2,of=oracle)", "hold(key_interval=4,of=oracle)"]
    assert len(list(folder.glob("*/result.json"))) == 6
    assert (folder / "sweep.png").exists()
    again = vssbench("report", folder, "--output", tmp_path / "again")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "again" / "sweep.csv").read_text() == (folder / "sweep.csv").read_text()


def _predictions(city: Path, tmp_path: Path) -> Path:
    """Write a prediction for every frame: its own red channel as classes."""
    import cv2

    from vssbench.load import load_dataset

    dataset = load_dataset("cityscapes", city)
    for clip in dataset.clips():
        (tmp_path / "predictions" / clip).mkdir(parents=True)
        for frame in dataset.frames(clip):
            cv2.imwrite(str(tmp_path / "predictions" / clip / f"{frame.stem}.png"), frame.image[..., 0] // 32)
    return tmp_path / "predictions"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--methods", "nope"], "unknown method 'nope'"),
        (["--methods", "hold(of=oracle"], "cannot read"),
        (["--methods", "hold(of=oracle,k=2)"], "hold has no argument 'k'"),
        (["--methods", "hold(of=oracle,key_interval=0)"], "key_interval=0 is not valid"),
        (["--methods", "hold(of=oracle,key_interval=two)"], "is not valid"),
        (["--methods", "hold"], "hold needs the argument 'of'"),
        (["--methods", "oracle", "--protocol", "vspww"], "did you mean 'vspw'?"),
        (["--methods", "oracle", "--dataset", "vspw", "--data-root", "nowhere"], "nowhere"),
        (["--methods", "oracle", "--dataset", "vspw"], "--data-root"),
        (["--methods", "oracle", "--sweep", "key_interval=1,2"], "none of the methods has this argument"),
        (["--methods", "oracle", "--sweep", "speed=1,2"], "nor has the dataset"),
        (["--methods", "oracle", "--sweep", "motion=quick"], "'quick' is not valid"),
        (["--methods", "oracle", "--sweep", "seed=1", "--sweep", "seed=2"], "--sweep names 'seed' twice"),
        (["--methods", "oracle", "--resume"], "--resume needs --output"),
        (["--methods", "oracle", "--device", "cuda:7"], "--device cuda:7"),
        (["--methods", "oracle", "--checkpoint", "oracle"], "METHOD=PATH"),
        (["nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_bad_input_is_one_message_and_status_2(tmp_path: Path, arguments: list[str], part: str) -> None:
    done = vssbench("run", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not list(tmp_path.glob("results/*/*/clips.jsonl"))


def test_read_only_disk_at_the_end_loses_no_result(tmp_path, monkeypatch, vssbench):
    """Every result is written as soon as it is measured; whatever cannot be written is still shown."""
    from vssbench.files.atomic import disk_error
    from vssbench.reports import write

    def refuse(rows, folder, *_):
        raise disk_error(OSError(errno.EROFS, os.strerror(errno.EROFS)), folder / "leaderboard.md")

    monkeypatch.setattr(write, "write", refuse)
    words = ["run", "--methods", "oracle", "--dataset", "synthetic(clips=1,frames=2,height=16,width=24)"]
    done = vssbench(*words, "--no-latency", "--output", tmp_path / "run", "--json")
    assert done.status == 2
    assert done.stderr.count("vssbench: ") == 1
    assert "leaderboard.md: cannot be written: Read-only file system" in done.stderr
    assert json.loads(done.stdout)["methods"]["oracle"]["metrics"]["mIoU"] == 100
    assert list((tmp_path / "run").glob("*/result.json"))


def test_runs_started_in_the_same_second_get_separate_folders(tmp_path: Path) -> None:
    """Two runs without --output that began in the same second used to choose one folder, and one of them was lost."""
    folder = tmp_path / "results" / "20261130-134253"
    assert [made(folder) for _ in range(3)] == [folder, *(folder.with_name(f"{folder.name}-{n}") for n in (2, 3))]
    assert len(list(folder.parent.iterdir())) == 3
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        made(tmp_path / "file" / "run")


def test_run_that_fails_early_leaves_no_folder_of_its_own(tmp_path: Path) -> None:
    words = ["run", "--methods", "oracle", "--dataset"]
    failed = vssbench(*words, "vspw", "--data-root", tmp_path / "nowhere", cwd=tmp_path)
    assert failed.returncode == 2
    assert "nowhere" in failed.stderr
    assert list(tmp_path.iterdir()) == []
    done = vssbench(*words, "synthetic(clips=1,frames=2,height=16,width=24)", "--no-latency", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("results/*/leaderboard.md"))) == 1
