"""Clips over a Ray cluster: the same records with any number of workers, on two nodes, and when workers are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import diary
from tests.helpers.ray_cluster import WORKER_PORTS, Cluster, two_nodes
from tests.helpers.timeless import numbers
from vssbench.bench import ray_pool
from vssbench.bench.pool import longest_first
from vssbench.bench.ray_pool import ATTEMPTS, connected
from vssbench.bench.session import Bench, Task
from vssbench.bench.spec import RunSpec
from vssbench.environment import processor
from vssbench.errors import MissingExtra, UserError
from vssbench.progress import Progress
from vssbench.results.record import read_result
from vssbench.specs import parse

DATASET = "synthetic(clips=6,frames=30,height=240,width=320)"
METHODS = "diary,hold(key_interval=4,of=diary)"
CLIPS = 6
with_ray = pytest.mark.extra("ray")
TASKS = st.lists(
    st.builds(Task, st.sampled_from([parse("oracle"), parse("mpvss"), parse("mrcfa")]), st.sampled_from("abcdef")),
    unique=True,
)


@given(TASKS, st.fixed_dictionaries({clip: st.integers(1, 3) for clip in "abcdef"}))
def test_longest_first_groups_by_method_and_sorts_by_length(tasks: list[Task], lengths: dict[str, int]) -> None:
    ordered = longest_first(tasks, lengths)
    assert sorted(map(str, ordered)) == sorted(map(str, tasks))
    methods = [task.method for task in ordered]
    assert list(dict.fromkeys(methods)) == list(dict.fromkeys(task.method for task in tasks))
    assert sum(one != two for one, two in pairwise(methods)) == max(0, len(set(methods)) - 1)
    for one, two in pairwise(ordered):
        assert one.method != two.method or lengths[one.clip] >= lengths[two.clip]


@given(TASKS)
def test_clips_of_equal_length_keep_their_order(tasks: list[Task]) -> None:
    ordered = longest_first(tasks, dict.fromkeys("abcdef", 7))
    for method in {task.method for task in tasks}:
        assert [task for task in ordered if task.method == method] == [task for task in tasks if task.method == method]


def test_missing_ray_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"pip install 'vssbench\[ray\]'"), connected(RunSpec(address="auto")):
        pass


class Inline:
    """A stand-in for `ray`: a worker's task runs when its result is fetched.

    lost: the node is lost after this many answers
    """

    exceptions = SimpleNamespace(RayTaskError=(), RayError=())

    def __init__(self, lost: int | None):
        self.lost, self.answers = lost, 0

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": self.answers != self.lost, "Resources": {"CPU": 4}}]

    def remote(self, **_: Any) -> Any:
        return lambda made: SimpleNamespace(remote=lambda: self._actor(made()))

    def _actor(self, worker: Any) -> Any:
        def asked(name: str) -> Any:
            return SimpleNamespace(remote=lambda *given: partial(getattr(worker, name), *given))

        return SimpleNamespace(open=asked("open"), run=asked("run"))

    def wait(self, awaited: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        if self.answers == self.lost:
            return [], awaited
        self.answers += 1
        return awaited[:1], awaited[1:]

    def get(self, asked: Any) -> Any:
        return asked()

    def kill(self, actor: Any) -> None: ...


@pytest.mark.parametrize(("lost", "ends"), [([None], True), ([1, 2, None], True), ([3, None], True), ([1] * 3, False)])
def test_cluster_without_nodes_is_reconnected_and_refused_after_three_losses(
    monkeypatch: pytest.MonkeyPatch, lost: list[int | None], ends: bool
) -> None:
    """Results from the lost cluster would never arrive."""
    clusters = iter(lost)

    @contextmanager
    def opened(spec: RunSpec) -> Iterator[Inline]:
        yield Inline(next(clusters))

    monkeypatch.setattr(ray_pool, "connected", opened)
    dataset = "synthetic(clips=3,frames=2,height=16,width=24)"
    bench = Bench(RunSpec(methods=["oracle"], dataset=dataset, engine="ray"))
    tasks = [Task(parse("oracle"), f"val_{number:04d}") for number in range(3)]
    found = ray_pool.clip_records(bench, tasks, Progress())
    if ends:
        assert sorted(task.clip for task, _ in found) == [task.clip for task in tasks]
        assert next(clusters, "no more") == "no more"
    else:
        with pytest.raises(UserError, match="the last node of the cluster was lost 3 times"):
            list(found)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which `diary` is a method, and where it writes."""
    folder = tmp_path_factory.mktemp("diary")
    return {"PYTHONPATH": str(diary.install(folder / "site")), "DIARY": str(folder / "diary.txt")}


@pytest.fixture(scope="module")
def cluster(plugin: dict[str, str]) -> Iterator[Cluster]:
    with two_nodes(**plugin) as found:
        yield found


@pytest.fixture
def pages(plugin: dict[str, str]) -> Path:
    """The diary, emptied."""
    path = Path(plugin["DIARY"])
    path.write_text("")
    return path


