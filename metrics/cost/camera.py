"""A camera and a method that handles one frame at a time: which frames it takes, and what is shown at each.

Times are whole microseconds since the first frame. Nothing here runs a network or knows how long one takes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Generic, Protocol, TypeVar

MICROSECONDS = 10**6
SLOWEST = 3600 * MICROSECONDS
"""The longest time between two frames; a method that needs longer for one frame has no rate here."""

Taken = TypeVar("Taken")
Output = TypeVar("Output")
Shown = tuple[int, Output]
"""(arrival of the frame that an output was made from, the output)."""


def arrival(index: int, fps: float) -> int:
    """Return when the camera delivers frame `index`: index / fps seconds, to the nearest microsecond."""
    return round(index * MICROSECONDS / Fraction(str(fps)))


class Waiting(Protocol[Taken]):
    """The frames that have arrived and have not been taken.

    dropped: how many were passed over for a newer one; those that still wait when a clip ends are not
    """

    dropped: int

    def __bool__(self) -> bool: ...
    def push(self, arrived: int, frame: Taken) -> None: ...
    def pop(self) -> tuple[int, Taken]: ...


class Newest(Generic[Taken]):
    """Take only the last of the waiting frames; those before it are dropped."""

    def __init__(self) -> None:
        self.dropped = 0
        self._last: deque[tuple[int, Taken]] = deque(maxlen=1)

    def __bool__(self) -> bool:
        return bool(self._last)

    def push(self, arrived: int, frame: Taken) -> None:
        self.dropped += len(self._last)
        self._last.append((arrived, frame))

    def pop(self) -> tuple[int, Taken]:
        return self._last.pop()


class InTurn(Generic[Taken]):
    """Take every frame in order. A queue may grow as long as the clip, so frames are read again rather than kept.

    again: the frames once more, from the first
    """

    def __init__(self, again: Iterable[Taken]):
        self.dropped = 0
        self._frames = iter(again)
        self._arrived: deque[int] = deque()

    def __bool__(self) -> bool:
        return bool(self._arrived)

    def push(self, arrived: int, frame: Taken) -> None:
        self._arrived.append(arrived)

    def pop(self) -> tuple[int, Taken]:
        return self._arrived.popleft(), next(self._frames)


def shown(
    frames: Iterable[tuple[int, Taken]],
    waiting: Waiting[Taken],
    process: Callable[[Taken], tuple[Output, int]],
) -> Iterator[tuple[Taken, Shown[Output] | None]]:
    """Yield every frame as it arrives, with what is shown at that instant; None before the first output.

    frames:  (arrival, frame), in order
    process: runs the method on one frame and returns its output, and how many microseconds it takes
    An output is shown from the instant at which it is finished. A method that becomes free at the instant at which a
    frame arrives may take that frame.
    """
    free = 0
    running: Shown[Output] | None = None
    on_show: Shown[Output] | None = None

    def take() -> None:
        nonlocal free, running, on_show
        if running is not None:
            on_show = running
        arrived, frame = waiting.pop()
        output, spent = process(frame)
        running, free = (arrived, output), max(free, arrived) + spent

    for now, frame in frames:
        while waiting and free < now:
            take()
        waiting.push(now, frame)
        while waiting and free <= now:
            take()
        if running is not None and free <= now:
            on_show, running = running, None
        yield frame, on_show


def highest_rate(spent: list[int]) -> float | None:
    """Return the highest rate, in frames/s, at which the newest frame is always taken before the next one arrives.

    spent: microseconds that each frame of a clip takes, when every frame is taken
    Returns None where even one frame per hour is too much, or no frame takes any time.
    """
    low, high = 0, SLOWEST  # between frames: too short, long enough
    if not any(spent) or not _keeps_up(spent, high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _keeps_up(spent, middle) else (middle, high)
    return MICROSECONDS / high


def _keeps_up(spent: list[int], period: int) -> bool:
    """Return whether no frame is still waiting when the next one arrives."""
    free = 0
    for index, time in enumerate(spent):
        start = max(free, index * period)
        if start >= (index + 1) * period:
            return False
        free = start + time
    return True
