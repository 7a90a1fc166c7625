"""Predictions that are already on disk: any program in any framework becomes a method by writing label PNGs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from vssbench.datasets.read_pixels import read_prediction
from vssbench.errors import UserError
from vssbench.files.input_files import expanded
from vssbench.types import Frame, Prediction, UInt8, Weights


class Replay:
    """The files `<predictions>/<clip>/<stem>.png`: 8-bit greyscale or palette PNGs whose pixel values are train ids.

    Every frame counts as a key frame, since the files do not say how they were made; speed and cost are the disk's.

    predictions: the folder
    """

    needs: frozenset[str] = frozenset()
    lookahead = 0
    weights = Weights()

    def __init__(self, predictions: str):
        self.root = expanded(predictions)
        self.name = "replay"
        if not self.root.is_dir():
            raise UserError(
                "no such folder", where=self.root, expected="a folder of predictions, <clip>/<frame stem>.png"
            )

    def clip_files(self, clip: str, stems: Sequence[str]) -> list[Path]:
        """The prediction files of a clip."""
        return [self._path(clip, stem) for stem in stems]

    def reset(self) -> None:
        """Nothing to forget."""

    def prepare(self, frame: Frame) -> UInt8:
        """Return uint8[H, W] from the file; raises UserError where it is missing, unreadable or of a different size."""
        path = self._path(frame.clip, frame.stem)
        if not path.is_file():
            raise UserError(
                "the prediction is missing", where=path, expected="one file per frame, <clip>/<frame stem>.png"
            )
        labels = read_prediction(path)
        if labels.shape != frame.image.shape[:2]:
            (height, width), (rows, columns) = frame.image.shape[:2], labels.shape
            raise UserError(f"is {rows}x{columns}", where=path, expected=f"the frame's size, {height}x{width}")
        return labels

    def step(self, x: UInt8) -> UInt8:
        """Return the labels; there is no network."""
        return x

    def decode(self, y: UInt8) -> Prediction:
        """Return the file's values as they are; the protocol decides about an id outside the classes."""
        return Prediction(y.copy(), "key")

    def _path(self, clip: str, stem: str) -> Path:
        """Return a frame's file; raises UserError for names that would lead out of the folder."""
        relative = PurePath(clip, f"{stem}.png")
        clean = not relative.is_absolute() and ".." not in relative.parts and "\0" not in str(relative)
        if not clean or not stem or not clip or PurePath(stem).name != stem:
            raise UserError(
                f"clip {clip!r}: {stem!r} cannot name a file in {self.root}",
                expected="a clip name and a frame stem without '..' and without a leading '/'",
            )
        return self.root / relative
