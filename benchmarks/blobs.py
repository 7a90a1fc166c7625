"""Moving blobs in the VSPW layout, 480x853 with 124 classes, and predictions of them, for timing the scoring."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

SIZE = (480, 853)
CLASSES = 124


def write(root: Path, clips: int, frames: int, palette: bool) -> None:
    """Write a split val: data/<clip>/mask (file values 1 to 124, a little void) and predictions/<clip>."""
    rng = np.random.default_rng(0)
    names = [f"clip{number:03d}" for number in range(clips)]
    for name in names:
        folders = [root / "data" / name / "mask", root / "data" / name / "origin", root / "predictions" / name]
        for folder in folders:
            folder.mkdir(parents=True)
        blobs = _Blobs(rng)
        for index in range(frames):
            mask, prediction = blobs.draw(index)
            _save(mask, folders[0] / f"{index:08d}.png", palette)
            (folders[1] / f"{index:08d}.jpg").touch()  # listed, never decoded
            _save(prediction, folders[2] / f"{index:08d}.png", palette)
    (root / "val.txt").write_text("\n".join(names) + "\n")


def write_motion(root: Path) -> None:
    """Add TC's inputs to what `write` wrote: images, and smooth flow in flow/<clip>/<frame>.flo, both synthetic."""
    rng = np.random.default_rng(0)
    height, width = SIZE
    texture = cv2.GaussianBlur(rng.integers(0, 256, (*SIZE, 3), np.uint8), (0, 0), 3)
    made = root / "flow" / "made"
    made.mkdir(parents=True)
    for number in range(8):  # 3 MB each: all frames share them
        coarse = rng.normal(0, 3, (12, 20, 2)).astype(np.float32)
        flow = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        (made / f"{number}.flo").write_bytes(b"PIEH" + np.array([width, height], "<i4").tobytes() + flow.tobytes())
    for clip in (root / "val.txt").read_text().split():
        (root / "flow" / clip).mkdir()
        for index, image in enumerate(sorted((root / "data" / clip / "origin").iterdir())):
            (root / "flow" / clip / f"{image.stem}.flo").hardlink_to(made / f"{index % 8}.flo")
            cv2.imwrite(str(image), np.roll(texture, (index, 2 * index), (0, 1)))


class _Blobs:
    """Forty ellipses that drift and turn; the prediction lags, wobbles at its borders and mislabels some."""

    def __init__(self, rng: np.random.Generator):
        height, width = SIZE
        self.centre = rng.uniform((0, 0), (width, height), (40, 2))
        self.speed = rng.normal(0, 2, (40, 2))
        self.axes = rng.uniform(15, 150, (40, 2))
        self.turn = rng.normal(0, 2, 40)
        self.truth = rng.integers(0, CLASSES + 1, 40)  # file values, 0 is void
        self.guess = np.where(rng.random(40) < 0.8, np.maximum(self.truth - 1, 0), rng.integers(0, CLASSES, 40))

    def draw(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        mask, prediction = np.full(SIZE, 3, np.uint8), np.full(SIZE, 2, np.uint8)
        for number in range(len(self.centre)):
            wobble = 1 + 0.04 * np.sin(index * 0.9 + number)
            self._ellipse(mask, number, index, 1.0, self.truth[number])
            self._ellipse(prediction, number, index - 1, wobble, self.guess[number])
        return mask, prediction

    def _ellipse(self, image: np.ndarray, number: int, index: int, scale: float, value: int) -> None:
        centre = tuple((self.centre[number] + index * self.speed[number]).round().astype(int).tolist())
        axes = tuple((self.axes[number] * scale).round().astype(int).tolist())
        cv2.ellipse(image, centre, axes, float(self.turn[number] * index), 0, 360, int(value), -1)


def _save(values: np.ndarray, path: Path, palette: bool) -> None:
    image = Image.fromarray(values)
    if palette:
        image.putpalette(np.arange(768).astype(np.uint8).tobytes())
    image.save(path)
