"""A vssbench plugin in full: a method, a metric and a dataset, found through the entry points in pyproject.toml."""

import numpy as np

from vssbench import Frame, LabelSpace, Prediction
from vssbench.metrics.accuracy.clip_states import Totals


class Brightness:
    """Class 1 where the running mean of the brightness is above the middle."""

    name, needs, lookahead, classes = "brightness", frozenset(), 0, 2

    def __init__(self, decay: float = 0.5):
        self.decay, self.mean = decay, None

    def reset(self):
        self.mean = None

    def prepare(self, frame):
        return frame.image.mean(axis=2)

    def step(self, x):
        self.mean = x if self.mean is None else self.decay * self.mean + (1 - self.decay) * x
        return self.mean

    def decode(self, y):
        return Prediction((y > 127).astype(np.uint8), "key")


class Flicker:
    """Share of pixels whose predicted class differs from that in the previous frame, %."""

    name, higher_is_better = "flicker", False

    def __init__(self, space, specs):
        self.changed, self.pixels, self.before = 0, 0, None

    def update(self, frame, prediction):
        if frame.index > 0:
            self.changed += int((self.before != prediction.labels).sum())
            self.pixels += prediction.labels.size
        self.before = prediction.labels.copy()

    def merge(self, other):
        self.changed, self.pixels = self.changed + other.changed, self.pixels + other.pixels

    def state(self):
        return {"changed": self.changed, "pixels": self.pixels}

    def load(self, state):
        self.changed, self.pixels = state["changed"], state["pixels"]

    def compute(self):
        return {"flicker": 100 * self.changed / self.pixels if self.pixels else None}

    # What follows is optional: with it the metric has an interval over clips, and methods can be compared by it.

    @classmethod
    def totals(cls, spec, clips):
        """Return both numbers of each clip, and the figure for their sums. Every clip counts: no labels are needed."""
        states = {record.clip: record.states[cls.name] for record in clips.all}
        columns = np.array([[state["changed"], state["pixels"]] for state in states.values()], np.float64)
        return Totals(tuple(states), columns.reshape(-1, 2), cls.share)

    @staticmethod
    def share(sums):
        changed, pixels = sums[..., 0], sums[..., 1]
        return np.divide(100 * changed, pixels, out=np.full(changed.shape, np.nan), where=pixels > 0)


class Checkerboard:
    """Clips of a board that moves by one pixel per frame, across or down; class 1 is white. more: additional clips"""

    name = "checkerboard"
    space = LabelSpace(
        name="checkerboard",
        names=("black", "white"),
        colours=np.array([[0, 0, 0], [255, 255, 255]], np.uint8),
        from_file=np.array([0, 1] + [255] * 254, np.uint8),
        to_file=np.array([0, 1], np.uint8),
        known=np.arange(256) < 2,
    )

    def __init__(self, root=None, split="val", length: int = 8, more: int = 0):
        self.length, self.more = length, more

    def clips(self):
        return ["across", "down", *(f"across{number}" for number in range(self.more))]

    def stems(self, clip):
        return [f"{index:03d}" for index in range(self.length)]

    def frames(self, clip):
        rows, columns = np.indices((32, 40)) // 8
        for index, stem in enumerate(self.stems(clip)):
            labels = np.roll((rows + columns) % 2, index, axis=int(clip != "down")).astype(np.uint8)
            yield Frame(clip, index, np.repeat(labels[..., None] * np.uint8(255), 3, axis=2), labels, stem=stem)

    def labels(self, clip):
        return ((frame.stem, frame.labels) for frame in self.frames(clip))
