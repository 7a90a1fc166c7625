"""Small folders of video and the descriptions that fit them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

SIZE = (32, 48)
CLASSES = ("road", "car", "tree")
VALUES = ("frames/{clip}/{frame}.png", "masks/{clip}/{frame}.png")


def labels(clip: str, index: int) -> np.ndarray:
    """uint8[H, W]: train ids of three classes, moving stripes below some fixed rows; 255 in the first rows."""
    rows, columns = np.indices(SIZE)
    found = ((columns + 2 * index + 3 * sum(map(ord, clip))) // 8 % 3).astype(np.uint8)
    found[rows < 6] = 0
    found[rows < 2] = 255
    return found


def picture(clip: str, index: int) -> np.ndarray:
    """uint8[H, W, 3] in which the classes can be distinguished."""
    grey = np.array([40, 120, 200] + [0] * 253, np.uint8)[labels(clip, index)]
    return np.stack([grey, np.full(SIZE, 8 * index, np.uint8), grey], axis=2)


def write_tree(
    root: Path,
    clips: Mapping[str, int],
    images: str = VALUES[0],
    masks: str | None = VALUES[1],
    mask: Callable[[np.ndarray], Image.Image] = Image.fromarray,
    number: str = "{:05d}",
    split: str = "val",
) -> None:
    """Write frames and masks where the patterns say. clips: clip -> frames; mask: makes the image of train ids."""
    for clip, length in clips.items():
        for index in range(length):
            for pattern, made in ((images, Image.fromarray(picture(clip, index))), (masks, mask(labels(clip, index)))):
                if pattern is not None:
                    path = root / pattern.format(clip=clip, frame=number.format(index), split=split)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    made.save(path)


def describe(path: Path, **said: Any) -> Path:
    """Write a description of `write_tree`'s plain tree with the given changes; a key that is None is left out."""
    usual = {"name": "mine", "images": VALUES[0], "labels": VALUES[1], "classes": list(CLASSES)}
    written = {key: value for key, value in (usual | said).items() if value is not None}
    path.write_text(yaml.safe_dump(written, sort_keys=False), encoding="utf-8")
    return path
