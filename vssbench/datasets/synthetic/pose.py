"""Where the camera looks and where a layer is in one frame: a map between texels and pixels with an exact inverse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vssbench.datasets.synthetic.textures import wave

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Size:
    """Height and width of a frame in pixels."""

    height: int
    width: int

    @property
    def unit(self) -> float:
        """Pixels per unit of length."""
        return float(np.sqrt(self.height * self.width))


@dataclass(frozen=True)
class Camera:
    """Pan along x and y in units, and zoom (0.88 to 1.16), as closed forms of time."""

    zoom_least: ClassVar[float] = 0.88
    speed: float
    phases: Sequence[float]

    def __call__(self, time: float) -> tuple[float, float, float]:
        a, b, c = self.phases
        pan_x = self.speed * time + 0.04 * wave(time * 0.031 + a)
        pan_y = 0.03 * wave(time * 0.023 + b)
        return pan_x, pan_y, 1.02 + 0.14 * wave(time * 0.013 + c)


@dataclass(frozen=True)
class Pose:
    """Where a layer is in one frame: an affine map of its texels, then a sideways bend of the rows.

    matrix: pixels per texel, row by row (xx, xy, yx, yy);  at: the pixel (x, y) that the texel `origin` (u, v) lands on
    bend:   pixels of sway, bends per pixel of height, and phase
    """

    matrix: tuple[float, float, float, float]
    at: tuple[float, float]
    origin: tuple[float, float]
    bend: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def _sway(self, dy: Vector) -> Vector | float:
        size, pitch, phase = self.bend
        return size * wave(dy * pitch + phase) if size else 0.0

    def pixels(self, u: Vector, v: Vector) -> tuple[Vector, Vector]:
        """Texel coordinates -> pixel coordinates (x, y)."""
        xx, xy, yx, yy = self.matrix
        u, v = u - self.origin[0], v - self.origin[1]
        dy = u * yx + v * yy if yx else v * yy
        dx = u * xx + v * xy if xy else u * xx
        return dx + self.at[0] + self._sway(dy), dy + self.at[1]

    def texels(self, x: Vector, y: Vector) -> tuple[Vector, Vector]:
        """Pixel coordinates -> texel coordinates (u, v); the inverse of `pixels`."""
        xx, xy, yx, yy = self.matrix
        scale = 1 / (xx * yy - xy * yx)
        dy = y - self.at[1]
        dx = x - self.at[0] - self._sway(dy)
        u = dx * (yy * scale) - dy * (xy * scale) if xy else dx * (yy * scale)
        v = dy * (xx * scale) - dx * (yx * scale) if yx else dy * (xx * scale)
        return u + self.origin[0], v + self.origin[1]

    def box(self, rows: int, columns: int, height: int, width: int) -> tuple[slice, slice]:
        """The part of a frame that texels 0 .. rows, 0 .. columns, centred on `origin`, can touch."""
        xx, xy, yx, yy = (abs(m) / 2 for m in self.matrix)
        reach = xx * columns + xy * rows + abs(self.bend[0]) + 1, yx * columns + yy * rows + 1
        across, down = (_span(at, r, side) for at, r, side in zip(self.at, reach, (width, height), strict=True))
        return down, across


def _span(at: float, reach: float, side: int) -> slice:
    return slice(int(min(max(at - reach, 0), side)), int(min(max(at + reach + 1, 0), side)))
