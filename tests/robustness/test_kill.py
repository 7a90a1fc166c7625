"""kill -9 at any moment, then --resume: the same bytes as of an uninterrupted run, except for times.

The killed processes are forks of this one, which has imported everything: none of their code runs after SIGKILL.
Some kill themselves at their n-th write, fsync or rename, with a write half done; others are killed by a timer.
"""

from __future__ import annotations

import errno
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.helpers.command import MAIN, vssbench
from tests.helpers.timeless import timeless
from tests.robustness.made import assert_refused, vspw
from vssbench.files import atomic

METHODS = "hold(of=oracle,key_interval=2),flowwarp(of=oracle,key_interval=3)"
SPEC = """
dataset: synthetic(clips=4,frames=6,height=16,width=24)
metrics: [mIoU, VC@2]
latency: {frames: 3, warmup: 1, rounds: 2}
keep_frames: 3
"""
KILLED = -signal.SIGKILL


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """A shell starts background jobs with Ctrl-C ignored, and a fork or a child would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _one_opencv_thread() -> Iterator[None]:
    """A fork has only its own thread: OpenCV would hang, waiting for its pool."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


def arguments(output: Path, *more: str) -> list[str]:
    spec = output.with_suffix(".yaml")
    spec.write_text(SPEC)
    return ["run", str(spec), "--methods", METHODS, "--output", str(output), *more]


def start(arguments: list[str], prepare: Callable[[], object] = lambda: None) -> int:
    """Run the command in a fork; return its process id."""
    process = os.fork()
    if process:
        return process
    try:
        prepare()
        os._exit(vssbench(*arguments).status)
    finally:
        os._exit(99)


def ended(process: int) -> int:
    """The exit status, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def kill_at(number: int, counted: Path | None = None, by: int = signal.SIGKILL) -> None:
    """Have this process killed at that write, fsync or rename from now. counted: where to write how many there were."""
    calls = 0

    def patched(name: str) -> Callable[..., Any]:
        whole = getattr(os, name)

        def call(*args: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == number:
                if name == "write":
                    whole(args[0], bytes(args[1])[: len(args[1]) // 2])
                os.kill(os.getpid(), by)
            done = whole(*args)
            if counted is not None:
                counted.write_text(str(calls))
            return done

        return call

    for name in ("write", "fsync", "replace"):
        setattr(os, name, patched(name))


def kept(run: Path) -> dict[str, bytes]:
    """Every file that holds numbers or pictures, without times; the keys' order and the digits stay as written."""
    found = {}
    for file in sorted(run.glob("*/**/*.json*")):
        if file.name != "latency.json":
            lines = file.read_text().splitlines() if file.suffix == ".jsonl" else [file.read_text()]
            found[str(file.relative_to(run))] = json.dumps([timeless(json.loads(line)) for line in lines]).encode()
    return found


def results(run: Path) -> dict[str, bytes]:
    """The part of `kept` that does not depend on which worker was faster."""
    found = {name: data for name, data in kept(run).items() if name.endswith("result.json")}
    assert len(found) == 2
    return found


@pytest.mark.slow
def test_runs_killed_at_random_moments_resume_to_the_same_results(tmp_path: Path) -> None:
    import torch  # noqa: F401  (once, and not in every fork)

    chance = random.Random(7)
    counted = tmp_path / "calls"
    begun = time.monotonic()
    assert ended(start(arguments(tmp_path / "untouched"), lambda: kill_at(0, counted))) == 0
    seconds, calls = time.monotonic() - begun, int(counted.read_text())
    wanted = kept(tmp_path / "untouched")
    assert {Path(name).name for name in wanted} > {"result.json", "clips.jsonl", "identity.json"}
    assert any("/frames/" in name for name in wanted)
    killed = 0
    for number in range(24):
        folder = tmp_path / str(number)
        again: list[str] = []
        for _ in range(1 + number % 2):  # every second run is killed while resuming too
            if number % 4 == 3:
                process = start(arguments(folder, *again))
                time.sleep(chance.uniform(0, seconds))
                os.kill(process, signal.SIGKILL)
            else:
                at = chance.randint(1, calls)
                process = start(arguments(folder, *again), lambda at=at: kill_at(at))  # type: ignore[misc]
            killed += ended(process) == KILLED
            again = ["--resume"]
        assert ended(start(arguments(folder, "--resume"))) == 0, f"moment {number}"
        assert kept(folder) == wanted, f"moment {number}"
    assert killed >= 20


