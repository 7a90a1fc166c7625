"""Run clips over a Ray cluster: each actor holds a Bench and runs one clip at a time; the records are the same.

The driver (this process) hands out clips and writes; workers read the dataset and the checkpoints under the same paths,
run clips and send records back. Every worker is compared with the driver before its first clip, and each clip's frames
when the clip is run. A worker that dies costs the time of its clip: another takes its place, on any node with room.

Out of scope here: speed and cost, which the driver measures after the last clip (`alone`).
"""

from __future__ import annotations

import os
import platform
import secrets
import sys
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, NamedTuple

from vssbench import environment
from vssbench.bench.node_check import listing, shared
from vssbench.bench.processes import NAMED
from vssbench.bench.session import Bench, Failed, Outcome, Task
from vssbench.bench.spec import RunSpec
from vssbench.errors import MissingExtra, UserError, first_line, listed
from vssbench.progress import Progress

ATTEMPTS = 3
"""Workers that may die on one clip before the clip is blamed; also how many in a row may fail to start."""
PATIENCE = 300.0
"""Seconds to wait for room in a busy cluster."""
LOOK = 5.0
"""Seconds without news from a worker before checking whether any node is left."""
OWN = "local"
"""The address that means a cluster of this run's own."""
OWN_STORE = 80_000_000
"""Bytes of that cluster's object store: only records pass through it."""


class Opened(NamedTuple):
    """What a worker reports: its node's name, its processor, and what must be the same as on the driver."""

    node: str
    machine: str
    shared: dict[str, str | None]


class Worker:
    """One process of the cluster. Its constructor does nothing, so that a user's error arrives as a UserError."""

    def open(self, spec: RunSpec, folder: str) -> Opened:
        """Open the dataset. folder: the driver's working folder, for relative paths, if the node has it."""
        with suppress(OSError):
            os.chdir(folder)
        self.bench = Bench(spec, listed=False)
        return Opened(platform.node(), environment.processor(), shared(self.bench))

    def run(self, task: Task, frames: str) -> Outcome:
        """Run one task. frames: the driver's `listing` of the clip."""
        if listing(self.bench, task.clip) != frames:
            raise UserError(
                f"the clip {task.clip!r} has different frames there than on the driver",
                where=platform.node(),
                expected="the same files under the same paths on every node",
            )
        return self.bench.run(task)


def clip_records(bench: Bench, tasks: Sequence[Task], progress: Progress) -> Iterator[tuple[Task, Outcome]]:
    """Yield the outcome of every task, in the order in which they finish.

    Where the last node is lost (Ray ends a node whose dashboard agent dies), the rest continues in a new connection;
    for a cluster of this run's own, that is a new cluster.
    Raises UserError where the cluster cannot be reached or has no room, where a worker sees different files or versions
    than the driver, and for a clip whose worker died in three attempts.
    """
    left = list(tasks)
    for _ in range(ATTEMPTS if left else 0):
        with connected(bench.spec) as ray:
            spread = Spread(ray, bench, left, progress)
            try:
                yield from spread.outcomes()
                return
            except ClusterLost:
                left = [*spread.tasks.values(), *spread.waiting]
    if left:
        raise UserError(
            f"the last node of the cluster was lost {ATTEMPTS} times",
            where=bench.spec.address,
            fix="`ray logs` says why; every finished clip is kept: --resume",
        )


class ClusterLost(Exception):
    """No node is left, so nothing that is awaited will arrive."""


