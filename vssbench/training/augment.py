"""Transform frames before they become an example: geometry for labels and images alike, colour for images only.

Every function takes its randomness from the generator passed to it. Images are uint8[H, W, 3] RGB, labels uint8[H, W].
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vssbench.types import IGNORE, Frame, UInt8

Size = tuple[int, int]
"""Height and width."""


@dataclass(frozen=True)
class Picture:
    """A frame on its way to an example; motion: float32[H, W, 2] pixels, x first, or None."""

    image: UInt8
    labels: UInt8 | None = None
    motion: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, frame: Frame) -> Picture:
        return cls(frame.image, frame.labels)

    @property
    def size(self) -> Size:
        return self.image.shape[0], self.image.shape[1]

    def resized(self, size: Size) -> Picture:
        """Resize bilinearly, labels and motion by the nearest pixel; the values of motion are scaled too."""
        if size == self.size:
            return self
        height, width = size
        labels = None if self.labels is None else nearest(self.labels, size)
        motion = self.motion
        if motion is not None:
            scale = np.array([width / self.size[1], height / self.size[0]], np.float32)
            motion = nearest(motion, size) * scale
        return Picture(cv2.resize(self.image, (width, height), interpolation=cv2.INTER_LINEAR), labels, motion)

    def cropped(self, top: int, left: int, size: Size) -> Picture:
        part = np.s_[top : top + size[0], left : left + size[1]]
        labels, motion = self.labels, self.motion
        return Picture(
            self.image[part], None if labels is None else labels[part], None if motion is None else motion[part]
        )

    def flipped(self) -> Picture:
        """Mirror left to right; the x of motion changes sign."""
        labels = None if self.labels is None else self.labels[:, ::-1]
        motion = None if self.motion is None else self.motion[:, ::-1] * np.array([-1, 1], np.float32)
        return Picture(self.image[:, ::-1], labels, motion)

    def padded(self, size: Size, value: tuple[int, int, int]) -> Picture:
        """Pad to at least that size, at the bottom and right, with a colour; labels with 255."""
        bottom, right = (max(wanted - side, 0) for wanted, side in zip(size, self.size, strict=True))
        if not (bottom or right):
            return self
        image = cv2.copyMakeBorder(self.image, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=value)
        labels = self.labels
        if labels is not None:
            labels = np.pad(labels, ((0, bottom), (0, right)), constant_values=IGNORE)
        return replace(self, image=image, labels=labels)


def nearest(array: NDArray, size: Size) -> NDArray:
    """Resize an array; each pixel takes the value with the nearest centre."""
    rows, columns = (
        np.minimum((np.arange(new) + 0.5) * old / new, old - 1).astype(int)
        for new, old in zip(size, array.shape, strict=False)
    )
    return array[rows[:, None], columns]


def place(size: Size, crop: Size, rng: np.random.Generator) -> tuple[int, int]:
    """Return (top, left) of a random crop, which is inside the picture where it fits."""
    top, left = (int(rng.integers(max(side - wanted, 0) + 1)) for side, wanted in zip(size, crop, strict=True))
    return top, left


def place_varied(labels: UInt8, crop: Size, rng: np.random.Generator, most: float = 0.75, tries: int = 10) -> Size:
    """The (top, left) of a crop whose classes each have at most `most` of the labelled pixels, or of the last try."""
    for _ in range(tries + 1):
        top, left = place((labels.shape[0], labels.shape[1]), crop, rng)
        found = labels[top : top + crop[0], left : left + crop[1]]
        counts = np.bincount(found.ravel(), minlength=256)[:IGNORE]
        if np.count_nonzero(counts) > 1 and counts.max() < most * counts.sum():
            break
    return top, left


@dataclass(frozen=True)
class Distortion:
    """SSD's photometric distortion (Liu et al., ECCV 2016), drawn once and applied to any number of images.

    Brightness +-32, contrast and saturation 0.5..1.5, hue +-18 of OpenCV's 180, each with probability 1/2; contrast
    comes before or after saturation and hue.
    """

    brightness: float
    contrast: float
    saturation: float
    hue: int
    contrast_first: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Distortion:
        on = rng.random(4) < 0.5
        return cls(
            float(rng.uniform(-32, 32)) * bool(on[0]),
            float(rng.uniform(0.5, 1.5)) if on[1] else 1.0,
            float(rng.uniform(0.5, 1.5)) if on[2] else 1.0,
            int(rng.integers(-18, 18)) * bool(on[3]),
            bool(rng.random() < 0.5),
        )

    def __call__(self, image: UInt8) -> UInt8:
        image = _scaled(image, 1, self.brightness)
        if self.contrast_first:
            image = _scaled(image, self.contrast)
        if self.saturation != 1 or self.hue:
            hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
            hsv[..., 1] = _scaled(hsv[..., 1], self.saturation)
            hsv[..., 0] = (hsv[..., 0].astype(int) + self.hue) % 180
            image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
        return image if self.contrast_first else _scaled(image, self.contrast)


def _scaled(image: UInt8, factor: float, shift: float = 0.0) -> UInt8:
    if factor == 1 and shift == 0:
        return image
    return np.clip(image * np.float32(factor) + np.float32(shift), 0, 255).astype(np.uint8)
