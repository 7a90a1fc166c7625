"""Key-frame schedules. The schedule belongs to the method, never to the dataset."""

from __future__ import annotations

from dataclasses import dataclass

from vssbench.errors import UserError


@dataclass(frozen=True)
class FixedInterval:
    """Every `key_interval`-th frame is a key frame, and so is frame 0.

    key_interval: frames from one key frame to the next, 1 = every frame
    offset:       0 .. key_interval - 1, where in the interval the first key frame after frame 0 falls

    >>> [i for i in range(12) if FixedInterval(5, 2).is_key(i)]
    [0, 2, 7]
    """

    key_interval: int = 5
    offset: int = 0

    def __post_init__(self) -> None:
        if self.key_interval < 1:
            raise UserError(f"key_interval={self.key_interval} does not fit", expected="1 or more")
        if not 0 <= self.offset < self.key_interval:
            raise UserError(
                f"offset={self.offset} does not fit", expected=f"0 to {self.key_interval - 1} (key_interval - 1)"
            )

    def is_key(self, index: int) -> bool:
        """Whether the frame at this position of its clip is a key frame."""
        return index == 0 or index % self.key_interval == self.offset
