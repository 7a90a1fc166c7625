"""AR-Seg's augmentation: colour factors, flip, scale and crop, one draw for all frames of an example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vssbench.training.augment import Picture, Size, place
from vssbench.types import UInt8

GREY = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Factors:
    """Brightness, contrast (around the mean grey) and saturation (around each pixel's grey), applied in this order."""

    brightness: float
    contrast: float
    saturation: float

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Factors:
        return cls(*rng.uniform(1 - strength, 1 + strength, 3).tolist())

    def __call__(self, image: UInt8) -> UInt8:
        """Distort uint8[H, W, 3] RGB."""
        pixels = (image * np.float32(self.brightness)).clip(0, 255)
        mean = (pixels @ GREY).mean()
        pixels = (mean + (pixels - mean) * np.float32(self.contrast)).clip(0, 255)
        grey = (pixels @ GREY)[..., None]
        return (grey + (pixels - grey) * np.float32(self.saturation)).clip(0, 255).astype(np.uint8)


def augment(
    pictures: Sequence[Picture], crop: Size, scales: Sequence[float], colour: float, rng: np.random.Generator
) -> list[Picture]:
    """Change colours, flip, scale and crop all pictures with the same draw; enlarge those smaller than the crop."""
    factors, flip = Factors.draw(colour, rng), rng.random() < 0.5
    size = pictures[0].size
    scale = float(rng.choice(scales))
    scale = max(scale, *(wanted / side for wanted, side in zip(crop, size, strict=True)))
    scaled = max(round(size[0] * scale), crop[0]), max(round(size[1] * scale), crop[1])
    top, left = place(scaled, crop, rng)
    done = []
    for picture in pictures:
        picture = replace(picture, image=factors(picture.image)).resized(scaled).cropped(top, left, crop)
        done.append(picture.flipped() if flip else picture)
    return done