def command(output: Path, *more: str, latency: bool = False) -> list[str]:
    name = str(Path(sys.executable).with_name("vssbench"))
    options = ["--threads", "1", "--output", str(output), *([] if latency else ["--no-latency"])]
    return [name, "run", "--methods", METHODS, "--dataset", DATASET, *options, *more]


def start(cluster: Cluster, output: Path, *more: str, latency: bool = False, **given: str) -> subprocess.Popen[str]:
    """Start vssbench run --engine ray as a process. given: environment variables"""
    line = command(output, "--json", "--engine", "ray", "--address", cluster.address, *more, latency=latency)
    return subprocess.Popen(
        line, env=cluster.environment | given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finished(run: subprocess.Popen[str]) -> tuple[str, str]:
    """Wait for the run to succeed and return its stdout and stderr."""
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
def alone(tmp_path_factory: pytest.TempPathFactory, plugin: dict[str, str]) -> list[dict[str, Any]]:
    """The same run in one process, without Ray."""
    output = tmp_path_factory.mktemp("alone") / "run"
    subprocess.run(command(output), check=True, env=os.environ | plugin)
    return results(output)


def working(cluster: Cluster, node: int) -> list[int]:
    """The processes on a node that are in the middle of a clip."""
    return [pid for pid, title in cluster.processes(node).items() if title.startswith("ray::Worker.run")]


@with_ray
@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_ray_results_equal_those_of_one_process_for_any_number_of_workers(
    cluster: Cluster, alone: list[dict[str, Any]], pages: Path, tmp_path: Path, workers: int
) -> None:
    run = start(cluster, tmp_path / "run", "--workers", str(workers))
    used: set[int] = set()
    peers: set[str] = set()
    listening: list[set[int]] = [set(), set()]
    while run.poll() is None:
        for node in (0, 1):
            if any(title.startswith("ray::Worker") for title in cluster.processes(node).values()):
                used.add(node)
            for one in connections(cluster, node):
                if one.raddr:
                    peers.add(one.raddr.ip)
                elif one.status == psutil.CONN_LISTEN:
                    listening[node].add(one.laddr.port)
        time.sleep(0.05)
    out, err = finished(run)
    assert results(tmp_path / "run") == alone
    assert set(json.loads(out)) == {"methods", "output"}
    assert "Traceback" not in err
    if workers == 4:  # each node has room for two
        assert used == {0, 1}
    assert peers
    assert all(peer.removeprefix("::ffff:").startswith("127.") for peer in peers)
    for ports, named in zip(listening, cluster.ports, strict=True):  # docs/cluster.md closes these ports to all others
        assert named <= ports <= named | set(WORKER_PORTS)
    entries = diary.read(pages)
    ran = {entry.process for entry in entries if entry.what == "clip"} - {run.pid}
    assert 1 <= len(ran) <= workers
    by_driver = [place for place, entry in enumerate(entries) if entry.what == "clip" and entry.process == run.pid]
    by_workers = [place for place, entry in enumerate(entries) if entry.what == "clip" and entry.process in ran]
    assert max(by_workers) < min(by_driver)  # the driver repeats some frames after all clips, to compare predictions
    loads = Counter(entry.process for entry in entries if entry.what == "load" and entry.process in ran)
    assert set(loads.values()) <= {1, 2}  # once per method
    assert sum(loads.values()) >= 2


def connections(cluster: Cluster, node: int) -> Iterator[Any]:
    """The TCP sockets of a node's processes."""
    for pid in cluster.processes(node):
        with suppress(psutil.Error):  # it has just ended
            yield from psutil.Process(pid).net_connections("tcp")


@with_ray
@pytest.mark.slow
def test_killed_worker_costs_only_a_rerun_of_its_clip(
    cluster: Cluster, alone: list[dict[str, Any]], pages: Path, tmp_path: Path
) -> None:
    run = start(cluster, tmp_path / "run", "--workers", "2")
    victim = None
    while run.poll() is None and not victim:
        victim = in_mid_clip(pages, run.pid)
        time.sleep(0.01)
    assert victim
    os.kill(victim.process, signal.SIGKILL)
    finished(run)
    assert results(tmp_path / "run") == alone
    for file in (tmp_path / "run").glob("*/clips.jsonl"):
        assert len(file.read_text().splitlines()) == CLIPS  # no record was written twice
    started = [entry for entry in diary.read(pages) if entry.what == "clip" and entry.process != run.pid]
    twice = {f"val_{number:04d}": 2 for number in range(CLIPS)}  # once per method
    assert Counter(entry.clip for entry in started) == twice | {victim.clip: 3}
    by = [entry.process for entry in started if entry.clip == victim.clip]
    assert by.count(victim.process) <= 2
    assert by[-1] != victim.process


def in_mid_clip(pages: Path, driver: int) -> diary.Entry | None:
    """The start entry of a worker that has started a clip and is not near the end of the clip."""
    open_clips: dict[int, tuple[diary.Entry, int]] = {}
    for entry in diary.read(pages):
        if entry.what == "clip":
            open_clips[entry.process] = entry, 0
        elif entry.what == "step" and entry.process in open_clips:
            start, steps = open_clips[entry.process]
            open_clips[entry.process] = start, steps + 1
    found = [start for start, steps in open_clips.values() if 1 <= steps <= 5 and start.process != driver]
    return found[0] if found else None


@with_ray
@pytest.mark.slow
def test_driver_measures_speed_while_no_clip_runs(cluster: Cluster, pages: Path, tmp_path: Path) -> None:
    run = start(cluster, tmp_path / "run", "--workers", "2", "--limit", "3", latency=True)
    finished(run)
    entries = diary.read(pages)
    steps = [place for place, entry in enumerate(entries) if entry.process == run.pid and entry.what == "step"]
    others = [place for place, entry in enumerate(entries) if entry.process != run.pid]
    assert steps
    assert others
    assert max(others) < min(steps)
    for file in (tmp_path / "run").glob("*/result.json"):
        result = read_result(file)
        assert result.fps
        assert any("speed and cost on the driver's machine, with no clips running" in line for line in result.caveats)
        assert result.environment["cpu"] == processor()
        assert result.environment["accuracy_processors"] == [processor()]


HOLD = """
import sys, ray
ray.init(sys.argv[1], log_to_driver=False, logging_level="ERROR")
held = ray.util.placement_group([{"CPU": 1}] * 4)
ray.get(held.ready())
print("held", flush=True)
sys.stdin.read()
"""
ALONE = """
import sys
from vssbench.bench import ray_pool
from vssbench.bench.spec import RunSpec
from vssbench.errors import UserError
ray_pool.PATIENCE = 2.0
try:
    with ray_pool.alone(RunSpec(engine="ray", address=sys.argv[1])):
        import ray
        ray.util.placement_group([{"CPU": 1}] * 2).wait(5)  # all that the other node has
        left = ray.available_resources().get("CPU", 0)
    print("left", left)
except UserError as error:
    print(error)
"""


def python(cluster: Cluster, code: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-c", code, cluster.address]
    return subprocess.Popen(line, env=cluster.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@with_ray
@pytest.mark.slow
def test_speed_pass_refuses_a_busy_node_and_reserves_a_free_one(cluster: Cluster) -> None:
    with python(cluster, HOLD) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        refused, _ = python(cluster, ALONE).communicate(timeout=120)
        holder.communicate("")
    assert "speed is not measured on a shared machine" in refused
    granted, _ = python(cluster, ALONE).communicate(timeout=120)
    assert granted == "left 0\n"


@with_ray
@pytest.mark.slow
def test_local_ray_cluster_listens_on_loopback_only(
    alone: list[dict[str, Any]], plugin: dict[str, str], tmp_path: Path
) -> None:
    line = command(tmp_path / "run", "--engine", "ray", "--workers", "2")
    hosts: set[str] = set()
    with subprocess.Popen(line, env=os.environ | plugin) as run:
        while run.poll() is None:
            with suppress(psutil.Error):  # one has just ended
                for process in [psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True)]:
                    sockets = process.net_connections("tcp")
                    hosts |= {one.laddr.ip for one in sockets if one.status == psutil.CONN_LISTEN}
            time.sleep(0.1)
    assert run.returncode == 0
    assert results(tmp_path / "run") == alone
    assert hosts
    assert hosts <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}


@with_ray
@pytest.mark.slow
def test_killed_dashboard_agent_does_not_stall_the_run(
    alone: list[dict[str, Any]], plugin: dict[str, str], tmp_path: Path
) -> None:
    """Ray ends the whole node when its dashboard agent dies."""
    line = command(tmp_path / "run", "--engine", "ray", "--workers", "1")
    with subprocess.Popen(line, env=os.environ | plugin) as run:
        agent = None
        while run.poll() is None and not agent:
            if any((tmp_path / "run").glob("*/clips.jsonl")):
                children = psutil.Process(run.pid).children(recursive=True)
                agent = next((one for one in children if "ray::DashboardAgent" in " ".join(one.cmdline())), None)
            time.sleep(0.1)
        assert agent
        agent.kill()
        assert run.wait(timeout=240) == 0
    assert results(tmp_path / "run") == alone


@with_ray
@pytest.mark.slow
def test_error_names_the_clip_that_kills_every_worker(cluster: Cluster, tmp_path: Path) -> None:
    run = start(cluster, tmp_path / "run", "--workers", "1", "--limit", "1", "--methods", "diary")
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
def test_wrong_ray_token_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    run = start(cluster, tmp_path / "run", RAY_AUTH_TOKEN="0" * 64)
    out, err = run.communicate(timeout=300)
    assert run.returncode == 2
    assert out == ""
    assert "no Ray cluster can be used" in err
    assert "Traceback" not in err