@pytest.mark.parametrize(("by", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_runs_ended_by_sigint_or_sigterm_resume_to_the_same_results(by: int, status: int, tmp_path: Path) -> None:
    import torch  # noqa: F401  (once, and not in every fork)

    counted = tmp_path / "calls"
    assert ended(start(arguments(tmp_path / "untouched"), lambda: kill_at(0, counted))) == 0
    wanted, half = kept(tmp_path / "untouched"), int(counted.read_text()) // 2
    for number in (2, half):
        folder = tmp_path / str(number)
        assert ended(start(arguments(folder), partial(kill_at, number, by=by))) == status
        assert ended(start(arguments(folder, "--resume"))) == 0
        assert kept(folder) == wanted


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are found in /proc")
@pytest.mark.parametrize(("by", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_workers_in_the_middle_of_their_clips(by: int, status: int, tmp_path: Path) -> None:
    """Each clip takes minutes: the run does not wait."""
    endless = "synthetic(clips=4,frames=100000,height=16,width=24)"
    command = [sys.executable, "-c", MAIN, *arguments(tmp_path / "run"), "--dataset", endless, "--workers", "2"]
    run = subprocess.Popen([*command, "--no-latency"], stderr=subprocess.PIPE, text=True)
    while sum(map(seconds, workers := children(run.pid))) < 6:  # the imports take one or two
        assert run.poll() is None
        time.sleep(0.02)
    run.send_signal(by)
    try:
        _, said = run.communicate(timeout=60)
    finally:
        run.kill()  # no effect if it has ended
    assert run.returncode == status
    assert re.fullmatch(
        rf"vssbench: interrupted in .* on .*; continue with --resume --output {tmp_path / 'run'}\n", said
    )
    wait_until_gone(workers)


@pytest.mark.slow
def test_clip_that_fails_in_a_worker_does_not_lose_the_others(tmp_path: Path) -> None:
    root = vspw(tmp_path / "vspw")
    mask = root / "data/b/mask/001.png"
    whole = mask.read_bytes()
    data = ["--dataset", "vspw", "--data-root", str(root), "--protocol", "exact", "--no-latency"]
    assert ended(start([*arguments(tmp_path / "untouched"), *data])) == 0
    mask.write_bytes(whole[:40])
    run = [*arguments(tmp_path / "run"), *data, "--workers", "2"]
    failed = vssbench(*run)
    assert_refused(failed)
    assert f"{mask}: " in failed.stderr
    mask.write_bytes(whole)
    assert vssbench(*run, "--resume").status == 0
    assert results(tmp_path / "run") == results(tmp_path / "untouched")


@pytest.mark.slow
def test_runs_stopped_by_a_full_disk_resume_to_the_same_results(tmp_path: Path) -> None:
    """A limit on file sizes stands in for the full disk: a write stops halfway, in any file."""
    assert ended(start(arguments(tmp_path / "untouched"))) == 0
    wanted = kept(tmp_path / "untouched")
    largest = max(file.stat().st_size for file in (tmp_path / "untouched").glob("*/result.json"))
    for limit in (largest // 20, largest // 4, largest // 2):
        folder = tmp_path / str(limit)
        limits = limit, resource.RLIM_INFINITY
        full = partial(resource.setrlimit, resource.RLIMIT_FSIZE, limits)
        assert ended(start(arguments(folder), full)) == 2, limit
        assert ended(start(arguments(folder, "--resume"))) == 0, limit
        assert kept(folder) == wanted, limit


@pytest.mark.parametrize("cause", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.ENAMETOOLONG])
def test_output_folder_that_cannot_be_created_is_one_error_message(
    cause: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A superuser, as in a container, may write anywhere: the system's answer is simulated."""

    def refuse(path: object, *_: object) -> None:
        raise OSError(cause, os.strerror(cause), path)

    command = arguments(tmp_path / "run")
    monkeypatch.setattr(os, "mkdir", refuse)
    refused = vssbench(*command)
    assert_refused(refused)
    assert f"{tmp_path / 'run'}: cannot be written: {os.strerror(cause)}" in refused.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["run.yaml"]


def test_second_process_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    command = arguments(tmp_path / "run")
    assert vssbench(*command).status == 0
    before = {file: file.read_bytes() for file in (tmp_path / "run").glob("**/*") if file.is_file()}
    lock = atomic.hold(tmp_path / "run")
    for more in ([], ["--resume"]):
        refused = vssbench(*command, *more)
        assert_refused(refused)
        assert "another vssbench process is writing here" in refused.stderr
    lock.release()
    assert {file: file.read_bytes() for file in (tmp_path / "run").glob("**/*") if file.is_file()} == before


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are found in /proc")
def test_worker_processes_end_when_the_run_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAIN, *arguments(tmp_path / "run")]
    run = subprocess.Popen([*command, "--workers", "2", "--no-latency"], stderr=subprocess.DEVNULL)
    while len(workers := children(run.pid)) < 3:  # the third is multiprocessing's resource tracker
        assert run.poll() is None
        time.sleep(0.02)
    run.kill()
    run.wait()
    wait_until_gone(workers)
    assert ended(start(arguments(tmp_path / "run", "--resume"))) == 0
    assert ended(start(arguments(tmp_path / "untouched"))) == 0
    assert results(tmp_path / "run") == results(tmp_path / "untouched")


def children(process: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def wait_until_gone(processes: list[int]) -> None:
    deadline = time.monotonic() + 60
    while left := [process for process in processes if state(process)[0] != "Z"]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def seconds(process: int) -> float:
    """Processor time that it has used."""
    _, *numbers = state(process)
    return sum(map(int, numbers[10:12])) / os.sysconf("SC_CLK_TCK")


def state(process: int) -> list[str]:
    """The process's state and the numbers after it in /proc; Z if it is gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["Z", *["0"] * 49]
