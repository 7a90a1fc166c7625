"""The protocol of AR-Seg: every labelled frame at each distance d from the key frame (CVPR 2023, section 4.1).

For a labelled frame n and a distance d the clip is frames n-d .. n, encoded alone, so that frame n-d is the key frame
and only frame n is scored. Per-frame methods are scored on the same decoded frames, so that the loss from the codec can
be told from the loss from the method.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from vssbench.datasets.digest import named_digests
from vssbench.datasets.listing import positions
from vssbench.errors import UserError
from vssbench.types import Dataset, Digests, Frame, Metric, Prediction, UInt8


class Distances:
    """A dataset cut into one clip for each labelled frame and distance; the distance is the scored frame's index.

    missing: labelled frames without enough frames before them, by distance; they are left out at that distance only
    Frames with a gap in their numbers do not count as consecutive.
    """

    def __init__(self, dataset: Dataset, distances: Sequence[int], limit: int | None = None):
        """limit: use only this many of the dataset's first clips."""
        self.dataset = dataset
        self.name, self.space = dataset.name, dataset.space
        self._ends: dict[str, tuple[str, int, int]] = {}
        self._held: tuple[str, list[Frame]] = ("", [])
        self.missing = dict.fromkeys(distances, 0)
        for clip in islice(dataset.clips(), limit):
            places = positions(dataset.stems(clip))
            for index, (stem, labels) in enumerate(dataset.labels(clip)):
                for distance in distances if labels is not None else ():
                    if index < distance or places[index] - places[index - distance] != distance:
                        self.missing[distance] += 1
                    else:
                        self._ends[f"{clip}@{stem}-{distance}"] = (clip, index, distance)
        empty = [distance for distance in distances if all(end[2] != distance for end in self._ends.values())]
        if empty:
            raise UserError(
                f"no labelled frame has {empty[0]} frames before it without a gap",
                where=f"{dataset.name}, distances {', '.join(map(str, empty))}",
                expected="the unlabelled frames before each label, or densely labelled clips",
                fix="drop these --distances, or use data with the frames in between (Cityscapes: leftImg8bit_sequence)",
            )

    def clips(self) -> Sequence[str]:
        return list(self._ends)

    def cut_from(self, clip: str) -> str:
        """The dataset's clip that a clip is a part of."""
        return self._ends[clip][0]

    def stems(self, clip: str) -> Sequence[str]:
        source, end, distance = self._ends[clip]
        return self.dataset.stems(source)[end - distance : end + 1]

    def frames(self, clip: str) -> Iterator[Frame]:
        source, end, distance = self._ends[clip]
        if self._held[0] != source:  # a clip's labelled frames and distances come one after another
            self._held = (source, list(self.dataset.frames(source)))
        for index, frame in enumerate(self._held[1][end - distance : end + 1]):
            if index == distance:
                yield replace(frame, clip=clip, index=index)
            else:
                read = None if frame.digests is None else Digests(frame.digests.image)
                yield replace(frame, clip=clip, index=index, labels=None, digests=read)

    def labels(self, clip: str) -> Iterator[tuple[str, UInt8 | None]]:
        source, end, distance = self._ends[clip]
        for index, (stem, labels) in enumerate(islice(self.dataset.labels(source), end - distance, end + 1)):
            yield stem, labels if index == distance else None

    def digests(self, clip: str) -> Iterator[tuple[str, Digests]]:
        """Yield (stem, digests) of the scored frame and of those before it."""
        source, end, distance = self._ends[clip]
        whole = named_digests(self.dataset, source)
        for index, (stem, read) in enumerate(islice(whole, end - distance, end + 1)):
            yield stem, read if index == distance else Digests(read.image)


class ByIndex:
    """A metric that counts distance from the clip's first frame, whatever the method's key frames are."""

    def __init__(self, metric: Metric):
        self._metric = metric
        self.name, self.higher_is_better = metric.name, metric.higher_is_better
        self.merge, self.state, self.load, self.compute = metric.merge, metric.state, metric.load, metric.compute

    def update(self, frame: Frame, prediction: Prediction) -> None:
        self._metric.update(frame, replace(prediction, age=frame.index))
