"""What follows from the hooks of a dataset, or else from streaming it: its side inputs, videos, frames and labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from vssbench.hooks.lookup import offered
from vssbench.types import Dataset, Frame


def side(dataset: Dataset) -> frozenset[str]:
    """The names of the inputs besides the image that the dataset's frames carry."""
    return frozenset(offered(dataset, "side") or ())


def video(dataset: Dataset, clip: str) -> Path | None:
    """The clip's own video file, or None."""
    find: Callable[[str], Path | None] | None = offered(dataset, "video")
    return None if find is None else find(clip)


def frame(dataset: Dataset, clip: str, index: int) -> Frame:
    """One frame of a clip: read singly if the dataset can do that, else by streaming the clip up to it."""
    read: Callable[[str, int], Frame] | None = offered(dataset, "frame")
    return next(islice(dataset.frames(clip), index, None)) if read is None else read(clip, index)


def labelled(dataset: Dataset, clip: str) -> list[int]:
    """The indices of the frames of a clip that have labels, in order."""
    known: Callable[[str], Sequence[int]] | None = offered(dataset, "labelled")
    if known is not None:
        return list(known(clip))
    return [index for index, (_, labels) in enumerate(dataset.labels(clip)) if labels is not None]
