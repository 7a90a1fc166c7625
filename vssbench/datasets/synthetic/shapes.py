"""The kinds of thing in a synthetic scene: what each looks like, where it is, how it moves.

A kind is told by texture, shape and place together; its colours are drawn again for every object.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from vssbench.datasets.synthetic import textures
from vssbench.datasets.synthetic.textures import Pattern, value_noise, wave

Mask = NDArray[np.bool_]
Axis = NDArray[np.float64]
Shape = Callable[[Generator, int, int], Mask]
"""(random numbers, rows, columns) -> bool[rows, columns], True where the object is."""

BACKDROPS: dict[str, Pattern] = {
    "sky": textures.clouds,
    "wall": textures.bricks,
    "ground": textures.grain,
    "water": textures.ripples,
}
"""Class -> pattern of the layers behind all objects."""


def _axes(rows: int, columns: int) -> tuple[Axis, Axis]:
    """Texel centres from -1 to 1: a column vector of y and a row vector of x."""
    y, x = ((np.arange(n) * 2 + 1) / n - 1 for n in (rows, columns))
    return y[:, None], x[None]


def _ellipse(y: Axis, x: Axis, centre: tuple[float, float], radius: tuple[float, float]) -> Mask:
    dy, dx = (y - centre[0]) / radius[0], (x - centre[1]) / radius[1]
    return dy * dy + dx * dx < 1


def _box(y: Axis, x: Axis, down: tuple[float, float], across: tuple[float, float]) -> Mask:
    return (y >= down[0]) & (y < down[1]) & (x >= across[0]) & (x < across[1])


def pole(rng: Generator, rows: int, columns: int) -> Mask:
    y, x = _axes(rows, columns)
    return (abs(x) < 0.7) | ((y < -0.94) & (abs(x) < 1))


def ball(rng: Generator, rows: int, columns: int) -> Mask:
    y, x = _axes(rows, columns)
    return _ellipse(y, x, (0, 0), (1, 1))


def crate(rng: Generator, rows: int, columns: int) -> Mask:
    y, x = _axes(rows, columns)
    return abs(y) + abs(x) < 1.6 + 0.4 * rng.random()


def tree(rng: Generator, rows: int, columns: int) -> Mask:
    y, x = _axes(rows, columns)
    fringe = value_noise(rng, rows, columns, rows * 0.16, columns * 0.16) * 0.7
    dy, dx = (y + 0.3) / 0.7, x
    crown = dy * dy + dx * dx < 1 - fringe
    return crown | _box(y, x, (0, 1), (-0.12, 0.12))


def animal(rng: Generator, rows: int, columns: int) -> Mask:
    y, x = _axes(rows, columns)
    mask = _ellipse(y, x, (-0.05, 0.15), (0.5, 0.72)) | _ellipse(y, x, (-0.55, -0.68), (0.42, 0.3))
    for left in (-0.45, -0.15, 0.3, 0.6):
        mask = mask | _box(y, x, (0, 1), (left, left + 0.16))
    mask = mask | _box(y, x, (-0.6, -0.1), (0.82, 0.98))
    return mask[:, ::-1] if rng.random() < 0.5 else mask


def person(rng: Generator, rows: int, columns: int) -> Mask:
    y, x = _axes(rows, columns)
    stride = 0.15 + 0.3 * rng.random()
    mask = _ellipse(y, x, (-0.8, 0), (0.2, 0.42)) | _ellipse(y, x, (-0.22, 0), (0.45, 0.75))
    leg = (y - 0.1) * stride
    for side in (-1, 1):
        mask = mask | ((y >= 0.1) & (abs(x - side * (leg + 0.3)) < 0.22))
    return mask | _box(y, x, (-0.5, -0.35), (-1, 1))


def kite(rng: Generator, rows: int, columns: int) -> Mask:
    y, x = _axes(rows, columns)
    dy = np.where(y < -0.4, (y + 0.4) / 0.6, (y + 0.4) / 0.8)
    tail = abs(x - wave(y * 1.6) * 0.25) < 0.09
    return (abs(dy) + abs(x) < 1) | (tail & (y > 0.3))


@dataclass(frozen=True)
class Kind:
    """One class of objects.

    tall:    height in units (1 unit = the square root of the frame's area), far and near
    slim:    width / height, least and most
    flies:   it can be anywhere in the upper part of the frame; otherwise it stands on the ground
    spin:    turns per time step, rock: turns to either side, sway: bending of its rows in heights
    speed:   its own speed along x relative to the other kinds
    """

    name: str
    shape: Shape
    pattern: Pattern
    tall: tuple[float, float]
    slim: tuple[float, float]
    flies: bool = False
    spin: float = 0.0
    rock: float = 0.0
    sway: float = 0.0
    speed: float = 1.0


OBJECTS = (
    Kind("pole", pole, textures.diagonals, (0.4, 0.75), (0.055, 0.08), speed=0.4, rock=0.01),
    Kind("ball", ball, textures.rings, (0.12, 0.38), (0.9, 1.1), spin=0.02, speed=1.5),
    Kind("crate", crate, textures.checks, (0.16, 0.42), (0.9, 1.7), rock=0.03),
    Kind("tree", tree, textures.leaves, (0.35, 0.75), (0.6, 0.9), sway=0.05, speed=0.3),
    Kind("animal", animal, textures.spots, (0.16, 0.4), (1.2, 1.6), sway=0.06, rock=0.01, speed=1.3),
    Kind("person", person, textures.bands, (0.3, 0.65), (0.32, 0.42), sway=0.04, rock=0.015, speed=1.2),
    Kind("kite", kite, textures.quarters, (0.22, 0.5), (0.6, 0.9), flies=True, rock=0.06, sway=0.04, speed=1.2),
)
CLASSES = (*BACKDROPS, *(kind.name for kind in OBJECTS))
"""Names in train-id order."""