class Spread:
    """Tasks spread over actors: a free actor takes the next task."""

    def __init__(self, ray: Any, bench: Bench, tasks: Sequence[Task], progress: Progress):
        threads = bench.spec.threads or 1
        self.ray, self.bench, self.progress = ray, bench, progress
        device = bench.spec.device.partition(":")[0]  # a worker sees only the GPU that it was given
        self.spec = bench.spec.model_copy(update={"threads": threads, "device": device})
        self.needs = {"num_cpus": threads, "num_gpus": int(device == "cuda")}
        self.shared = shared(bench)
        self.listings: dict[str, str] = {}
        self.waiting = deque(tasks)
        self.actors: dict[Any, Any] = {}  # what is awaited -> its actor
        self.tasks: dict[Any, Task] = {}  # what is awaited -> task; none while a worker is still opening
        self.deaths: Counter[Task | None] = Counter()
        self.machines: set[str] = set()

    def outcomes(self) -> Iterator[tuple[Task, Outcome]]:
        self._check_room()
        for _ in range(min(self.spec.workers, len(self.waiting))):
            self._hire()
        self.progress.show("ray", "waiting for workers")
        while self.waiting or self.tasks:
            try:
                finished = self._next()
            except KeyboardInterrupt as error:
                error.add_note(listed((f"{task.method} on {task.clip}" for task in self.tasks.values()), NAMED))
                raise
            outcome = self._take(finished)
            if outcome is not None:
                yield outcome

    def _next(self) -> Any:
        """Wait for what finishes next. Raises ClusterLost, and UserError where no worker starts within PATIENCE."""
        waited = 0.0
        while True:
            finished, _ = self.ray.wait(list(self.actors), timeout=LOOK)
            if finished:
                return finished[0]
            if not any(node["Alive"] for node in self.ray.nodes()):
                raise ClusterLost
            waited = 0.0 if self.tasks else waited + LOOK
            if waited >= PATIENCE:
                raise UserError(
                    f"no worker has started in {PATIENCE:.0f} seconds",
                    where=self.spec.address,
                    fix="`ray status` shows who is using the cluster; every finished clip is kept: --resume",
                )

    def _check_room(self) -> None:
        """Raise UserError where no node could hold a worker, even if idle."""
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        cpus, gpus = self.needs["num_cpus"], self.needs["num_gpus"]
        if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
            has = "; ".join(f"{node.get('CPU', 0):.0f} CPU, {node.get('GPU', 0):.0f} GPU" for node in nodes)
            raise UserError(
                f"no node of the cluster has the {cpus} CPU and {gpus} GPU that a worker takes",
                where=self.spec.address,
                expected=f"a node that has them; there are: {has}",
                fix="fewer --threads, or nodes started with more --num-cpus or --num-gpus",
            )

    def _hire(self) -> None:
        actor = self.ray.remote(**self.needs, max_restarts=0)(Worker).remote()
        self.actors[actor.open.remote(self.spec, os.getcwd())] = actor

    def _take(self, done: Any) -> tuple[Task, Outcome] | None:
        """Return the outcome of that actor's task, if it had one; the actor gets the next task or is ended."""
        actor, task = self.actors.pop(done), self.tasks.pop(done, None)
        try:
            value = self.ray.get(done)
        except self.ray.exceptions.RayTaskError as error:  # raised by the task; the worker is alive
            raise error.cause if isinstance(error.cause, UserError) else error from None
        except self.ray.exceptions.RayError as error:
            self.ray.kill(actor)  # it may only be out of reach
            return self._died(task, first_line(error))
        if task is None:
            self.deaths.pop(None, None)
            self._welcome(value)
        if self.waiting:
            following = self.waiting.popleft()
            if following.clip not in self.listings:
                self.listings[following.clip] = listing(self.bench, following.clip)
            result = actor.run.remote(following, self.listings[following.clip])
            self.actors[result], self.tasks[result] = actor, following
        else:
            self.ray.kill(actor)
        if task is None:
            return None
        self.progress.show(str(task.method), task.clip)
        self.progress.tick(self.bench.lengths[task.clip])
        return task, value

    def _welcome(self, opened: Opened) -> None:
        here, there = self.shared, opened.shared
        other = [key for key in sorted(here | there) if here.get(key) != there.get(key)]
        if other:
            differences = "; ".join(f"{key}: {there.get(key)} there, {here.get(key)} here" for key in other)
            raise UserError(
                f"a worker would measure something else ({differences})",
                where=opened.node,
                expected="the same versions and the same files under the same paths on every node",
            )
        self.machines.add(opened.machine)
        self.bench.machines = sorted(self.machines)

    def _died(self, task: Task | None, why: str) -> tuple[Task, Outcome] | None:
        """Replace a worker that died; its clip is run next, unless the clip has cost too many workers."""
        self.deaths[task] += 1
        if self.deaths[task] < ATTEMPTS:
            if task is not None:
                self.waiting.appendleft(task)
            self._hire()
            return None
        where = "before its first clip" if task is None else f"{task.method} on {task.clip}"
        reason = f"{ATTEMPTS} workers died in a row (killed, or out of memory?): {why}"
        if task is None or self.spec.on_error == "stop":
            raise UserError(reason, where=where, fix="`ray logs` says why; every finished clip is kept: --resume")
        self._hire()
        return task, Failed(task.clip, reason)


@contextmanager
def connected(spec: RunSpec) -> Iterator[Any]:
    """Yield the module `ray`, connected to the spec's cluster, or to a new one on this machine's loopback address.

    Raises MissingExtra, or UserError where no cluster accepts the connection.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    own: dict[str, Any] = {}
    if spec.address == OWN:
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # else anyone on this machine could run anything through it
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # else the outer address replaces 127.0.0.1
        own = {
            "num_cpus": spec.workers * (spec.threads or 1), "include_dashboard": False, "_node_ip_address": "127.0.0.1",
            "object_store_memory": OWN_STORE,
        }  # fmt: skip
    try:
        import ray
    except ImportError:
        raise MissingExtra.of("ray", "ray", "--engine ray") from None
    try:
        ray.init(spec.address, log_to_driver=False, logging_level="ERROR", **own)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise UserError(
            f"no Ray cluster can be used: {first_line(error)}",
            where=f"--address {spec.address}",
            expected="auto on a node of a cluster, the head's HOST:PORT, or local",
            fix="docs/cluster.md starts one; RAY_AUTH_MODE=token and RAY_AUTH_TOKEN must be the same as on its nodes",
        ) from None
    with redirect_stdout(sys.stderr):  # Ray prints messages of its nodes, the last ones at shutdown
        try:
            yield ray
        finally:
            ray.shutdown()


@contextmanager
def alone(spec: RunSpec) -> Iterator[None]:
    """Reserve this machine in the cluster, so that the cluster runs no other work here meanwhile.

    Raises UserError where the machine is not free within PATIENCE.
    """
    if spec.address == OWN:  # shut down by now
        yield
        return
    with connected(spec) as ray:
        here = ray.get_runtime_context().get_node_id()
        resources = next(node["Resources"] for node in ray.nodes() if node["NodeID"] == here)
        held = {name: resources[name] for name in ("CPU", "GPU") if resources.get(name)}
        if held:
            name = next(name for name in resources if name.startswith("node:") and name != "node:__internal_head__")
            group = ray.util.placement_group([held | {name: 0.001}])
            if not group.wait(PATIENCE):
                raise UserError(
                    f"other work has been running on this node of the cluster for {PATIENCE:.0f} seconds; "
                    "speed is not measured on a shared machine",
                    where=spec.address,
                    fix="--resume later, or --no-latency: every clip is kept",
                )
        yield  # the group ends with the connection
