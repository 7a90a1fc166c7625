"""Run tasks in worker processes on this machine: each opens what its tasks need once, and none outlives its parent."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from vssbench.errors import UserError, listed

NAMED = 4
"""How many tasks a message names when a worker has died."""

GRACE = 10.0
"""Seconds that a worker gets to end by itself."""

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")


def in_processes(
    workers: int,
    opening: Callable[[], Callable[[Task], Outcome]],
    tasks: Iterable[Task],
    fix: str,
    name: Callable[[Task], str] = str,
) -> Iterator[tuple[Task, Outcome]]:
    """Yield every task with its outcome, as they finish; workers take tasks in the order given.

    opening: called once in each worker, returns the function that does a task; pickled, so a module-level function
    fix:     what to do if a worker dies;  name: a task in words
    Raises what a task raises, and UserError where a worker dies. If this ends early (Ctrl-C, or a task that failed),
    it does not wait for the tasks that are running.
    """
    others = set(multiprocessing.active_children())
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, spawn, initializer=_start, initargs=(opening,))
    waiting = iter(tasks)
    running: dict[Future[Outcome], Task] = {}
    try:
        while True:
            for task in islice(waiting, 2 * workers - len(running)):
                running[pool.submit(_do, task)] = task
            if not running:
                return
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in sorted(finished, key=lambda one: one.exception() is not None):  # failures last: they end it
                outcome = future.result()
                yield running.pop(future), outcome
    except BrokenProcessPool:
        raise UserError(
            "a worker process died (killed, or out of memory?)",
            where=listed(map(name, running.values()), NAMED),
            fix=fix,
        ) from None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            error.add_note(listed(map(name, islice(running.values(), workers)), NAMED))
        for worker in set(multiprocessing.active_children()) - others:
            worker.terminate()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in set(multiprocessing.active_children()) - others:
            worker.join(GRACE)
            worker.terminate()  # a thread in there may never end; all outcomes have arrived
            worker.join()


_opening: Callable[[], Callable[[Any], Any]] | None = None  # of this worker


def _start(opening: Callable[[], Callable[[Any], Any]]) -> None:
    global _opening  # noqa: PLW0603  (an initializer has no other way to leave something for the tasks)
    _end_with_parent()
    _opening = opening


@cache
def _opened() -> Callable[[Any], Any]:
    """Return the function that does the tasks, made at the first task so that an error in it reaches the parent."""
    assert _opening is not None
    return _opening()


def _do(task: Any) -> Any:
    return _opened()(task)


def _end_with_parent() -> None:
    """Make this worker end when its parent is gone: a parent that is killed cannot tell its workers."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait_and_end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait_and_end, daemon=True).start()
