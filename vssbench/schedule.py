"""Key-frame schedules. The schedule belongs to the method, never to the dataset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vssbench.errors import UserError, suggest
from vssbench.specs import Spec
from vssbench.types import UInt8

THUMBNAIL = (18, 32)
"""The rows and columns of the pictures that `OnChange` compares."""


@dataclass(frozen=True)
class FixedInterval:
    """A schedule with a key frame every `key_interval` frames, and at frame 0.

    key_interval: frames from one key frame to the next, 1 = every frame
    offset:       0 .. key_interval - 1, the position in the interval of the first key frame after frame 0

    >>> [i for i in range(12) if FixedInterval(5, 2).is_key(i)]
    [0, 2, 7]
    """

    key_interval: int = 5
    offset: int = 0

    def __post_init__(self) -> None:
        if self.key_interval < 1:
            raise UserError(f"key_interval={self.key_interval} is not valid", expected="1 or more")
        if not 0 <= self.offset < self.key_interval:
            raise UserError(
                f"offset={self.offset} is not valid", expected=f"0 to {self.key_interval - 1} (key_interval - 1)"
            )

    def is_key(self, index: int, last: int | None = None) -> bool:
        """Whether the frame at this position of its clip is a key frame.

        last: position of the last key frame. Positions follow the frames' numbers, so a position due for a key frame
        may be missing: the next frame present becomes key instead, and the schedule does not shift.

        >>> [FixedInterval(5).is_key(index, last) for index, last in ((14, 10), (16, 10), (19, 16), (20, 16))]
        [False, True, False, True]
        """
        if last is None or index == 0:
            return index == 0 or index % self.key_interval == self.offset
        return (index - self.offset) // self.key_interval > (last - self.offset) // self.key_interval


@dataclass(frozen=True)
class OnChange:
    """A key frame whenever the picture has changed enough since the last one; in a spec, `auto(threshold=12,max=10)`.

    threshold: grey levels (0 .. 255); a frame is key if the mean absolute difference of thumbnails is at least this;
               12 makes about every fifth frame of the synthetic dataset a key frame
    max:       frames after which a key frame comes in any case

    >>> [OnChange(threshold=8, max=10).is_key(age, change) for age, change in ((1, 3.0), (2, 9.5), (10, 0.0))]
    [False, True, True]
    """

    threshold: float = 12.0
    max: int = 10

    def __post_init__(self) -> None:
        if not self.threshold > 0:
            raise UserError(f"threshold={self.threshold} is not valid", expected="grey levels, more than 0")
        if self.max < 1:
            raise UserError(f"max={self.max} is not valid", expected="1 or more frames")

    def is_key(self, age: int, change: float) -> bool:
        """Whether a frame `age` frames after the last key frame, which differs from it by `change`, is a key frame."""
        return age >= self.max or change >= self.threshold


def schedule(key_interval: int | str | Spec, offset: int = 0) -> FixedInterval | OnChange:
    """Return the schedule for a spec's arguments: a number of frames, or `auto(threshold=..., max=...)`."""
    if isinstance(key_interval, int):
        return FixedInterval(key_interval, offset)
    spec = Spec(key_interval) if isinstance(key_interval, str) else key_interval
    kinds: dict[str, type | tuple[type, ...]] = {"threshold": (int, float), "max": int}
    if spec.name != "auto" or spec.at is not None:
        raise UserError(
            f"key_interval={spec} is not valid", expected="a number of frames, or auto(threshold=12,max=10)"
        )
    if offset:
        raise UserError(f"offset={offset} does not apply to key_interval={spec}", expected="a fixed key_interval")
    args = dict(spec.args)
    for key, value in args.items():
        if key not in kinds:
            raise UserError(f"auto has no argument {key!r}", where=spec, expected=suggest(key, kinds))
        if not isinstance(value, kinds[key]) or isinstance(value, bool):
            raise UserError(f"{key}={value} is not valid", where=spec, expected="a number")
    return OnChange(**args)  # type: ignore[arg-type]


def thumbnail(image: UInt8) -> NDArray[np.float32]:
    """Reduce a frame, uint8[H, W, 3], to a small grey picture, float32[18, 32]: the means of blocks of pixels."""
    grey = image.mean(axis=2, dtype=np.float32)
    for axis, cells in enumerate(THUMBNAIL):
        edges = np.linspace(0, grey.shape[axis], cells + 1).astype(int)
        widths = np.maximum(np.diff(edges), 1).astype(np.float32)
        starts = np.minimum(edges[:-1], grey.shape[axis] - 1)
        grey = np.add.reduceat(grey, starts, axis=axis) / (widths if axis else widths[:, None])
    return np.asarray(grey, np.float32)


def change(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The mean absolute difference of two thumbnails, in grey levels."""
    return float(np.abs(one - other).mean())
