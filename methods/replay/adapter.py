"""Predictions that are already on disk: any program in any framework is a method once it writes label PNGs."""

from __future__ import annotations

from pathlib import Path, PurePath

import numpy as np
from PIL import Image

from vssbench.errors import UserError
from vssbench.types import Frame, Prediction, UInt8, Weights


class Replay:
    """Reads `<predictions>/<clip>/<stem>.png`: 8-bit greyscale or palette PNGs whose pixel values are train ids.

    Every frame counts as a key frame, since the files do not say how they came about; speed and cost are the disk's.
    """

    needs: frozenset[str] = frozenset()
    lookahead = 0
    weights = Weights()

    def __init__(self, predictions: str):
        self.root = Path(predictions)
        self.name = "replay"
        if not self.root.is_dir():
            raise UserError(
                "there is no such folder", where=self.root, expected="a folder of predictions, <clip>/<frame stem>.png"
            )

    def reset(self) -> None:
        """Nothing to forget."""

    def prepare(self, frame: Frame) -> UInt8:
        """uint8[H, W] from the file; raises UserError where it is missing, unreadable or of another size."""
        path = self._path(frame)
        try:
            with Image.open(path) as picture:
                _check(picture, frame, path)
                return np.array(picture)
        except FileNotFoundError:
            raise UserError(
                "the prediction is missing", where=path, expected="one file a frame, <clip>/<frame stem>.png"
            ) from None
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise UserError(f"cannot be read: {error}", where=path, expected="a whole PNG file") from None

    def step(self, x: UInt8) -> UInt8:
        """There is no network."""
        return x

    def decode(self, y: UInt8) -> Prediction:
        """The file's values as they are; an id outside the classes is for the protocol to judge."""
        return Prediction(y.copy(), "key")

    def _path(self, frame: Frame) -> Path:
        """The frame's file; raises UserError for names that would lead out of the folder."""
        relative = PurePath(frame.clip, f"{frame.stem}.png")
        clean = not relative.is_absolute() and ".." not in relative.parts and "\0" not in str(relative)
        if not clean or not frame.stem or not frame.clip or PurePath(frame.stem).name != frame.stem:
            raise UserError(
                f"clip {frame.clip!r}, frame {frame.index}: {frame.stem!r} cannot name a file in {self.root}",
                expected="a clip name and a frame stem without '..' and without a leading '/'",
            )
        return self.root / relative


def _check(picture: Image.Image, frame: Frame, path: Path) -> None:
    height, width = frame.image.shape[:2]
    if picture.size != (width, height):
        raise UserError(
            f"is {picture.height}x{picture.width}", where=path, expected=f"the frame's size, {height}x{width}"
        )
    if picture.format != "PNG" or picture.mode not in ("L", "P"):
        raise UserError(
            f"is a {picture.format} with {picture.mode} pixels",
            where=path,
            expected="a PNG of class indices (8-bit greyscale or palette)",
        )
