"""The common part of datasets on disk: a clip is a list of items, each a frame file and perhaps a label file."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from shlex import quote
from typing import Any, ClassVar

from vssbench.datasets.digest import of_file
from vssbench.datasets.listing import folders, gaps, positions
from vssbench.datasets.read_pixels import orientation, read_image, read_labels
from vssbench.errors import UserError, counted, suggest
from vssbench.types import Digests, Frame, LabelSpace, UInt8

EXPORT_RECORD = "export.json"
Size = tuple[int, ...]
"""(height, width), pixels."""


@dataclass(frozen=True, slots=True)
class Item:
    """One frame on disk.

    images, labels: stem -> file, for at least the whole clip; a frame without a label is not among the labels
    """

    stem: str
    images: Mapping[str, Path]
    labels: Mapping[str, Path] = field(default_factory=dict)

    @property
    def image(self) -> Path:
        return self.images[self.stem]

    @property
    def label(self) -> Path | None:
        return self.labels.get(self.stem)


@dataclass(frozen=True)
class Listing:
    """A clip's files.

    items:      the frames in order
    orphans:    label files whose frame is missing
    unlabelled: frames without a label where the layout promises one
    """

    items: list[Item]
    orphans: list[Path] = field(default_factory=list)
    unlabelled: list[Path] = field(default_factory=list)


@dataclass(frozen=True)
class Release:
    """What a release of a dataset holds, for `doctor` to compare with; None = not known.

    clip_frames: number of frames per clip, where all clips are equally long
    lacking:     number of frames that the published download is known to lack
    """

    source: str
    clips: int | None = None
    frames: int | None = None
    labelled: int | None = None
    clip_frames: int | None = None
    lacking: int = 0


class FileDataset(ABC):
    """A dataset in a folder. Subclasses say which clips there are and which files belong to each."""

    name: str
    space: LabelSpace
    layout: ClassVar[str]
    """The expected layout in one line, for messages."""
    releases: ClassVar[dict[str, Release]] = {}

    def __init__(self, root: Path | None, split: str):
        self.name = type(self).__name__.lower()
        if root is None:
            raise UserError(f"{self.name} needs the folder that holds it", fix=f"--data-root DIR with {self.layout}")
        if Path(split).name != split:
            raise UserError(f"{split!r} is not a split", expected="a plain name such as train, val or test")
        self.root, self.split = Path(root), split
        self._items: dict[str, list[tuple[int, Item]]] = {}

    @abstractmethod
    def clips(self) -> Sequence[str]: ...

    @abstractmethod
    def _list(self, clip: str) -> Listing:
        """The files of a clip that `clips` names."""

    def listing(self, clip: str) -> Listing:
        """The files of a clip, including broken pairs; raises UserError for an unknown or empty clip."""
        if clip not in self.clips():
            raise UserError(f"{self.name} has no clip {clip!r}", where=self.root, expected=suggest(clip, self.clips()))
        listing = self._list(clip)
        if not listing.items:
            raise UserError(f"the clip {clip!r} has no frames", where=self.root, expected=self.layout)
        return listing

    def items(self, clip: str) -> list[Item]:
        """The frames in order; a label file without its frame is an error, since it would silently drop out."""
        listing = self.listing(clip)
        if listing.orphans:
            have = "has" if len(listing.orphans) == 1 else "have"
            raise UserError(
                f"{counted(len(listing.orphans), 'label file')} of clip {clip!r} {have} no frame",
                where=listing.orphans[0],
                expected="the frame of the same name",
                fix="complete the frames or remove the label files; vssbench doctor lists them",
            )
        return listing.items

    def stems(self, clip: str) -> list[str]:
        return [item.stem for item in self.items(clip)]

    def indices(self, clip: str) -> Sequence[int]:
        """Positions in the clip of the frames that are there, as in `Frame.index`."""
        return positions(self.stems(clip))

    def frames(self, clip: str) -> Iterator[Frame]:
        size = None
        for index, item in _placed(self.items(clip)):
            frame = self._read(clip, index, item, size)
            size = frame.image.shape[:2]
            yield frame

    def frame(self, clip: str, index: int) -> Frame:
        """Return one frame by itself, with its labels if it has any. index: in the list of frames that are there"""
        items = self._held(clip)
        if not 0 <= index < len(items):
            raise UserError(f"clip {clip!r} has no frame {index}", expected=f"0 to {len(items) - 1}")
        return self._read(clip, *items[index])

    def labelled(self, clip: str) -> list[int]:
        """Which of the frames that are there have labels, by `frame`'s index."""
        return [index for index, (_, item) in enumerate(self._held(clip)) if item.stem in item.labels]

    def _held(self, clip: str) -> list[tuple[int, Item]]:
        """The clip's frames as first listed: random access must not list a folder again for every frame."""
        if clip not in self._items:
            self._items[clip] = _placed(self.items(clip))
        return self._items[clip]

    def lacking(self, clip: str, stems: Sequence[str]) -> list[str]:
        """Where frames of a clip are missing, in words, judging by the names of those that are there."""
        return [f"between {before} and {after}" for before, after in gaps(stems)]

    def labels(self, clip: str) -> Iterator[tuple[str, UInt8 | None]]:
        for item in self.items(clip):
            yield item.stem, self.read_label(item.label)[0] if item.label else None

    def digests(self, clip: str) -> Iterator[tuple[str, Digests]]:
        """(stem, digests of its files) of every frame in the order of `frames`; nothing is decoded."""
        for item in self.items(clip):
            yield item.stem, Digests(of_file(item.image), of_file(item.label) if item.label else None)

    def _read(self, clip: str, index: int, item: Item, size: Size | None = None) -> Frame:
        """Read one frame. size: of the clip's other frames, which this one must have"""
        of_image, of_labels = sha256(), sha256()
        image = read_image(item.image, of_image)
        labels = self.read_label(item.label, of_labels)[0] if item.label else None
        check_size(item, image.shape[:2], None if labels is None else labels.shape, size)
        digests = Digests(of_image.hexdigest(), None if labels is None else of_labels.hexdigest())
        return Frame(clip, index, image, labels, stem=item.stem, digests=digests)

    def read_label(self, path: Path, digest: Any = None) -> tuple[UInt8, frozenset[int]]:
        """(train ids, stray file values that occurred); raises UserError as `read_pixels.read_labels` does.

        digest: a hashlib object, updated with the file's bytes
        """
        return read_labels(path, self.space, digest)

    @property
    def splits(self) -> list[str]:
        """The known splits, including this one."""
        return [self.split]

    def shared(self, other: str) -> list[str]:
        """Clips of this split that are also in another, as far as lists and files tell."""
        return []

    def unlisted(self) -> list[str]:
        """Clips that are there and that no split names."""
        return []

    def nearly(self, clip: str) -> list[Path]:
        """Files of a clip that are left out but would be frames with a slightly different name."""
        return []

    def opaque(self, clip: str) -> bool:
        """Whether the clip is one file (a video) rather than a file per frame."""
        return False

    def rate(self, clip: str) -> Fraction | None:
        """Frames per second of a clip, where it is known."""
        return None

    def release(self) -> Release | None:
        """What this split should hold: the export's own record if there is one, else the published release."""
        record = self.root / EXPORT_RECORD
        if not record.is_file():
            return self.releases.get(self.split)
        try:
            return Release(**json.loads(record.read_text(encoding="utf-8"))[self.split])
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f"no readable record of the split {self.split!r}", where=record, fix="export again"
            ) from None

    def require(self, *paths: str) -> None:
        """Raise unless every path is there; if a folder one level down has them all, the error says so."""
        missing = [path for path in paths if not (self.root / path).exists()]
        if not missing:
            return
        if not self.root.is_dir():
            raise UserError("no such folder", where=self.root, expected=self.layout, fix="check --data-root")
        below = [child for child in folders(self.root) if all((child / path).exists() for path in paths)]
        raise UserError(
            f"no {' and no '.join(missing)} here: this is not the {self.name} layout (split {self.split!r})",
            where=self.root,
            expected=self.layout,
            fix=f"--data-root {quote(str(below[0]))}" if below else "check --data-root, --dataset and --split",
        )


