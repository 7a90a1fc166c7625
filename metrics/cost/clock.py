"""Two times of a piece of work: the wall's, and its own, as if nothing else had run on its processor.

Where one thread does all the work and never gives up the processor of its own accord, it loses it to others only: the
processor time that it had is what the work takes on a quiet machine, however busy this one is. Work that sleeps, reads
a file, waits for a device that interrupts, or is shared with other threads, is not seen by that clock: its own time is
the wall's. What the work does of its own accord it does at every repetition, so the repetitions vote: a page that had
to be fetched once, a lock that the system held once, changes nothing. Where the system does not count such switches
(macOS, Windows), own time is wall time.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from time import perf_counter, process_time, thread_time
from typing import NamedTuple

if sys.platform != "win32":
    import resource

_THREAD = None if sys.platform == "win32" else getattr(resource, "RUSAGE_THREAD", None)
OTHERS = 0.1
"""Share of the processor time from which on other threads of this process had a part in the work."""


Reading = tuple[float, int | None, float, float, float]
"""Seconds of the wall's clock, closest to the work before; how often this thread gave up the processor by itself, None
where unknown; seconds of the process's and of this thread's clock; the wall's again, closest to the work after.

A plain tuple, and one for the end of one piece of work and the start of the next: making it counts as work.
"""


class Spent(NamedTuple):
    """Seconds between two readings; alone: this thread did all the work and did not wait for anything of its own."""

    wall: float
    thread: float
    alone: bool


def read() -> Reading:
    """The clocks now."""
    return perf_counter(), _yielded(), process_time(), thread_time(), perf_counter()


def between(before: Reading, after: Reading) -> Spent:
    """What was spent from one reading to the next."""
    _, yields, process, thread, started = before
    ended, yields_after, process_after, thread_after, _ = after
    here = thread_after - thread
    others = process_after - process - here
    yielded = yields is None or yields != yields_after
    return Spent(ended - started, here, not yielded and others <= OTHERS * here)


def own(repetitions: Sequence[Spent]) -> list[float]:
    """Own seconds of repetitions of the same work."""
    alone = 2 * sum(spent.alone for spent in repetitions) > len(repetitions)
    return [min(spent.wall, spent.thread) if alone else spent.wall for spent in repetitions]


def _yielded() -> int | None:
    return None if _THREAD is None else resource.getrusage(_THREAD).ru_nvcsw
