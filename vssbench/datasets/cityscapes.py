"""Cityscapes video (Cordts et al., The Cityscapes Dataset for Semantic Urban Scene Understanding, CVPR 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vssbench.datasets.label_spaces import load_space, train_id_files
from vssbench.datasets.listing import folders, images, natural
from vssbench.datasets.on_disk import FileDataset, Item, Listing, Release
from vssbench.datasets.read_pixels import read_labels
from vssbench.errors import UserError
from vssbench.types import UInt8

SNIPPET = 30
LABELLED = 19
"""Position of the labelled frame in its snippet, from 0: it is the 20th frame."""
_SEQUENCE, _STILLS = "leftImg8bit_sequence", "leftImg8bit"
_ENCODINGS = ("labelIds", "labelTrainIds")
_SOURCE = "Cityscapes paper, section 2: 5,000 snippets of 30 frames, 2,975 / 500 / 1,525"
_SNIPPETS = {"train": 2975, "val": 500, "test": 1525}


class Cityscapes(FileDataset):
    """A clip is the 30-frame snippet around a labelled frame; without the sequence folder it is that frame alone.

    The snippets follow from the label files; `labelIds` takes precedence over `labelTrainIds` where both are there.
    A clip is named after its labelled frame, e.g. `frankfurt_000000_000294`.
    """

    layout = (
        "leftImg8bit_sequence/<split>/<city>/<city>_<sequence>_<frame>_leftImg8bit.png (or leftImg8bit) "
        "and gtFine/<split>/<city>/..._gtFine_labelIds.png or ..._gtFine_labelTrainIds.png"
    )

    def __init__(self, root: Path | None, split: str = "val"):
        super().__init__(root, split)
        self.space = load_space("cityscapes")
        self.require(f"gtFine/{split}")
        self._stills = not (self.root / _SEQUENCE / split).is_dir()
        if self._stills:
            self.require(f"{_STILLS}/{split}")
        self._images = self.root / (_STILLS if self._stills else _SEQUENCE) / split
        labels = self.root / "gtFine" / split
        self._labels = _label_files(labels)
        if not self._labels:
            raise UserError("no label files", where=labels, expected=self.layout)

    def clips(self) -> list[str]:
        return list(self._labels)

    def read_label(self, path: Path, digest: Any = None) -> tuple[UInt8, frozenset[int]]:
        trained = path.stem.endswith(_ENCODINGS[1])
        return read_labels(path, train_id_files("cityscapes") if trained else self.space, digest)

    def release(self) -> Release | None:
        if (found := super().release()) is not None or self.split not in _SNIPPETS:
            return found
        clips, length = _SNIPPETS[self.split], 1 if self._stills else SNIPPET
        return Release(_SOURCE, clips, clips * length, clips, length)

    def lacking(self, clip: str, stems: Sequence[str]) -> list[str]:
        begins = self._snippet(clip)[0]
        return [*([] if stems[0] == begins else [f"before {stems[0]}"]), *super().lacking(clip, stems)]

    def _snippet(self, clip: str) -> list[str]:
        """The frames that belong to the clip, whether or not they are there."""
        city, sequence, frame = clip.rsplit("_", 2)
        first = int(frame) - (0 if self._stills else LABELLED)
        numbers = range(first, first + (1 if self._stills else SNIPPET))
        return [f"{city}_{sequence}_{number:0{len(frame)}d}" for number in numbers if number >= 0]

    def _list(self, clip: str) -> Listing:
        label, stems = self._labels[clip], self._snippet(clip)
        paths = {stem: self._images / label.parent.name / f"{stem}_leftImg8bit.png" for stem in stems}
        items = [Item(stem, paths, {clip: label}) for stem, path in paths.items() if path.is_file()]
        return Listing(items, orphans=[] if paths[clip].is_file() else [label])


def _label_files(folder: Path) -> dict[str, Path]:
    """Name of the labelled frame -> its label file, in the order of cities and frames."""
    found: dict[str, Path] = {}
    for encoding in _ENCODINGS:
        for city in folders(folder):
            for stem, path in images(city).items():
                name = stem.removesuffix(f"_gtFine_{encoding}")
                if name != stem and name.count("_") >= 2 and name.rsplit("_", 1)[1].isdecimal():
                    found.setdefault(name, path)
    return {name: found[name] for name in sorted(found, key=natural)}
