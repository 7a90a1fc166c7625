"""Run many clips under many methods: in this process, in worker processes, or over a Ray cluster.

Each clip is one task and one record, so one process and eight write the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from vssbench.bench import ray_pool
from vssbench.bench.processes import in_processes
from vssbench.bench.session import Bench, Outcome, Task
from vssbench.bench.spec import RunSpec
from vssbench.progress import Progress


def clip_records(bench: Bench, tasks: Sequence[Task], progress: Progress) -> Iterator[tuple[Task, Outcome]]:
    """Yield the outcome of every task as it finishes: in order in this process, in any order with several workers."""
    if bench.spec.engine == "ray":
        return ray_pool.clip_records(bench, longest_first(tasks, bench.lengths), progress)
    if bench.spec.workers > 1:
        return _in_processes(bench, longest_first(tasks, bench.lengths), progress)
    return _here(bench, tasks, progress)


def longest_first(tasks: Sequence[Task], lengths: Mapping[str, int]) -> list[Task]:
    """Return the order in which workers take tasks: by method, long clips first, so that none runs alone at the end.

    A worker holds one method, so no method comes up twice. lengths: frames of each clip
    """
    turn = {method: place for place, method in enumerate(dict.fromkeys(task.method for task in tasks))}
    return sorted(tasks, key=lambda task: (turn[task.method], -lengths[task.clip]))


def alone(spec: RunSpec) -> AbstractContextManager[None]:
    """Return a context for timing in this process, during which no clips of the cluster run on this machine."""
    return ray_pool.alone(spec) if spec.engine == "ray" else nullcontext()


def _here(bench: Bench, tasks: Sequence[Task], progress: Progress) -> Iterator[tuple[Task, Outcome]]:
    for task in tasks:
        progress.show(str(task.method), task.clip)
        yield task, bench.run(task, progress.tick)
    bench.close()


def _in_processes(bench: Bench, tasks: Sequence[Task], progress: Progress) -> Iterator[tuple[Task, Outcome]]:
    """Do the same in worker processes; one that dies loses its clip and nothing else."""
    for task, outcome in in_processes(
        bench.spec.workers,
        partial(_worker, bench.spec),
        tasks,
        fix="continue with --resume, perhaps with fewer --workers: every finished clip is kept",
        name=lambda task: f"{task.method} on {task.clip}",
    ):
        progress.show(str(task.method), task.clip)
        progress.tick(bench.lengths[task.clip])
        yield task, outcome


def _worker(spec: RunSpec) -> Callable[[Task], Outcome]:
    return Bench(spec, listed=False).run
