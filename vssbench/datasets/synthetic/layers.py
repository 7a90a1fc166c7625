"""The layers of a synthetic scene, far to near: backdrops and objects, and where each is at any time.

A layer is a mask of texels of one class and a pose in closed form. Lengths are in units: 1 unit is the square root of
the frame's area, so that a scene looks and moves alike at every size. Time is in steps (frames at rate 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from vssbench.datasets.synthetic.pose import Camera, Pose, Size, Vector
from vssbench.datasets.synthetic.shapes import BACKDROPS, CLASSES, OBJECTS, Kind
from vssbench.datasets.synthetic.textures import Pattern, value_noise, wave

DENSITY = 2
"""Texels per pixel at zoom 1."""
EXTRA_OBJECTS = 7
"""Objects of a scene in addition to one of every kind."""

Box = tuple[slice, slice]
Found = tuple[NDArray[np.int32], NDArray[np.bool_]]


@dataclass(frozen=True)
class Backdrop:
    """A layer as wide as the world: it repeats along x, and its last row continues downwards.

    mask:  where the layer is, bool[rows, columns]; the number of columns is a power of two
    above: rows from its top to the centre of the frame
    """

    label: int
    pattern: Pattern
    mask: NDArray[np.bool_]
    above: float
    parallax: float
    size: Size
    camera: Camera

    def pose(self, time: float) -> Pose:
        height, width, unit = self.size.height, self.size.width, self.size.unit
        pan_x, pan_y, zoom = self.camera(time)
        scale = zoom / DENSITY
        at = (width / 2 - zoom * self.parallax * pan_x * unit, height / 2 - zoom * self.parallax * pan_y * unit)
        return Pose((scale, 0.0, 0.0, scale), at, (self.mask.shape[1] / 2, self.above))

    def box(self, pose: Pose) -> tuple[Box, Vector, Vector]:
        """The part of the frame that the layer can touch, and its pixels' coordinates: a row of x, a column of y."""
        top = min(max(pose.at[1] - pose.matrix[3] * self.above - 1, 0), self.size.height) if self.label else 0
        return _coordinates(slice(int(top), self.size.height), slice(0, self.size.width))

    def find(self, pose: Pose, x: Vector, y: Vector) -> Found:
        """The texel of each pixel, int32, and whether the layer is there, bool."""
        rows, columns = self.mask.shape
        u, v = (np.floor(at).astype(np.int32) for at in pose.texels(x, y))
        index = np.clip(v, 0, rows - 1) * columns + (u & (columns - 1))
        return index, self.mask.take(index)


@dataclass(frozen=True)
class Body:
    """An object: it follows the camera, also moves by itself, and comes back on the other side after it has left."""

    label: int
    pattern: Pattern
    mask: NDArray[np.bool_]
    parallax: float
    size: Size
    camera: Camera
    kind: Kind
    start: tuple[float, float]  # x in units, y as a part of the frame's height
    speed: float  # units per time step
    phases: Sequence[float]

    def pose(self, time: float) -> Pose:
        height, width, unit = self.size.height, self.size.width, self.size.unit
        rows, columns = self.mask.shape
        pan_x, pan_y, zoom = self.camera(time)
        a, b, c, d, e = self.phases
        grown = zoom * (1 + 0.14 * wave(time * 0.021 + a)) / DENSITY
        turn = self.kind.spin * time + self.kind.rock * wave(time * 0.027 + b)
        sin, cos = wave(turn), wave(turn + 0.25)
        across, down = grown * (1 + 0.08 * wave(time * 0.037 + c)), grown
        reach = (rows + columns) / DENSITY / unit  # farther from its centre than any part of it
        lap = width / unit / self.camera.zoom_least + reach * 1.5  # it is out of the frame before it comes back
        x = self.start[0] + self.speed * time - self.parallax * pan_x
        x = x - lap * np.floor(x / lap + 0.5)
        y = (self.start[1] - 0.5) * height + unit * (0.03 * wave(time * 0.041 + d) - self.parallax * pan_y)
        tall = rows * down
        return Pose(
            (cos * across, -sin * down, sin * across, cos * down),
            (width / 2 + zoom * x * unit, height / 2 + zoom * y),
            (columns / 2, rows / 2),
            (self.kind.sway * tall, 0.6 / tall, 0.033 * time + e),
        )

    def box(self, pose: Pose) -> tuple[Box, Vector, Vector]:
        """The part of the frame that the object can touch, and its pixels' coordinates: a row of x, a column of y."""
        rows, columns = self.mask.shape
        return _coordinates(*pose.box(rows, columns, self.size.height, self.size.width))

    def find(self, pose: Pose, x: Vector, y: Vector) -> Found:
        """The texel of each pixel, int32, and whether the object is there, bool."""
        rows, columns = self.mask.shape
        u, v = (np.floor(at).astype(np.int32) for at in pose.texels(x, y))
        index = v * columns + u
        inside = (u.view(np.uint32) < columns) & (v.view(np.uint32) < rows)  # values below 0 are huge as unsigned
        return index, self.mask.take(index, mode="clip") & inside


