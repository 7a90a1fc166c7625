"""Many clips under many methods: here, in worker processes, or over a Ray cluster.

Each clip is one task and one record, so one process and eight give the same bytes.
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
    """The outcome of every task, as it is finished: in order in this process, in any order with several workers."""
    if bench.spec.engine == "ray":
        return ray_pool.clip_records(bench, longest_first(tasks, bench.lengths), progress)
    if bench.spec.workers > 1:
        return _in_processes(bench, longest_first(tasks, bench.lengths), progress)
    return _here(bench, tasks, progress)


def longest_first(tasks: Sequence[Task], lengths: Mapping[str, int]) -> list[Task]:
    """The order in which free workers take tasks: method by method, long clips first, so that none is left over alone.

    A worker holds one method, so no method is taken up twice. lengths: frames of each clip
    """
    turn = {method: place for place, method in enumerate(dict.fromkeys(task.method for task in tasks))}
    return sorted(tasks, key=lambda task: (turn[task.method], -lengths[task.clip]))


def alone(spec: RunSpec) -> AbstractContextManager[None]:
    """A context for timing in this process: meanwhile no clips of the cluster run on this machine."""
    return ray_pool.alone(spec) if spec.engine == "ray" else nullcontext()


def _here(bench: Bench, tasks: Sequence[Task], progress: Progress) -> Iterator[tuple[Task, Outcome]]:
    for task in tasks:
        progress.show(str(task.method), task.clip)
        yield task, bench.run(task, progress.tick)
    bench.close()


def _in_processes(bench: Bench, tasks: Sequence[Task], progress: Progress) -> Iterator[tuple[Task, Outcome]]:
    """The same from worker processes; one that dies loses its clip and nothing else."""
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
