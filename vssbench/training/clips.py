"""Random access to the frames of a dataset for training; frames that were read stay in memory while there is room."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice

from vssbench import hooks
from vssbench.errors import UserError
from vssbench.types import Dataset, Frame

MEMORY_MB = 2048


class Clips:
    """The labelled clips of a dataset.

    names:   clips with at least one labelled frame, in the dataset's order
    lengths: number of frames of each
    A dataset with the hooks `frame` and `labelled` is asked for single frames; any other is streamed up to the frame.
    """

    def __init__(self, dataset: Dataset, limit: int | None = None, memory_mb: int = MEMORY_MB):
        """limit: how many clips to use, from the first on; None: all. Raises UserError for a dataset without labels."""
        self.dataset = dataset
        self._labelled: dict[str, list[int]] = {}
        self._kept: OrderedDict[tuple[str, int], Frame] = OrderedDict()
        self._free = memory_mb * 2**20
        for clip in islice(dataset.clips(), limit):
            if indices := hooks.labelled(dataset, clip):
                self._labelled[clip] = indices
        self.names = list(self._labelled)
        self.lengths = {clip: len(dataset.stems(clip)) for clip in self.names}
        if not self.names:
            raise UserError(f"{dataset.name} has no labelled frames", expected="a split with labels to train on")

    def labelled(self, clip: str) -> list[int]:
        """The indices of the frames that have labels, in order."""
        return self._labelled[clip]

    def frame(self, clip: str, index: int) -> Frame:
        """Return one frame, from memory if it is there."""
        key = (clip, index)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        frame = hooks.frame(self.dataset, clip, index)
        self._kept[key] = frame
        self._free -= _size(frame)
        while self._free < 0 and len(self._kept) > 1:
            self._free += _size(self._kept.popitem(last=False)[1])
        return frame


def _size(frame: Frame) -> int:
    arrays = [frame.image, frame.labels, *frame.side.values()]
    return sum(array.nbytes for array in arrays if array is not None)
