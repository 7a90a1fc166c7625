"""The cheapest video method there is, and the one that any other has to beat: repeat the last key frame's labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from vssbench.errors import UserError
from vssbench.load import Context
from vssbench.schedule import FixedInterval
from vssbench.specs import Spec
from vssbench.types import Frame, Prediction, Weights


@dataclass
class _Group:
    """One key frame and the frames that live on it. x: the inner method's input, y: its output."""

    index: int
    size: tuple[int, ...]
    x: Any
    y: Any = None
    prediction: Prediction | None = None


class Hold:
    """`of` on key frames; on the others nothing runs and the key frame's labels are said again.

    The inner method sees key frames only, so it is prepared, stepped and decoded on those alone. What it reports of
    them (kind, age) is passed on; a repeated frame is "nonkey", its age counted from there.

    of:                   spec of the method to run on key frames
    key_interval, offset: see `FixedInterval`
    """

    def __init__(self, of: str | Spec, context: Context, key_interval: int = 5, offset: int = 0):
        self.inner = context.load(of)
        self.schedule = FixedInterval(key_interval, offset)
        self.name = f"hold(of={self.inner.name})"
        self.needs = self.inner.needs
        self.lookahead = self.inner.lookahead * key_interval  # it counts the frames it sees: key frames
        self.weights: Weights = getattr(self.inner, "weights", Weights())
        self._group: _Group | None = None

    def reset(self) -> None:
        """Forget the key frame."""
        self.inner.reset()
        self._group = None

    def prepare(self, frame: Frame) -> tuple[int, _Group]:
        """(index, the group it belongs to)."""
        size = frame.image.shape[:2]
        if self.schedule.is_key(frame.index):
            self._group = _Group(frame.index, size, self.inner.prepare(frame))
        elif self._group is None or self._group.size != size:
            why = (
                "is the first after reset()" if self._group is None else f"is {size}, its key frame {self._group.size}"
            )
            raise UserError(
                f"hold has no key frame for it: it {why}",
                where=f"clip {frame.clip!r}, frame {frame.index}",
                expected="the frames of a clip from index 0, all of one size",
            )
        return frame.index, self._group

    def step(self, x: tuple[int, _Group]) -> tuple[int, _Group]:
        """The inner method on a key frame; nothing at all on the others."""
        index, group = x
        if index == group.index:
            group.y = self.inner.step(group.x)
        return x

    def decode(self, y: tuple[int, _Group]) -> Prediction:
        """The inner method's prediction on a key frame; a copy of its labels on the others."""
        index, group = y
        if index == group.index:
            group.prediction = self.inner.decode(group.y)
            # The caller owns what it is given and may write into it; what is held must not change with it.
            return replace(group.prediction, labels=group.prediction.labels.copy())
        if group.prediction is None:
            raise RuntimeError("hold: decode the key frame before the frames that repeat it")
        age = group.prediction.age + index - group.index
        return Prediction(group.prediction.labels.copy(), "nonkey", age)
