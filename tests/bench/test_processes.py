"""Tasks over worker processes: every outcome once, errors unchanged, no waiting for unwanted results."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from vssbench.bench.processes import in_processes
from vssbench.errors import UserError

FIX = "run again"


def squares(opened: Path) -> Callable[[int], int]:
    (opened / str(os.getpid())).touch()
    return lambda number: number**2


def failing() -> Callable[[int], int]:
    raise UserError("nothing to open", where="there")


def sleeping_after(first: int) -> Callable[[int], int]:
    return lambda number: number if number == first else time.sleep(600)  # type: ignore[return-value]


def dying() -> Callable[[int], int]:
    return lambda number: os._exit(9)


def test_each_task_runs_once_and_each_worker_opens_once(tmp_path: Path) -> None:
    assert dict(in_processes(2, partial(squares, tmp_path), range(20), FIX)) == {n: n**2 for n in range(20)}
    assert 1 <= len(list(tmp_path.iterdir())) <= 2
    assert list(in_processes(2, partial(squares, tmp_path), (), FIX)) == []


def test_error_from_opening_a_worker_is_raised_unchanged() -> None:
    with pytest.raises(UserError, match="there: nothing to open"):
        list(in_processes(1, failing, range(3), FIX))


def test_error_for_a_dead_worker_names_its_tasks() -> None:
    with pytest.raises(UserError, match=r"(?s)task (0|1).*a worker process died.*fix: run again"):
        list(in_processes(1, dying, range(3), FIX, name=lambda number: f"task {number}"))


def test_closing_early_does_not_wait_for_running_tasks() -> None:
    start = time.monotonic()
    outcomes = in_processes(2, partial(sleeping_after, 0), range(6), FIX)
    assert next(outcomes) == (0, 0)
    outcomes.close()  # type: ignore[attr-defined]
    assert time.monotonic() - start < 120
