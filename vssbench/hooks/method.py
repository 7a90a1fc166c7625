"""What follows from the hooks of a method and its inner methods: the layers, the weights, the key frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from vssbench.hooks.lookup import usable
from vssbench.hooks.protocols import Plans, RunsInner
from vssbench.types import Method, Weights


def inner(method: object) -> Method | None:
    """The inner method of a wrapper; None for any other method."""
    found: Method | None = usable(method, "inner")
    return found


def named_by(method: object, argument: str) -> Method | None:
    """The method named by an argument in `specs.INSIDE`: the inner method, or the attribute of the argument's name."""
    found = inner(method) if argument == "of" else getattr(method, argument, None)
    return found if isinstance(found, Method) else None


def runs_inner(wrapper: object) -> RunsInner | None:
    """The frames on which a wrapper runs its inner method; None if it does not say."""
    found: RunsInner | None = usable(wrapper, "runs_inner")
    return found


def layers(method: object) -> Iterator[Any]:
    """Yield the method, its inner method, the inner method of that, and so on."""
    layer: Any = method
    while layer is not None:
        yield layer
        layer = inner(layer)


def weights(method: object) -> Weights:
    """Where the method's weights come from; a wrapper that does not say has those of its inner method."""
    said = (usable(layer, "weights") for layer in layers(method))
    return next((found for found in said if found is not None), Weights())


def gop(method: object) -> int | None:
    """Frames from one key frame to the next that the method, or its inner method, asks of a video codec."""
    return next((found for layer in layers(method) if (found := usable(layer, "gop")) is not None), None)


def compiles(method: object) -> bool:
    """Whether a network is compiled on its first frame of each kind, which takes longer than all timed frames."""
    return any((numerics := usable(layer, "numerics")) is not None and numerics.compile for layer in layers(method))


def chosen(method: object, argument: str, default: object) -> object:
    """The value that an argument left to its default took on, such as a backbone that depends on the classes.

    A method reports it as an attribute of the argument's name.
    """
    try:
        return getattr(method, argument, default)
    except Exception:  # a foreign property, which may mean something else
        return default


def key_interval(method: object) -> int | None:
    """Frames from one key frame to the next under a fixed `schedule` or `gop`; None if there is neither."""
    schedule = usable(method, "schedule")
    return usable(method, "gop") if schedule is None else getattr(schedule, "key_interval", None)


def nominal_schedule(method: object, has_nonkey: bool) -> dict[str, int] | None:
    """Frame kind -> how often it runs in one of the method's own intervals; None if that depends on the video.

    has_nonkey: whether it is known to have nonkey frames; if not, one without `schedule` and `gop` runs key frames only
    """
    wrapped, interval = inner(method), key_interval(method)
    if wrapped is not None and runs_inner(method) == "every":
        return nominal_schedule(wrapped, has_nonkey)
    if wrapped is not None and runs_inner(method) == "key":
        within = nominal_schedule(wrapped, has_nonkey=False)
        if within is None or interval is None:
            return None
        return {**within, "nonkey": within.get("nonkey", 0) + (interval - 1) * sum(within.values())}
    if interval is not None:
        return {"key": 1, "nonkey": interval - 1}
    return None if has_nonkey or usable(method, "schedule") is not None else {"key": 1}


def key_frames(method: object, lengths: Sequence[int]) -> list[int] | None:
    """The number of key frames in clips of those lengths; None if that is not fixed."""
    schedule = usable(method, "schedule")
    if not isinstance(schedule, Plans):
        return None
    return [sum(map(schedule.is_key, range(length))) for length in lengths]
