"""The common base of methods that wrap another one (`of`): what they declare, and the key frames on which `of` runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from vssbench import hooks
from vssbench.errors import UserError
from vssbench.hooks import RunsInner
from vssbench.load import Context
from vssbench.schedule import FixedInterval
from vssbench.specs import Spec
from vssbench.types import Frame, Prediction, Weights


@dataclass
class Group:
    """One key frame and the frames that depend on it.

    x, y: the inner method's input and output;  kept: anything else that the wrapper keeps from the key frame
    """

    index: int
    size: tuple[int, ...]
    x: Any
    y: Any = None
    prediction: Prediction | None = None
    kept: Any = None


class Wrapper:
    """A method that wraps the method `of`. Subclasses add `prepare`, `step` and `decode`.

    runs_inner:           of the class: whether `of` runs on key frames only or on every frame, which decides the cost
    of, context:          spec of the method to run, and what it is loaded with
    key_interval, offset: the key frames, see `FixedInterval`; left out if `of` runs on every frame
    Subclasses must pass on what the inner method reports of a frame (kind, age); every other frame is "nonkey".
    """

    runs_inner: ClassVar[RunsInner] = "key"

    def __init__(self, of: str | Spec, context: Context, key_interval: int = 1, offset: int = 0):
        self.inner = context.load(of)
        self.schedule = FixedInterval(key_interval, offset)
        self.name = f"{type(self).__name__.lower()}(of={self.inner.name})"
        self.needs = self.inner.needs
        self.lookahead = self.inner.lookahead * key_interval  # the inner method sees, and counts, key frames only
        self.weights: Weights = hooks.weights(self.inner)
        self._group: Group | None = None

    def reset(self) -> None:
        """Forget the clip."""
        self.inner.reset()
        self._group = None

    def group(self, frame: Frame) -> Group:
        """Return the group of the next frame; on a key frame a new one, for which the inner method prepares the frame.

        Raises UserError for a frame without a key frame: a nonkey frame right after `reset`, or one of another size.
        """
        size = frame.image.shape[:2]
        if self.schedule.is_key(frame.index, None if self._group is None else self._group.index):
            self._group = Group(frame.index, size, self.inner.prepare(frame))
        elif self._group is None or self._group.size != size:
            held = self._group
            why = "is the first after reset()" if held is None else f"is {size}, its key frame is {held.size}"
            raise UserError(
                f"{type(self).__name__.lower()} has no key frame for it: it {why}",
                where=f"clip {frame.clip!r}, frame {frame.index}",
                expected="the frames of a clip from index 0, all of one size",
            )
        return self._group

    def decode_key(self, group: Group) -> Prediction:
        """Return the inner method's prediction on a key frame, which the group also holds.

        The labels are a copy: the caller may write into what it gets, and what is held must not change with it.
        """
        group.prediction = self.inner.decode(group.y)
        return replace(group.prediction, labels=group.prediction.labels.copy())

    def held(self, group: Group, index: int) -> tuple[Prediction, int]:
        """Return the key frame's prediction, and its age on the frame at that index."""
        if group.prediction is None:
            raise RuntimeError("decode the key frame before the frames that depend on it")
        return group.prediction, group.prediction.age + index - group.index
