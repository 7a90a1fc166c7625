"""What the cost metrics ask of any method, without running it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vssbench.types import Method


def layers(method: Method) -> Iterator[Any]:
    """The method, the one that it wraps (`inner`), the one that that wraps, ..."""
    layer: Any = method
    while layer is not None:
        yield layer
        layer = getattr(layer, "inner", None)


def compiles(method: Method) -> bool:
    """Whether a network is compiled when it first sees a frame of some kind, which takes longer than all timed ones."""
    return any(getattr(getattr(layer, "numerics", None), "compile", False) for layer in layers(method))


def nominal_schedule(method: Method, has_nonkey: bool) -> dict[str, int] | None:
    """Frame kind -> how often it runs in one of the method's own intervals; None where that follows from the video.

    The interval is that of `schedule` (fixed) or `gop`; a method with neither runs key frames only, unless it is known
    to have others.
    """
    schedule = getattr(method, "schedule", method)
    interval = getattr(schedule, "key_interval", getattr(method, "gop", None))
    if isinstance(interval, int):
        return {"key": 1, "nonkey": interval - 1}
    return None if has_nonkey or schedule is not method else {"key": 1}
