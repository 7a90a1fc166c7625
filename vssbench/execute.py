"""Many clips under many methods, here or in worker processes.

Each clip is one task and one record, so one process and eight give the same bytes.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

from vssbench.bench import Bench, Failed, Ran
from vssbench.config import RunSpec
from vssbench.errors import UserError
from vssbench.names import Spec
from vssbench.progress import Progress

Task = tuple[Spec, str]


def clip_records(bench: Bench, tasks: Sequence[Task], progress: Progress) -> Iterator[tuple[Spec, Ran | Failed]]:
    """The outcome of every task, as it is finished: in order in this process, in any order with several workers."""
    return (_in_processes if bench.spec.workers > 1 else _here)(bench, tasks, progress)


def _here(bench: Bench, tasks: Sequence[Task], progress: Progress) -> Iterator[tuple[Spec, Ran | Failed]]:
    for method, clip in tasks:
        progress.show(str(method), clip)
        yield method, bench.run(method, clip, progress.tick)
    bench.close()


def _in_processes(bench: Bench, tasks: Sequence[Task], progress: Progress) -> Iterator[tuple[Spec, Ran | Failed]]:
    """The same from worker processes; a worker that dies loses its clip and nothing else."""
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
            for future in finished:
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
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_bench: Bench | None = None  # of this worker process


def _start_worker(spec: RunSpec) -> None:
    global _bench  # noqa: PLW0603  (an initializer has no other way to leave something for the tasks)
    end_with_parent()
    _bench = Bench(spec)


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
