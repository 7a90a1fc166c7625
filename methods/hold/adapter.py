"""The cheapest video method there is, and the one that every other has to beat: repeat the last key frame's labels."""

from __future__ import annotations

from vssbench.load import Context
from vssbench.specs import Spec
from vssbench.types import Frame, Prediction
from vssbench.wrapping import Group, Wrapper


class Hold(Wrapper):
    """`of` on key frames; on the others nothing runs and the key frame's labels are repeated.

    The inner method sees only key frames, so prepare, step and decode are called on those alone. What it reports for
    them (kind, age) is passed on; a repeated frame is "nonkey", its age counted from the key frame's.

    of:           spec of the method to run on key frames
    key_interval: frames from one key frame to the next; 1: every frame is one
    offset:       position in the interval of the first key frame after frame 0
    """

    def __init__(self, of: str | Spec, context: Context, key_interval: int = 5, offset: int = 0):
        super().__init__(of, context, key_interval, offset)

    def prepare(self, frame: Frame) -> tuple[int, Group]:
        """Return (index, the group it belongs to)."""
        return frame.index, self.group(frame)

    def step(self, x: tuple[int, Group]) -> tuple[int, Group]:
        """Run the inner method on a key frame, nothing on the others."""
        index, group = x
        if index == group.index:
            group.y = self.inner.step(group.x)
        return x

    def decode(self, y: tuple[int, Group]) -> Prediction:
        """Return the inner method's prediction on a key frame, a copy of its labels on the others."""
        index, group = y
        if index == group.index:
            return self.decode_key(group)
        key, age = self.held(group, index)
        return Prediction(key.labels.copy(), "nonkey", age)
