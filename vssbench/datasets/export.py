"""Write a dataset's clips in the layout of VSPW, Cityscapes or CamVid, so that those readers return the same labels.

Train id k of the source becomes class k of the layout (VSPW: file value k + 1, Cityscapes: the k-th of its 19 classes):
names change, label maps do not. Void stays void. An export keeps a record of what it holds (export.json).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from vssbench.datasets.cityscapes import LABELLED, SNIPPET
from vssbench.datasets.label_spaces import load_space
from vssbench.datasets.on_disk import Release, write_release
from vssbench.errors import UserError, suggest
from vssbench.types import IGNORE, Dataset, Frame, LabelSpace, UInt8

JPEG_QUALITY = 95
LABEL_STEP = 5
"""camvid-colour: every fifth frame has a label, the others are in frames/<sequence>/."""


class _Layout(ABC):
    """One layout under `root`; `clip` writes a clip and returns (frames, labelled frames)."""

    labels: str

    def __init__(self, root: Path, split: str):
        self.root, self.split = root, split
        self.space = load_space(self.labels)
        self.indices = _file_values(self.space)

    @abstractmethod
    def clip(self, position: int, name: str, frames: Iterable[Frame]) -> tuple[int, int]: ...

    def mask(self, path: Path, labels: UInt8 | None) -> int:
        """Write an index PNG; return 1 if there was something to write, else 0."""
        if labels is None:
            return 0
        write(path, cv2.LUT(labels, self.indices))
        return 1


class _Vspw(_Layout):
    """Frames as JPEG (the layout allows nothing else), so the images are lossy and the labels exact."""

    labels = "vspw"

    def clip(self, position: int, name: str, frames: Iterable[Frame]) -> tuple[int, int]:
        folder = self.root / "data" / name
        count = labelled = 0
        for frame in frames:
            write(folder / "origin" / f"{frame.index:08d}.jpg", frame.image)
            labelled += self.mask(folder / "mask" / f"{frame.index:08d}.png", frame.labels)
            count += 1
        with (self.root / f"{self.split}.txt").open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")
        return count, labelled


class _Cityscapes(_Layout):
    """One snippet per clip: its first 30 frames, of which the 20th is labelled."""

    labels = "cityscapes"
    city = "synthetic"

    def clip(self, position: int, name: str, frames: Iterable[Frame]) -> tuple[int, int]:
        images = self.root / "leftImg8bit_sequence" / self.split / self.city
        count = labelled = 0
        for frame in islice(frames, SNIPPET):
            stem = f"{self.city}_{position:06d}_{frame.index:06d}"
            write(images / f"{stem}_leftImg8bit.png", frame.image)
            if frame.index == LABELLED:
                folder = self.root / "gtFine" / self.split / self.city
                labelled = self.mask(folder / f"{stem}_gtFine_labelIds.png", frame.labels)
            count += 1
        if not labelled:
            raise UserError(
                f"the clip {name!r} has no labelled 20th frame", expected="clips of 20 or more labelled frames"
            )
        return count, labelled


class _CamVid(_Layout):
    """The 360x480 tutorial's layout: index PNGs, every frame labelled."""

    labels = "camvid"

    def clip(self, position: int, name: str, frames: Iterable[Frame]) -> tuple[int, int]:
        count = labelled = 0
        for frame in frames:
            stem = f"{name}_{frame.index:05d}.png"
            write(self.root / self.split / stem, frame.image)
            labelled += self.mask(self.root / f"{self.split}annot" / stem, frame.labels)
            count += 1
        return count, labelled


class _CamVidColour(_Layout):
    """The 720x960 release's layout: colour masks every LABEL_STEP frames, all frames up to the last one in frames/."""

    labels = "camvid"

    def clip(self, position: int, name: str, frames: Iterable[Frame]) -> tuple[int, int]:
        colours = _mask_colours(self.space)
        count = labelled = 0
        waiting: list[Frame] = []  # frames after a label belong to the clip only if another label follows
        for frame in frames:
            waiting.append(frame)
            if frame.index % LABEL_STEP or frame.labels is None:
                continue
            stem = f"{name}_{frame.index:05d}"
            write(self.root / self.split / f"{stem}.png", frame.image)
            write(self.root / f"{self.split}_labels" / f"{stem}_L.png", colours[frame.labels])
            for kept in waiting:
                write(self.root / "frames" / name / f"{kept.index:05d}.png", kept.image)
            labelled, count = labelled + 1, count + len(waiting)
            waiting.clear()
        return count, labelled


LAYOUTS: dict[str, type[_Layout]] = {
    "vspw": _Vspw,
    "cityscapes": _Cityscapes,
    "camvid": _CamVid,
    "camvid-colour": _CamVidColour,
}


def export(
    dataset: Dataset,
    layout: str,
    output: Path,
    *,
    split: str = "val",
    clips: int | None = None,
    advance: Callable[[str], None] = lambda clip: None,
) -> Release:
    """Write the first `clips` clips (None: all) below `output` and return what was written.

    advance: called with each clip's name when it is on disk
    Raises UserError for an unknown layout, a folder that is not empty, more classes than the layout has, and a clip
    that the layout cannot hold.
    """
    if layout not in LAYOUTS:
        raise UserError(f"unknown layout {layout!r}", expected=suggest(layout, LAYOUTS))
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UserError("the output folder is not empty", where=output, fix="name a new folder in --output")
    writer = LAYOUTS[layout](output, split)
    if dataset.space.classes > writer.space.classes:
        raise UserError(
            f"{dataset.name} has {dataset.space.classes} classes, the layout {layout} has {writer.space.classes}",
            expected="a layout with at least as many classes",
        )
    names = list(islice(dataset.clips(), clips))
    total = Release(source=f"{dataset.name} exported as {layout}", clips=0, frames=0, labelled=0)
    for position, name in enumerate(names):
        if Path(name).name != name:
            raise UserError(f"the clip name {name!r} cannot be a file name")
        frames, labelled = writer.clip(position, name, dataset.frames(name))
        total = replace(
            total, clips=position + 1, frames=(total.frames or 0) + frames, labelled=(total.labelled or 0) + labelled
        )
        advance(name)
    write_release(output, split, total)
    return total


def write(path: Path, pixels: UInt8) -> None:
    """Write an image file, uint8[H, W] or uint8[H, W, 3] RGB, and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    parameters = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if path.suffix == ".jpg" else []
    done, data = cv2.imencode(path.suffix, bgr, parameters)
    if not done:
        raise UserError("cannot be encoded", where=path)
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:  # for a full disk, the error does not say where
        raise UserError(f"cannot be written: {error.strerror}", where=path) from None


def _file_values(space: LabelSpace) -> UInt8:
    """uint8[256]: train id -> file value, void for everything that is not a class."""
    table = np.full(256, space.void_value, np.uint8)
    table[: space.classes] = space.to_file
    return table


def _mask_colours(space: LabelSpace) -> UInt8:
    """uint8[256, 3]: train id -> mask colour, a colour that means void for everything that is not a class."""
    table = np.empty((256, 3), np.uint8)
    table[:] = next(colour for colour, train_id in space.from_colour.items() if train_id == IGNORE)
    table[: space.classes] = space.colours
    return table
