"""Many clips under many methods: here, in worker processes, or over a Ray cluster.

Each clip is one task and one record, so one process and eight give the same bytes.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext
from itertools import islice

from vssbench.bench import ray_pool
from vssbench.bench.session import Bench, Failed, Ran, Task
from vssbench.bench.spec import RunSpec
from vssbench.errors import UserError
from vssbench.progress import Progress
from vssbench.specs import Spec


def clip_records(bench: Bench, tasks: Sequence[Task], progress: Progress) -> Iterator[tuple[Spec, Ran | Failed]]:
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
    turn = {method: place for place, method in enumerate(dict.fromkeys(method for method, _ in tasks))}
    return sorted(tasks, key=lambda task: (turn[task[0]], -lengths[task[1]]))


def alone(spec: RunSpec) -> AbstractContextManager[None]:
    """Around what is timed in this process: no clips of the cluster run on this machine meanwhile."""
    return ray_pool.alone(spec) if spec.engine == "ray" else nullcontext()


def _here(bench: Bench, tasks: Sequence[Task], progress: Progress) -> Iterator[tuple[Spec, Ran | Failed]]:
    for method, clip in tasks:
        progress.show(str(method), clip)
        yield method, bench.run(method, clip, progress.tick)
    bench.close()


def _in_processes(bench: Bench, tasks: Sequence[Task], progress: Progress) -> Iterator[tuple[Spec, Ran | Failed]]:
    """The same from worker processes; a worker that dies loses its clip and nothing else.

    Whatever ends this early, Ctrl-C or a clip that failed, does not wait for the clips that are running.
    """
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        bench.spec.workers, multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(bench.spec,)
    )
    waiting = iter(tasks)
    running: dict[Future[Ran | Failed], Task] = {}
    try:
        while True:
            for method, clip in islice(waiting, 2 * bench.spec.workers - len(running)):
                running[pool.submit(_work, method, clip)] = (method, clip)
            if not running:
                return
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in sorted(finished, key=lambda one: one.exception() is not None):  # a failure ends it: last
                method, clip = running.pop(future)
                ran = future.result()
                progress.show(str(method), clip)
                progress.tick(bench.lengths[clip])
                yield method, ran
    except BrokenProcessPool:
        raise UserError(
            "a worker process died (killed, or out of memory?)",
            where=", ".join(f"{method} on {clip}" for method, clip in running.values()) or None,
            fix="continue with --resume, perhaps with fewer --workers: every finished clip is kept",
        ) from None
    except BaseException:
        for worker in set(multiprocessing.active_children()) - others:
            worker.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_bench: Bench | None = None  # of this worker process


def _start_worker(spec: RunSpec) -> None:
    global _bench  # noqa: PLW0603  (an initializer has no other way to leave something for the tasks)
    end_with_parent()
    _bench = Bench(spec, listed=False)


def end_with_parent() -> None:
    """Have this worker process end when the one that started it is gone: killed, it could not tell its workers."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait_and_end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait_and_end, daemon=True).start()


def _work(method: Spec, clip: str) -> Ran | Failed:
    assert _bench is not None
    return _bench.run(method, clip)
