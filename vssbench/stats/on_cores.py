"""Process arrays on several cores: NumPy releases Python's lock while it computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from vssbench.environment import cores

T = TypeVar("T")
R = TypeVar("R")
MOST = 8
"""The most cores that are used: each needs its own memory."""


def workers() -> int:
    """Return the number of cores that are used."""
    return min(cores(), MOST)


def on_cores(job: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Run the job on each item and return the results in the order of the items."""
    with ThreadPoolExecutor(workers()) as pool:
        return list(pool.map(job, items))
