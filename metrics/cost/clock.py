"""Two times of a piece of work: wall time, and own time, as if nothing else had run on its processor.

Where one thread does all the work and never yields the processor voluntarily, it loses the processor only to others:
its processor time is what the work takes on a quiet machine, however busy this one is. That clock does not see work
that sleeps, reads a file, waits for a device that interrupts, or is shared with other threads; the own time of such
work is its wall time. What the work does voluntarily it does at every repetition, so the repetitions vote: a page that
had to be fetched once, or a lock that the system held once, changes nothing. Where the system does not count such
switches (macOS, Windows), own time is wall time.
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
"""From this share of the processor time on, other threads of this process count as having shared the work."""


Reading = tuple[float, int | None, float, float, float]
"""Wall clock in seconds, closest to the work before; how often this thread yielded the processor voluntarily, None
where unknown; the process's and this thread's clock in seconds; the wall clock again, closest to the work after.

It is a plain tuple, and one serves as the end of one piece of work and the start of the next: making it counts as work.
"""


class Spent(NamedTuple):
    """Seconds between two readings; alone: this thread did all the work and never waited voluntarily."""

    wall: float
    thread: float
    alone: bool


def read() -> Reading:
    """Read the clocks now."""
    return perf_counter(), _yielded(), process_time(), thread_time(), perf_counter()


def between(before: Reading, after: Reading) -> Spent:
    """Return the time spent from one reading to the next."""
    _, yields, process, thread, started = before
    ended, yields_after, process_after, thread_after, _ = after
    here = thread_after - thread
    others = process_after - process - here
    yielded = yields is None or yields != yields_after
    return Spent(ended - started, here, not yielded and others <= OTHERS * here)


def own(repetitions: Sequence[Spent]) -> list[float]:
    """Return the own seconds of repetitions of the same work."""
    alone = 2 * sum(spent.alone for spent in repetitions) > len(repetitions)
    return [min(spent.wall, spent.thread) if alone else spent.wall for spent in repetitions]


def _yielded() -> int | None:
    return None if _THREAD is None else resource.getrusage(_THREAD).ru_nvcsw
