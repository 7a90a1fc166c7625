"""Two times of a piece of work: the wall's, and its own, as if nothing else had run on its processor.

A thread that never gave up the processor of its own accord lost it to others only: its own time is then the processor
time that it had. One that did (it slept, read a file, waited for another thread or a device that interrupts) was
waiting for something of its own, which the processor's clock does not see: its own time is the wall's. On a quiet
machine the two agree. Where the system does not count such switches (macOS), own time is wall time.
"""

from __future__ import annotations

import resource
from time import perf_counter, thread_time
from typing import NamedTuple

_THREAD = getattr(resource, "RUSAGE_THREAD", None)


class Reading(NamedTuple):
    """wall, processor: seconds; yielded: how often this thread gave up the processor by itself, None where unknown."""

    wall: float
    processor: float
    yielded: int | None


class Spent(NamedTuple):
    """Seconds from one reading to the next."""

    wall: float
    own: float


def start() -> Reading:
    """Read before the work; the wall's clock last, closest to it."""
    yielded, processor = _yielded(), thread_time()
    return Reading(perf_counter(), processor, yielded)


def stop(started: Reading) -> Spent:
    """Read after the work."""
    wall = perf_counter() - started.wall
    processor = thread_time() - started.processor
    alone = started.yielded is not None and _yielded() == started.yielded
    return Spent(wall, min(wall, processor) if alone else wall)


def _yielded() -> int | None:
    return None if _THREAD is None else resource.getrusage(_THREAD).ru_nvcsw