Layer = Backdrop | Body


def _coordinates(down: slice, across: slice) -> tuple[Box, Vector, Vector]:
    x, y = (np.arange(part.start, part.stop, dtype=np.float64) for part in (across, down))
    return (down, across), x[None], y[:, None]


def make_layers(rng: Generator, height: int, width: int) -> list[Layer]:
    """The layers of one clip, far to near, under one camera."""
    size = Size(height, width)
    speed = (0.8 + 0.4 * rng.random()) * 0.01 * (1 if rng.random() < 0.5 else -1)
    camera = Camera(speed, rng.random(3).tolist())
    return [*backdrops(rng, size, camera), *bodies(rng, size, camera)]


def backdrops(rng: Generator, size: Size, camera: Camera) -> list[Backdrop]:
    """Sky, wall, ground and water, each below a line of its own; either ground or water is in front."""
    height, width = size.height, size.width
    columns = 1 << int(width * 2 * DENSITY - 1).bit_length()
    horizon = 0.5 + 0.14 * rng.random()
    roofs = horizon - 0.12 - 0.3 * _line(rng, columns, width * 0.3, steps=rng.random() < 0.6)
    shore = horizon + 0.05 + 0.75 * (_line(rng, columns, width * 0.55, steps=False) - 0.25)
    flat = np.full(columns, horizon)
    front = ("ground", "water") if rng.random() < 0.5 else ("water", "ground")
    lines = {"sky": flat - 2, "wall": roofs, front[0]: flat, front[1]: np.maximum(shore, horizon)}
    ends = {"sky": horizon, "wall": horizon, front[0]: 1.2, front[1]: 1.2}
    parallax = {"sky": 0.15, "wall": 0.45, front[0]: 0.7, front[1]: 0.7}
    found = []
    for name, line in lines.items():
        # Each reaches from just above its highest point, so that its first row is empty, to where other layers hide it.
        top = max(-0.2, float(line.min()) - 0.02)
        row = top + np.arange(np.ceil((ends[name] - top) * height * DENSITY)) / (height * DENSITY)
        above = (0.5 - top) * height * DENSITY
        mask = row[:, None] >= line
        found.append(Backdrop(CLASSES.index(name), BACKDROPS[name], mask, above, parallax[name], size, camera))
    return found


def _line(rng: Generator, columns: int, cell: float, steps: bool) -> Vector:
    """A height, 0 .. 1, for every column: rolling, or in steps like roofs."""
    cell = cell * DENSITY
    if steps:
        count = max(2, round(columns / cell * 1.5))
        return rng.random(count)[np.arange(columns) * count // columns]
    coarse, fine = (value_noise(rng, 1, columns, 1, size)[0].astype(np.float64) for size in (cell, cell / 4))
    return coarse * 0.75 + fine * 0.25


def bodies(rng: Generator, size: Size, camera: Camera) -> list[Body]:
    """One object of every kind and some more, sorted from far to near: near ones are bigger, lower and faster."""
    height, width, unit = size.height, size.width, size.unit
    kinds = [*OBJECTS, *(OBJECTS[i] for i in rng.integers(0, len(OBJECTS), EXTRA_OBJECTS).tolist())]
    found = []
    places = rng.permutation(len(kinds)).tolist()
    for kind, place in zip(kinds, places, strict=True):
        near, wobble, slim, x, y, fast, side = rng.random(7).tolist()
        tall = (kind.tall[0] + (kind.tall[1] - kind.tall[0]) * near) * (0.85 + 0.3 * wobble)
        rows = max(4, round(tall * unit * DENSITY))
        columns = max(3, round(rows * (kind.slim[0] + (kind.slim[1] - kind.slim[0]) * slim)))
        foot = 0.58 + 0.42 * near
        centre = 0.08 + 0.45 * y if kind.flies else foot - tall * unit / height / 2
        speed = kind.speed * (0.7 + 0.6 * fast) * 0.012 * (1 if side < 0.5 else -1)
        start = (place + x) / len(kinds) * (width / unit + 0.5)
        mask = kind.shape(rng, rows, columns)
        body = Body(
            CLASSES.index(kind.name), kind.pattern, mask, 0.7 + 0.6 * near, size, camera, kind, (start, centre), speed,
            rng.random(5).tolist(),
        )  # fmt: skip
        found.append((near, body))
    return [body for _, body in sorted(found, key=lambda pair: pair[0])]
