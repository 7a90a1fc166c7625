"""Any dataset at a lower frame rate: every N-th frame of each clip, to see what a method loses on distant frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from vssbench import hooks
from vssbench.datasets.digest import digests, named_digests
from vssbench.datasets.listing import positions
from vssbench.datasets.on_disk import FileDataset
from vssbench.errors import UserError, counted
from vssbench.specs import Spec
from vssbench.types import Dataset, Digests, Frame, UInt8


def frame_rate(dataset: Dataset) -> Fraction | None:
    """Frames per second that a dataset states for its frames; None for a video file, whose codec knows better."""
    clip = next(iter(dataset.clips()), None)
    if clip is None or not isinstance(dataset, FileDataset | Strided):
        return None
    return None if isinstance(dataset, FileDataset) and dataset.opaque(clip) else dataset.rate(clip)


class Kept(NamedTuple):
    """What is kept of a clip.

    places:  indices of the kept frames in the clip's list, from 0
    indices: their positions in the slower clip; missing frames keep their places
    phase:   position of the first frame that is kept, or would be if it were not missing
    lost:    labelled frames that are not kept, for a clip that is only partly labelled
    """

    places: list[int]
    indices: list[int]
    phase: int
    lost: int


class Strided:
    """Frames phase, phase + by, phase + 2 * by, ... of every clip of `of`, with the labels that they have.

    of:   dataset spec, or a description's file
    by:   1 is the dataset itself
    load: opens a dataset, with the root and split of this one

    The phase is 0 wherever that keeps most labelled frames, as it does where all have labels. Where labels are sparse
    it is the lowest that keeps most: for Cityscapes, whose 20th frame of 30 is labelled, 19 modulo `by`. A frame's
    inputs about its neighbours (flow) are left out. Frames that are not kept are still read.
    """

    side: frozenset[str] = frozenset()

    def __init__(
        self,
        root: Path | None,
        split: str = "val",
        *,
        of: str | Spec,
        load: Callable[[str | Spec], Dataset],
        by: int = 2,
    ):
        if by < 1:
            raise UserError(f"by={by} is not valid", expected="1 or more: take every by-th frame")
        self.inner, self.by, self.split = load(of), by, split
        self.name, self.space = f"strided(by={by},of={self.inner.name})", self.inner.space
        self._clips: dict[str, Kept] = {}

    def clips(self) -> Sequence[str]:
        return self.inner.clips()

    def stems(self, clip: str) -> list[str]:
        stems = self.inner.stems(clip)
        return [stems[place] for place in self.kept(clip).places]

    def indices(self, clip: str) -> Sequence[int]:
        """Positions of the frames that are kept, as in `Frame.index`."""
        return self.kept(clip).indices

    def frames(self, clip: str) -> Iterator[Frame]:
        indices = dict(zip(*self.kept(clip)[:2], strict=True))
        for place, frame in enumerate(self.inner.frames(clip)):
            if place in indices:
                yield replace(frame, index=indices[place], side={}, digests=digests(frame))

    def frame(self, clip: str, index: int) -> Frame:
        """Return one frame by itself. index: in the list of kept frames"""
        kept = self.kept(clip)
        return replace(hooks.frame(self.inner, clip, kept.places[index]), index=kept.indices[index], side={})

    def labelled(self, clip: str) -> list[int]:
        """Which of the kept frames have labels."""
        labelled = set(hooks.labelled(self.inner, clip))
        return [index for index, place in enumerate(self.kept(clip).places) if place in labelled]

    def labels(self, clip: str) -> Iterator[tuple[str, UInt8 | None]]:
        places = set(self.kept(clip).places)
        return (pair for place, pair in enumerate(self.inner.labels(clip)) if place in places)

    def digests(self, clip: str) -> Iterator[tuple[str, Digests]]:
        """The digests of the kept frames; no result depends on the others."""
        places = set(self.kept(clip).places)
        return (pair for place, pair in enumerate(named_digests(self.inner, clip)) if place in places)

    def lacking(self, clip: str, stems: Sequence[str]) -> list[str]:
        """Where frames are missing among those that would be kept, in words."""
        indices = self.kept(clip).indices
        pairs = zip(zip(stems, indices, strict=True), zip(stems[1:], indices[1:], strict=True), strict=False)
        return [f"between {before} and {after}" for (before, a), (after, b) in pairs if b - a > 1]

    def rate(self, clip: str) -> Fraction | None:
        """Frames per second, where the dataset states them."""
        found = self.inner.rate(clip) if isinstance(self.inner, FileDataset | Strided) else None
        return None if found is None else found / self.by

    def kept(self, clip: str) -> Kept:
        """What is kept of a clip."""
        if clip not in self._clips:
            self._clips[clip] = self._choose(clip)
        return self._clips[clip]

    def note(self, clips: Sequence[str]) -> str | None:
        """What a reader must know in addition to the spec: clips that begin later, and labels that are left out."""
        kept = [self.kept(clip) for clip in clips]
        late, lost = [one.phase for one in kept if one.phase], sum(one.lost for one in kept)
        said = []
        if late:
            first = f"frame {late[0]}" if len(set(late)) == 1 else f"frames {min(late)} to {max(late)}"
            said.append(f"{len(late)} of {len(kept)} clips begin at {first}, so that more labelled frames are kept")
        if lost:
            said.append(f"{counted(lost, 'labelled frame')} {'is' if lost == 1 else 'are'} not kept")
        return f"one frame in {self.by}: {'; '.join(said)}" if said else None

    def _choose(self, clip: str) -> Kept:
        stems = self.inner.stems(clip)
        where = positions(stems) if isinstance(self.inner, FileDataset) else list(range(len(stems)))
        labelled = hooks.labelled(self.inner, clip) if self.by > 1 else range(len(stems))
        phases = Counter(where[place] % self.by for place in labelled)
        most = max(phases.values(), default=0)
        phase = min((phase for phase, count in phases.items() if count == most), default=0)
        places = [place for place, position in enumerate(where) if position % self.by == phase]
        indices = [where[place] // self.by for place in places]
        return Kept(places, indices, phase, len(labelled) - most if len(labelled) < len(stems) else 0)
