"""Clips over a Ray cluster: the same records on any number of workers, on two nodes, and when workers are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ray_cluster import Cluster, two_nodes
from tests.test_run import numbers
from vssbench.cluster import ATTEMPTS, connected
from vssbench.config import RunSpec
from vssbench.errors import MissingExtra
from vssbench.execute import longest_first
from vssbench.names import parse
from vssbench.result import read_result

DATASET = "synthetic(clips=6,frames=30,height=240,width=320)"
METHODS = "flowwarp(of=oracle),hold(key_interval=4,of=oracle)"
with_ray = pytest.mark.extra("ray")
TASKS = st.lists(
    st.tuples(st.sampled_from([parse("oracle"), parse("mpvss"), parse("mrcfa")]), st.sampled_from("abcdef")),
    unique=True,
)


@given(TASKS, st.fixed_dictionaries({clip: st.integers(1, 3) for clip in "abcdef"}))
def test_long_clips_come_first_and_no_method_twice(tasks: list[Any], lengths: dict[str, int]) -> None:
    ordered = longest_first(tasks, lengths)
    assert sorted(map(str, ordered)) == sorted(map(str, tasks))
    methods = [method for method, _ in ordered]
    assert list(dict.fromkeys(methods)) == list(dict.fromkeys(method for method, _ in tasks))
    assert sum(one != two for one, two in pairwise(methods)) == max(0, len(set(methods)) - 1)
    for (one, long), (two, short) in pairwise(ordered):
        assert one != two or lengths[long] >= lengths[short]


@given(TASKS)
def test_clips_of_one_length_keep_their_order(tasks: list[Any]) -> None:
    ordered = longest_first(tasks, dict.fromkeys("abcdef", 7))
    for method in {method for method, _ in tasks}:
        assert [task for task in ordered if task[0] == method] == [task for task in tasks if task[0] == method]


def test_without_ray_one_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"pip install 'vssbench\[ray\]'"), connected(RunSpec(address="auto")):
        pass


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with two_nodes() as found:
        yield found


def start(cluster: Cluster, output: Path, *more: str, **environment: str) -> subprocess.Popen[str]:
    """vssbench run --engine ray as a process."""
    command = [str(Path(sys.executable).with_name("vssbench")), "run", "--methods", METHODS, "--dataset", DATASET]
    options = ["--threads", "1", "--output", str(output), "--no-latency", "--json"]
    ray = ["--engine", "ray", "--address", cluster.address]
    return subprocess.Popen(
        [*command, *options, *ray, *more],
        env=cluster.environment | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finished(run: subprocess.Popen[str]) -> tuple[str, str]:
    """What it printed to stdout and stderr, once it ended well."""
    try:
        out, err = run.communicate(timeout=300)
    finally:
        run.kill()
    assert run.returncode == 0, err
    return out, err


def results(output: Path) -> list[dict[str, Any]]:
    """Every method's numbers, and its records without their seconds."""
    found = []
    for file in sorted(output.glob("*/result.json")):
        lines = [json.loads(line) for line in file.with_name("clips.jsonl").open()]
        records = sorted(({**line, "seconds": None} for line in lines), key=lambda record: record["clip"])
        found.append({**numbers(read_result(file)), "caveats": None, "records": records})
    assert len(found) == 2
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The same run in one process, without Ray."""
    output = tmp_path_factory.mktemp("alone") / "run"
    command = [str(Path(sys.executable).with_name("vssbench")), "run", "--methods", METHODS, "--dataset", DATASET]
    subprocess.run([*command, "--threads", "1", "--output", str(output), "--no-latency"], check=True)
    return results(output)


def working(cluster: Cluster, node: int) -> list[int]:
    """The processes on a node that are in the middle of a clip."""
    return [pid for pid, title in cluster.processes(node).items() if title.startswith("ray::Worker.run")]


@with_ray
@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_any_number_of_workers_gives_the_digits_of_one_process(
    cluster: Cluster, alone: list[dict[str, Any]], tmp_path: Path, workers: int
) -> None:
    run = start(cluster, tmp_path / "run", "--workers", str(workers))
    used: set[int] = set()
    peers: set[str] = set()
    while run.poll() is None:
        for node in (0, 1):
            if working(cluster, node):
                used.add(node)
            peers |= talking_to(cluster, node)
        time.sleep(0.05)
    out, err = finished(run)
    assert results(tmp_path / "run") == alone
    assert set(json.loads(out)) == {"methods", "output"}
    assert "Traceback" not in err
    if workers == 4:  # a node has room for two
        assert used == {0, 1}
    assert peers
    assert all(peer.removeprefix("::ffff:").startswith("127.") for peer in peers)


def talking_to(cluster: Cluster, node: int) -> set[str]:
    """The addresses at the other ends of a node's connections."""
    found = set()
    for pid in cluster.processes(node):
        try:
            found |= {one.raddr.ip for one in psutil.Process(pid).net_connections("tcp") if one.raddr}
        except psutil.Error:  # it has just ended
            continue
    return found


@with_ray
@pytest.mark.slow
def test_a_worker_killed_in_mid_clip_costs_that_clip_s_time_only(
    cluster: Cluster, alone: list[dict[str, Any]], tmp_path: Path
) -> None:
    run = start(cluster, tmp_path / "run", "--workers", "2")
    killed = 0
    while run.poll() is None and not killed:
        for pid in working(cluster, 0) + working(cluster, 1):
            os.kill(pid, signal.SIGKILL)
            killed = pid
            break
        time.sleep(0.02)
    finished(run)
    assert killed
    assert results(tmp_path / "run") == alone
    for file in (tmp_path / "run").glob("*/clips.jsonl"):
        assert len(file.read_text().splitlines()) == 6  # none was written twice


@with_ray
@pytest.mark.slow
def test_a_clip_that_kills_every_worker_is_named(cluster: Cluster, tmp_path: Path) -> None:
    run = start(cluster, tmp_path / "run", "--workers", "1", "--limit", "1", "--methods", "flowwarp(of=oracle)")
    killed: set[int] = set()
    while run.poll() is None:
        for pid in set(working(cluster, 0) + working(cluster, 1)) - killed:
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        time.sleep(0.02)
    out, err = run.communicate()
    assert run.returncode == 2
    assert out == ""
    assert f"{ATTEMPTS} workers died in a row" in err
    assert "val_0000" in err
    assert "Traceback" not in err


@with_ray
@pytest.mark.slow
def test_without_the_token_nobody_gets_in(cluster: Cluster, tmp_path: Path) -> None:
    run = start(cluster, tmp_path / "run", RAY_AUTH_TOKEN="0" * 64)
    out, err = run.communicate(timeout=300)
    assert run.returncode == 2
    assert out == ""
    assert "no Ray cluster can be used" in err
    assert "Traceback" not in err
