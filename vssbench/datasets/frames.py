"""Any video without labels: a folder of images, a folder of such folders or of video files, or one video file."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np

from vssbench.datasets.digest import of_file
from vssbench.datasets.label_spaces import load_space
from vssbench.datasets.listing import folders, images, natural
from vssbench.datasets.on_disk import FileDataset, Item, Listing
from vssbench.datasets.video_file import opened, picture_track, pictures
from vssbench.errors import UserError
from vssbench.types import Digests, Frame, LabelSpace, UInt8

VIDEOS = frozenset((".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".h264", ".264", ".hevc", ".ts"))


class Frames(FileDataset):
    """A clip is a folder of images (in the order of their numbers) or a video file, named after it. No labels.

    labels: the label space that methods predict in and whose colours predictions take
    """

    layout = "a folder of images, a folder of such folders or of video files, or one video file"

    def __init__(self, root: Path | None, split: str = "val", labels: str | LabelSpace = "vspw"):
        super().__init__(root, split)
        self.space = load_space(labels)
        if not self.root.exists():
            raise UserError("no such file or folder", where=self.root, expected=self.layout)
        self._counts: dict[str, int] = {}
        if not self._sources:
            raise UserError("neither images nor video files here", where=self.root, expected=self.layout)

    @cached_property
    def _sources(self) -> dict[str, Path]:
        """Clip -> its folder or video file."""
        if self.root.is_file():
            return {self.root.stem: self.root}
        below = [path for path in folders(self.root) if images(path)]
        videos = [path for path in self.root.iterdir() if path.suffix.lower() in VIDEOS and path.is_file()]
        here = [self.root] if images(self.root) else []
        if here and (below or videos):
            raise UserError(
                "images next to clips: unclear which frames are meant",
                where=self.root,
                expected=self.layout,
                fix=f"name one clip, e.g. {(below or videos)[0]}, or move the images into a folder",
            )
        found: dict[str, Path] = {}
        for path in here or sorted((*below, *videos), key=lambda path: natural(path.name)):
            name = path.stem if path.is_file() else path.resolve().name
            if name in found:
                raise UserError(f"two clips have the name {name!r}", where=path, fix=f"rename it or {found[name]}")
            found[name] = path
        return found

    def clips(self) -> list[str]:
        return list(self._sources)

    def stems(self, clip: str) -> list[str]:
        if not self.opaque(clip):
            return super().stems(clip)
        if clip not in self._counts:  # containers state wrong lengths, so frames are counted once
            self._counts[clip] = sum(1 for _ in decode(self._sources[clip]))
        return [_stem(index) for index in range(self._counts[clip])]

    def frames(self, clip: str) -> Iterator[Frame]:
        if not self.opaque(clip):
            yield from super().frames(clip)
            return
        digests = Digests(of_file(self._sources[clip]))
        for index, image in enumerate(decode(self._sources[clip])):
            yield Frame(clip, index, image, stem=_stem(index), digests=digests)

    def labels(self, clip: str) -> Iterator[tuple[str, UInt8 | None]]:
        for stem in self.stems(clip):
            yield stem, None

    def digests(self, clip: str) -> Iterator[tuple[str, Digests]]:
        if not self.opaque(clip):
            yield from super().digests(clip)
            return
        digests = Digests(of_file(self._sources[clip]))
        for stem in self.stems(clip):
            yield stem, digests

    def labelled(self, clip: str) -> list[int]:
        """No frame has labels."""
        return []

    def opaque(self, clip: str) -> bool:
        return clip in self._sources and self._sources[clip].is_file()

    def video(self, clip: str) -> Path | None:
        """The clip's video file; None for a folder of images."""
        return self._sources[clip] if self.opaque(clip) else None

    def rate(self, clip: str) -> Fraction | None:
        """Frames per second as the video file states them; None for a folder of images."""
        if not self.opaque(clip):
            return None
        with opened(self._sources[clip]) as container:
            stream = picture_track(container, self._sources[clip])
            return stream.average_rate or stream.guessed_rate

    def _list(self, clip: str) -> Listing:
        found = images(self._sources[clip])
        return Listing([Item(stem, found) for stem in found])


def _stem(index: int) -> str:
    return f"{index:06d}"


def decode(path: Path) -> Iterator[UInt8]:
    """Yield a video file's frames, uint8[H, W, 3] RGB, turned as its metadata says; UserError for a damaged file."""
    for picture in pictures(path):
        image = picture.to_ndarray(format="rgb24")
        turns = picture.rotation // 90 % 4  # degrees, counter-clockwise
        yield np.ascontiguousarray(np.rot90(image, turns)) if turns else image
