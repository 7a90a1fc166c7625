"""The dataset `folder`: the files of a description, read like any other dataset on disk."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import Any

from vssbench.datasets.digest import of_file
from vssbench.datasets.folder.description import Description, Loc, faults, read_description
from vssbench.datasets.folder.patterns import Found
from vssbench.datasets.listing import video_names
from vssbench.datasets.on_disk import FileDataset, Item, Listing, Release
from vssbench.errors import UserError, suggest
from vssbench.files.input_files import expanded
from vssbench.types import UInt8

FOLDERS = ("train", "val", "test", "training", "validation", "testing")
"""Usual names of split folders."""
USUAL = "val"
"""The split of a description that names none."""
SECRET = "test"
"""The split whose labels are often unpublished."""
MOST_COMPLAINTS = 10


class Folder(FileDataset):
    """Clips and frames are found by the description's `images`; frames are in the order of their numbers.

    file: the description, `my_video.yaml`; its patterns are relative to `root`, or else to the file's own folder
    Raises UserError with every fault of the description, and with what was found on disk where nothing matches.
    """

    layout = "images and labels as the description says"

    def __init__(self, root: Path | None, split: str = USUAL, *, file: str):
        said = read_description(expanded(file))
        self.open(said, root or said.path.parent, split)

    def open(self, said: Description, root: Path | None, split: str) -> None:
        """Find the clips of a split; raises UserError as the constructor does."""
        super().__init__(root, split)
        self.description = said
        self.space = self.description.space
        if not self.root.is_dir():
            raise UserError("no such folder", where=self.root, fix="check --data-root")
        self._entries(split)  # a missing split is reported before missing folders
        self._images = Found(said.images, self.root, split)
        self._labels = None if said.labels is None else Found(said.labels, self.root, split)
        tried = {"images": self._images, "labels": None if split == SECRET else self._labels}
        if misfits := [said.complaint((key,), found.misfit) for key, found in tried.items() if found and found.misfit]:
            raise faults(misfits)
        self._clips = self.clips_of(split)

    def clips(self) -> list[str]:
        return self._clips

    @property
    def splits(self) -> list[str]:
        """The splits that the description names; else those with {split} folders on disk; else only the opened one."""
        if self.description.splits is not None or not self.description.images.by_split:
            return list(self.description.splits or (self.split,))
        others = [one for one in FOLDERS if one != self.split and Found(self._images.pattern, self.root, one).clips]
        return [self.split, *others]

    def shared(self, other: str) -> list[str]:
        """Match clips by name, but clips in {split} folders by their first frames."""
        if not self.description.images.by_split:
            there = set(self.clips_of(other))
            return [clip for clip in self._clips if clip in there]
        first = {
            of_file(next(iter(files.values())))
            for found in [Found(self._images.pattern, self.root, other)]
            for clip in found.clips
            if (files := found.files(clip))
        }
        return [clip for clip in self._clips if (items := self._list(clip).items) and of_file(items[0].image) in first]

    def unlisted(self) -> list[str]:
        splits = self.description.splits
        if splits is None or self.description.images.by_split:
            return []
        named = {clip for split in splits for clip in self.clips_of(split)}
        return [clip for clip in self._images.clips if clip not in named and self._images.has(clip)]

    def nearly(self, clip: str) -> list[Path]:
        masks = set(self._labels.files(clip).values()) if self._labels else set()
        return [path for path in self._images.nearly(clip) if path not in masks]

    def clips_of(self, split: str) -> list[str]:
        """The clips of a split, each once, in the order of the text file or of the names in the list.

        Raises UserError for an unknown split, and for names and globs that match no clip.
        """
        entries = self._entries(split)
        images, labels = (
            found if found is None or split == self.split else Found(found.pattern, self.root, split)
            for found in (self._images, self._labels)
        )
        assert images is not None

        def there(clip: str) -> bool:
            """Whether the folder has the clip's frames or masks, rather than something else such as all masks."""
            return images.has(clip) or (labels is not None and labels.has(clip))

        if entries is None:
            return list(filter(there, images.clips))
        found: dict[str, None] = {}
        complaints = []
        for loc, name in entries:
            fits = [name] if name in images.clips else list(filter(there, fnmatch.filter(images.clips, name)))
            found |= dict.fromkeys(fits)
            if not fits:
                complaints.append(self.description.complaint(loc, f"no clip matches {name!r}; {_near(name, images)}"))
        if complaints:
            raise faults(complaints[:MOST_COMPLAINTS])
        return list(found)

    def _entries(self, split: str) -> list[tuple[Loc, str]] | None:
        """Names and globs of a split's clips with their places in the file; None: every clip."""
        splits = self.description.splits
        if splits is None and (self.description.images.by_split or split == USUAL):
            return None
        if splits is None or split not in splits:
            said = f"no such split: {split!r}; {suggest(split, splits or [USUAL])}"
            if splits is None:
                said += f"; `splits: {{{USUAL}: [...], {split}: [...]}}` says which clips are in each"
            raise faults([self.description.complaint(("splits",), said)])
        named = splits[split]
        if not isinstance(named, str):
            return [(("splits", split, number), name) for number, name in enumerate(named)]
        places = [folder / named for folder in (self.root, self.description.path.parent)]
        file = next((place for place in places if place.exists()), None)
        if file is None:
            said = f"no such file {named}, neither below {self.root} nor next to the description"
            raise faults([self.description.complaint(("splits", split), said)])
        return [(("splits", split), name) for name in video_names(file)]

    def read_label(self, path: Path, digest: Any = None) -> tuple[UInt8, frozenset[int]]:
        return self.description.masks.read(path, digest)

    def release(self) -> Release | None:
        """Nothing is known about what the split should hold."""
        return None

    def rate(self, clip: str) -> Fraction | None:
        """Frames per second, as the description states them."""
        fps = self.description.fps
        return None if fps is None else Fraction(fps).limit_denominator(1001)

    def _list(self, clip: str) -> Listing:
        images = self._images.files(clip)
        labels: Mapping[str, Path] = self._labels.files(clip) if self._labels else {}
        masks = set(labels.values())  # {frame}.png matches masks called {frame}_mask.png, too
        return Listing(
            [Item(stem, images, labels) for stem in images if images[stem] not in masks],
            orphans=[path for stem, path in labels.items() if stem not in images],
        )


def _near(name: str, images: Found) -> str:
    """What exists instead, in words."""
    near = get_close_matches(name, images.clips, n=2, cutoff=0)
    return f"there are {len(images.clips)} clips, such as {' and '.join(map(repr, near))}"