def _placed(items: list[Item]) -> list[tuple[int, Item]]:
    """(position in the clip, frame) pairs: missing frames keep their places."""
    return list(zip(positions([item.stem for item in items]), items, strict=True))


def check_size(item: Item, size: Size, labels: Size | None, previous: Size | None) -> None:
    """Raise UserError if the labels' size differs from the frame's, or the frame's from that of the frame before."""
    if labels is not None and labels != size:
        if labels == size[::-1] and (turned := orientation(item.image)) >= 5:
            raise UserError(
                f"labels of {_hw(labels)}, the stored size, for a frame that Exif orientation {turned} turns to "
                f"{_hw(size)}",
                where=item.label,
                expected="labels of the frame as a viewer shows it",
                fix=f"rotate the labels too; or, if they match the stored pixels, remove the tag from {item.image}",
            )
        raise UserError(
            f"labels of {_hw(labels)} for a frame of {_hw(size)}",
            where=item.label,
            expected="labels at the frame's size",
            fix="use frames and labels from the same release (VSPW: both from the 480p download)",
        )
    if previous is not None and previous != size:
        raise UserError(
            f"a frame of {_hw(size)} after one of {_hw(previous)}",
            where=item.image,
            expected="one size in a clip",
            fix="extract the clip's frames again at one size",
        )


def _hw(size: Sequence[int]) -> str:
    return "x".join(map(str, size))


def write_release(root: Path, split: str, release: Release) -> None:
    """Record next to an exported split what it holds, so that `doctor` does not compare it with the real release."""
    (root / EXPORT_RECORD).write_text(json.dumps({split: asdict(release)}, indent=1) + "\n", encoding="utf-8")
