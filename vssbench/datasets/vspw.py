"""VSPW, the 480p layout (Miao et al., VSPW: A Large-scale Dataset for Video Scene Parsing in the Wild, CVPR 2021)."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from vssbench.datasets.label_spaces import load_space
from vssbench.datasets.listing import Files, images, video_names
from vssbench.datasets.on_disk import FileDataset, Item, Listing, Release
from vssbench.errors import UserError

_SOURCE = "VSPW paper, section 3: 3,536 videos, 251,633 frames; the published 480p download holds 250,412"
_LACKING = 251_633 - 250_412


class VSPW(FileDataset):
    """A clip is a video; every frame of train and val is labelled. File values 1..124 are the classes, 0 and 255 void.

    The split's list determines the videos and their order. The public test split has no masks.
    """

    layout = (
        "data/<video>/origin/*.jpg, data/<video>/mask/*.png and train.txt, val.txt, test.txt with the videos' names"
    )
    releases: ClassVar[dict[str, Release]] = {
        "train": Release(_SOURCE, 2806, 198_244, lacking=_LACKING),
        "val": Release(_SOURCE, 343, 24_502, lacking=_LACKING),
        "test": Release(_SOURCE, 387, 28_887, lacking=_LACKING),
    }

    def __init__(self, root: Path | None, split: str = "val"):
        super().__init__(root, split)
        self.space = load_space("vspw")
        self.require("data", f"{split}.txt")
        self._videos = video_names(self.root / f"{split}.txt")

    def clips(self) -> list[str]:
        return self._videos

    @property
    def splits(self) -> list[str]:
        return [split for split in self.releases if split == self.split or (self.root / f"{split}.txt").is_file()]

    def shared(self, other: str) -> list[str]:
        there = set(video_names(self.root / f"{other}.txt"))
        return [video for video in self._videos if video in there]

    def _list(self, clip: str) -> Listing:
        folder = self.root / "data" / clip
        origin = folder / "origin"
        frames, masks = images(origin), images(folder / "mask")
        if masks and not frames:  # enough for scoring predictions; reading a frame names the file that is missing
            named = Files(origin, dict.fromkeys(masks, ".jpg"))
            return Listing([Item(stem, named, masks) for stem in masks])
        if not origin.is_dir():
            raise UserError(
                f"the video {clip!r} in {self.split}.txt does not exist",
                where=origin,
                expected=self.layout,
                fix="complete the download, or remove the name from the list",
            )
        secret = self.split == "test" and not masks
        return Listing(
            [Item(stem, frames, masks) for stem in frames],
            orphans=[path for stem, path in masks.items() if stem not in frames],
            unlabelled=[] if secret else [path for stem, path in frames.items() if stem not in masks],
        )
