"""CamVid (Brostow, Fauqueur and Cipolla, Semantic object classes in video, PRL 2009), in the two layouts in use.

    360x480, index PNGs (SegNet tutorial):   <split>/0016E5_07959.png     <split>annot/0016E5_07959.png
    720x960, colour masks (Kaggle release):  <split>/0016E5_07959.png     <split>_labels/0016E5_07959_L.png
    with the frames between the labels:      frames/0016E5/07962.png      (720x960 only, where the folder exists)

The files of `frames/<sequence>/` are extracted from the sequence's video and numbered as ffmpeg does, from 1. How these
numbers relate to those of the labels was worked out for AR-Seg (Hu et al., CVPR 2023), see EXTRACTED: 07962 above is
the frame that a label would call 0016E5_07960.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from vssbench.datasets.label_spaces import load_space
from vssbench.datasets.listing import images, natural, number
from vssbench.datasets.on_disk import FileDataset, Item, Listing, Release
from vssbench.datasets.read_pixels import read_colour_labels
from vssbench.types import UInt8

EXTRACTED = {"0001TP": 31 - 6690, "0006R0": 932 - 930, "0016E5": 392 - 390, "Seq05VD": 32 - 30}
"""Number of an extracted frame minus the number in its label's name; 0 for any other sequence."""
MAX_STEP = 30
"""The slowest rate at which CamVid is labelled: every 30th frame, once per second."""
_INDEX, _COLOUR = "{}annot", "{}_labels"
_NAME = re.compile(r"(?P<prefix>(?P<sequence>.+?)_f?)(?P<number>[0-9]+)\Z")
_SEGNET = "SegNet tutorial: 367 / 101 / 233 frames"
_KAGGLE = "Kaggle release: 369 / 100 / 232 frames"


@dataclass(frozen=True, slots=True)
class _Name:
    """`Seq05VD_f00030` -> sequence Seq05VD, prefix `Seq05VD_f`, number 30 written with 5 digits."""

    prefix: str
    sequence: str
    number: int
    digits: int

    def stem(self, number: int) -> str:
        return f"{self.prefix}{number:0{self.digits}d}"


class CamVid(FileDataset):
    """A clip is a run of evenly spaced frame numbers of one sequence, named after its first frame.

    labels: camvid (the 11 usual classes) or camvid12 (AR-Seg's: void is a class, the rarer colours are ignored)
    """

    layout = (
        "<split>/ with <split>annot/ (index PNGs) or <split>_labels/ (colour masks *_L.png), split train, val or test"
    )
    releases: ClassVar[dict[str, Release]] = {
        "train": Release(_SEGNET, frames=367, labelled=367),
        "val": Release(_SEGNET, frames=101, labelled=101),
        "test": Release(_SEGNET, frames=233, labelled=233),
    }

    def __init__(self, root: Path | None, split: str = "val", labels: Literal["camvid", "camvid12"] = "camvid"):
        super().__init__(root, split)
        self.space = load_space(labels)
        self._colour = (self.root / _COLOUR.format(split)).is_dir()
        folder = (_COLOUR if self._colour else _INDEX).format(split)
        self.require(split, folder)
        self._stills = images(self.root / split)
        self._masks = {stem.removesuffix("_L"): path for stem, path in images(self.root / folder).items()}
        self._runs = {run[0]: run for run in _runs(sorted({*self._stills, *self._masks}, key=_order))}

    def clips(self) -> list[str]:
        return list(self._runs)

    def read_label(self, path: Path, digest: Any = None) -> tuple[UInt8, frozenset[int]]:
        if not self._colour:
            return super().read_label(path, digest)
        return read_colour_labels(path, self.space, digest)

    def release(self) -> Release | None:
        found = super().release()
        if not self._colour or found is not self.releases.get(self.split):
            return found
        labelled = {"train": 369, "val": 100, "test": 232}.get(self.split)
        return Release(_KAGGLE, labelled=labelled)  # how many frames are between the labels depends on the extraction

    def _list(self, clip: str) -> Listing:
        run = self._runs[clip]
        frames = {stem: self._stills[stem] for stem in run if stem in self._stills} | self._between(run)
        return Listing(
            [Item(stem, frames, self._masks) for stem in sorted(frames, key=_order)],
            orphans=[self._masks[stem] for stem in run if stem not in self._stills],
            unlabelled=[self._stills[stem] for stem in run if stem not in self._masks],
        )

    def _between(self, run: list[str]) -> dict[str, Path]:
        """The extracted frames without a label, from the run's first label to its last, named as labels are."""
        first, last = _parse(run[0]), _parse(run[-1])
        if not self._colour or first is None or last is None:
            return {}
        shift = EXTRACTED.get(first.sequence, 0)
        found = {}
        for stem, path in images(self.root / "frames" / first.sequence).items():
            index = number(stem)
            if index is not None and first.number <= index - shift <= last.number:
                found[first.stem(index - shift)] = path
        return {stem: path for stem, path in found.items() if stem not in run}


def _parse(stem: str) -> _Name | None:
    found = _NAME.match(stem)
    if found is None:
        return None
    return _Name(found["prefix"], found["sequence"], int(found["number"]), len(found["number"]))


def _order(stem: str) -> tuple[object, int]:
    """Return a sort key that keeps a sequence's frames together, in the order of their numbers."""
    name = _parse(stem)
    return (natural(name.prefix), name.number) if name else (natural(stem), 0)


def _runs(stems: list[str]) -> list[list[str]]:
    """Cut sorted frame names into runs of one sequence whose numbers are evenly spaced, at MAX_STEP or less.

    A tenth of the step is tolerated: the release's 0016E5 has a label one frame late (steps 30, 31, 29, 30).
    """
    runs: list[list[str]] = []
    step, last = 0, None
    for stem in stems:
        name = _parse(stem)
        gap = name.number - last.number if name and last and name.prefix == last.prefix else 0
        if 0 < gap <= MAX_STEP * 1.1 and (step == 0 or abs(gap - step) <= step / 10):
            runs[-1].append(stem)
            step = step or gap
        else:
            runs.append([stem])
            step = 0
        last = name
    return runs
