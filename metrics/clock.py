"""Two times of a piece of work: the wall's, and its own, as if nothing else had run on its processor.

Where one thread does all the work and never gives up the processor of its own accord, it loses it to others only: the
processor time that it had is what the work takes on a quiet machine, however busy this one is. Work that sleeps, reads
a file, waits for a device that interrupts, or is shared with other threads, is not seen by that clock: its own time is
the wall's. What the work does of its own accord it does at every repetition, so the repetitions vote: a page that had
to be fetched once, a lock that the system held once, changes nothing. Where the system does not count such switches
(macOS), own time is wall time.
"""

from __future__ import annotations

import resource
from collections.abc import Sequence
from time import perf_counter, process_time, thread_time
from typing import NamedTuple

_THREAD = getattr(resource, "RUSAGE_THREAD", None)
OTHERS = 0.1
"""Share of the processor time from which on other threads of this process had a part in the work."""


class Reading(NamedTuple):
    """Clocks in seconds; yielded: how often this thread gave up the processor by itself, None where unknown."""

    yielded: int | None
    process: float
    thread: float
    wall: float


class Spent(NamedTuple):
    """Seconds from a reading on; alone: this thread did all the work and did not wait for anything of its own."""

    wall: float
    thread: float
    alone: bool


def start() -> Reading:
    """Read before the work; the wall's clock last, closest to it."""
    return Reading(_yielded(), process_time(), thread_time(), perf_counter())


def stop(started: Reading) -> Spent:
    """Read after the work."""
    wall = perf_counter() - started.wall
    thread = thread_time() - started.thread
    others = process_time() - started.process - thread
    yielded = started.yielded is None or _yielded() != started.yielded
    return Spent(wall, thread, not yielded and others <= OTHERS * thread)


def own(repetitions: Sequence[Spent]) -> list[float]:
    """Own seconds of repetitions of the same work."""
    alone = 2 * sum(spent.alone for spent in repetitions) > len(repetitions)
    return [min(spent.wall, spent.thread) if alone else spent.wall for spent in repetitions]


def _yielded() -> int | None:
    return None if _THREAD is None else resource.getrusage(_THREAD).ru_nvcsw
