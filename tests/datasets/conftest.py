"""A labelled dataset held in memory, from which the layouts are written."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from vssbench.datasets.label_spaces import load_space
from vssbench.types import IGNORE, Frame, LabelSpace


@dataclass
class Arrays:
    """Clips of random images and blocky random labels (including void); camvid's 11 classes fit into every layout."""

    clip_count: int = 2
    length: int = 24
    size: tuple[int, int] = (12, 16)
    seed: int = 0
    name: str = "arrays"
    space: LabelSpace = field(default_factory=lambda: load_space("camvid"))

    def clips(self):
        return [f"clip_{index}" for index in range(self.clip_count)]

    def stems(self, clip):
        return [f"{index:05d}" for index in range(self.length)]

    def frames(self, clip):
        rng = np.random.default_rng([self.seed, self.clips().index(clip)])
        for index, stem in enumerate(self.stems(clip)):
            image = rng.integers(0, 256, (*self.size, 3), np.uint8)
            labels = rng.integers(0, self.space.classes + 1, self.size, np.uint8)
            labels[labels == self.space.classes] = IGNORE
            yield Frame(clip, index, image, labels, stem=stem)

    def labels(self, clip):
        for frame in self.frames(clip):
            yield frame.stem, frame.labels


@pytest.fixture
def arrays():
    """The class, so that a test can choose number, length and size of the clips."""
    return Arrays
