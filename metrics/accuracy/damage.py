"""Counts read back from a file: what no metric can have written is refused in one message, before it is added up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vssbench.errors import UserError
from vssbench.metrics.accuracy.clip_states import ClipStates

EXACT = 2**53
"""Sums of whole numbers below it are exact in float64 too."""


class Damage(ValueError):
    """An expectation about a state that does not hold."""


@contextmanager
def refusing_damage(record: ClipStates, state: str) -> Iterator[None]:
    """A context for decoding one clip's state: anything that does not fit becomes a UserError that names the clip."""
    try:
        yield
    except (Damage, KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        expected = str(error) if isinstance(error, Damage) else "what a run wrote"
        raise UserError(
            f"the record of clip {record.clip!r} is damaged: its counts ({state}) are not those of a run",
            expected=expected,
            fix="delete its line in clips.jsonl; vssbench run ... --resume measures the clip again",
        ) from error


def require(holds: bool, expected: str) -> None:
    """Raise Damage unless the expectation holds."""
    if not holds:
        raise Damage(expected)


def whole(value: Any) -> int:
    """Return a whole number, 0 or more; it may be written as the key of a JSON object."""
    number = int(value) if isinstance(value, str) and value.isdecimal() and value.isascii() else value
    require(type(number) is int and 0 <= number < EXACT, "whole numbers, 0 or more")
    return int(number)


def whole_numbers(values: Sequence[Any]) -> NDArray[np.int64]:
    """Return int64[N] from a list of whole numbers."""
    require(isinstance(values, list), "lists of whole numbers")
    if not values:
        return np.empty(0, np.int64)
    require(set(map(type, values)) == {int}, "lists of whole numbers")  # a bool is an int to NumPy
    found = np.array(values)
    require(found.dtype.kind == "i", "whole numbers, 0 or more")  # larger ones have a different kind
    require(int(found.min()) >= 0 and int(found.max()) < EXACT, "whole numbers, 0 or more")
    return found.astype(np.int64)


def require_own(record: ClipStates, state: Sequence[Any]) -> None:
    """Raise Damage unless a state has as many frames, and labelled frames, as its record says."""
    for name, expected in (("frames", record.frames), ("labelled", record.labelled)):
        require(sum(whole(clip[name]) for clip in state) == expected, f"{expected} {name}, as the record says")
