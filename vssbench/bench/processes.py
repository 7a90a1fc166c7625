"""Tasks over worker processes of this machine: each opens what its tasks need once, none outlives who started it."""

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
"""How many tasks a message names where a worker died."""

GRACE = 10.0
"""Seconds for a worker to end by itself."""

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")


def in_processes(
    workers: int,
    opening: Callable[[], Callable[[Task], Outcome]],
    tasks: Iterable[Task],
    fix: str,
    name: Callable[[Task], str] = str,
) -> Iterator[tuple[Task, Outcome]]:
    """Every task with its outcome, as they finish; the workers start with the tasks in the order given.

    opening: called once in each worker, gives the function that does a task; it travels, so it is a module's function
    fix:     what to do where a worker died;  name: a task in words
    Raises what a task raises, and UserError where a worker dies. Whatever ends this early, Ctrl-C or a task that
    failed, does not wait for the tasks that are running.
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
            for future in sorted(finished, key=lambda one: one.exception() is not None):  # a failure ends it: last
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
            worker.terminate()  # somebody's thread in there may never end; all outcomes are here
            worker.join()


_opening: Callable[[], Callable[[Any], Any]] | None = None  # of this worker process


def _start(opening: Callable[[], Callable[[Any], Any]]) -> None:
    global _opening  # noqa: PLW0603  (an initializer has no other way to leave something for the tasks)
    _end_with_parent()
    _opening = opening


@cache
def _opened() -> Callable[[Any], Any]:
    """What does the tasks, made with the first of them: a mistake in there travels as the error that it is."""
    assert _opening is not None
    return _opening()


def _do(task: Any) -> Any:
    return _opened()(task)


def _end_with_parent() -> None:
    """Have this worker process end when the one that started it is gone: killed, it could not tell its workers."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait_and_end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait_and_end, daemon=True).start()
