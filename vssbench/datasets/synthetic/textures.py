"""Procedural patterns and palettes for the synthetic scenes.

Everything that decides a byte consists of PCG64 draws and of +, -, *, /, floor and sqrt, each of which IEEE 754 rounds
in only one way; there is no libm and no fused operation, so the same seed gives the same bytes on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Field = NDArray[np.float32]
"""float32[h, w], about 0 .. 1: where each texel is between the two ends of a palette."""

Pattern = Callable[[Generator, int, int, float], Field]
"""(random numbers, rows, columns, texels per unit length) -> field. The field repeats along x without a seam."""

T = TypeVar("T", float, NDArray[np.float64], NDArray[np.float32])


def wave(x: T) -> T:
    """A smooth oscillation of period 1 and range -1 .. 1: like a sine, but drawn with parabolas."""
    r = x - np.floor(x + 0.5)
    return r * (1 - 2 * abs(r)) * 8


def blend(low: NDArray[np.float32], high: NDArray[np.float32], part: NDArray[np.float32] | np.float32) -> Field:
    return low + (high - low) * part


def value_noise(rng: Generator, rows: int, columns: int, cell_y: float, cell_x: float) -> Field:
    """Smooth noise, 0 .. 1: interpolated random values on a lattice; repeats along both axes. Cells in texels."""
    ny, nx = max(1, round(rows / cell_y)), max(1, round(columns / cell_x))
    lattice = rng.random((ny, nx)).astype(np.float32)
    (i, i1, fy), (j, j1, fx) = _cells(rows, ny), _cells(columns, nx)
    tall = blend(lattice[i], lattice[i1], fy[:, None])
    return blend(tall[:, j], tall[:, j1], fx)


def _cells(length: int, cells: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    at = np.arange(length) * (cells / length)
    low = np.floor(at).astype(np.intp) % cells
    part = (at - np.floor(at)).astype(np.float32)
    return low, (low + 1) % cells, part * part * (3 - 2 * part)


def _grid(rows: int, columns: int, cell_y: float, cell_x: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Row and column vectors that count cells; the columns hold a whole number of them, so that the pattern repeats."""
    across = max(1, round(columns / cell_x))
    y = (np.arange(rows) / cell_y).astype(np.float32)[:, None]
    x = (np.arange(columns) * (across / columns)).astype(np.float32)[None]
    return y, x


def _sharp(field: Field, gain: float) -> Field:
    return np.clip((field - 0.5) * np.float32(gain) + np.float32(0.5), 0, 1)


def clouds(rng: Generator, rows: int, columns: int, unit: float) -> Field:
    big = value_noise(rng, rows, columns, unit * 0.14, unit * 0.4)
    return blend(big, value_noise(rng, rows, columns, unit * 0.05, unit * 0.12), np.float32(0.3))


def bricks(rng: Generator, rows: int, columns: int, unit: float) -> Field:
    y, x = _grid(rows, columns, unit * 0.055, unit * 0.13)
    row: Field = np.floor(y)
    x = x + (row % 2) * np.float32(0.5)
    column = np.floor(x)
    shade = (rng.random((int(row[-1, 0]) + 1, int(column.max()) + 1)) * 0.3 + 0.7).astype(np.float32)
    shade[:, -1] = shade[:, 0]  # the half brick at the seam
    mortar = (y - row < 0.22) | (x - column < 0.1)
    return np.where(mortar, np.float32(0.05), shade[row.astype(np.intp), column.astype(np.intp)])


def grain(rng: Generator, rows: int, columns: int, unit: float) -> Field:
    fine = value_noise(rng, rows, columns, unit * 0.016, unit * 0.016)
    return blend(fine, value_noise(rng, rows, columns, unit * 0.1, unit * 0.2), np.float32(0.35))


def ripples(rng: Generator, rows: int, columns: int, unit: float) -> Field:
    fine = value_noise(rng, rows, columns, unit * 0.02, unit * 0.12)
    return blend(_sharp(fine, 2), value_noise(rng, rows, columns, unit * 0.07, unit * 0.5), np.float32(0.3))


def diagonals(rng: Generator, rows: int, columns: int, unit: float) -> Field:
    y, x = (np.arange(n) / (unit * 0.06) for n in (rows, columns))
    return _sharp((wave(y[:, None] + x) * 0.5 + 0.5).astype(np.float32), 4)


def rings(rng: Generator, rows: int, columns: int, unit: float) -> Field:
    y, x = (np.arange(n) - (n - 1) / 2 for n in (rows, columns))
    radius = np.sqrt(y[:, None] * y[:, None] + x * x) / (unit * 0.055)
    return _sharp((wave(radius + rng.random()) * 0.5 + 0.5).astype(np.float32), 2.5)


def checks(rng: Generator, rows: int, columns: int, unit: float) -> Field:
    y, x = _grid(rows, columns, unit * 0.04, unit * 0.04)
    return ((np.floor(y) + np.floor(x)) % 2).astype(np.float32)


def leaves(rng: Generator, rows: int, columns: int, unit: float) -> Field:
    return _sharp(value_noise(rng, rows, columns, unit * 0.03, unit * 0.03), 4)


def spots(rng: Generator, rows: int, columns: int, unit: float) -> Field:
    y, x = _grid(rows, columns, unit * 0.05, unit * 0.05)
    row, column = np.floor(y), np.floor(x)
    shape = int(row[-1, 0]) + 1, int(column[0, -1]) + 1
    at = row.astype(np.intp), column.astype(np.intp)
    dy, dx, size = (rng.random(shape).astype(np.float32)[at] for _ in range(3))
    dy, dx = y - row - (dy * 0.3 + 0.35), x - column - (dx * 0.3 + 0.35)
    return np.where(dy * dy + dx * dx < size * 0.04 + 0.07, np.float32(0), np.float32(0.9))


def bands(rng: Generator, rows: int, columns: int, unit: float) -> Field:
    y, _ = _grid(rows, columns, unit * 0.045, unit)
    stripe = _sharp((wave(y) * 0.5 + 0.5).astype(np.float32), 4)
    return np.broadcast_to(stripe, (rows, columns))


def quarters(rng: Generator, rows: int, columns: int, unit: float) -> Field:
    """Two by two plain panels that darken towards one side."""
    y, x = (np.arange(n, dtype=np.float32) / n for n in (rows, columns))
    panel = ((y[:, None] < 0.4) != (x < 0.5)).astype(np.float32)
    return panel * np.float32(0.7) + x * np.float32(0.3)


def texture(pattern: Pattern, rng: Generator, rows: int, columns: int, unit: float) -> NDArray[np.uint8]:
    """uint8[rows, columns]: the pattern under uneven shading. `unit`: texels per unit length."""
    unit = unit * (0.8 + 0.4 * rng.random())
    field = pattern(rng, rows, columns, unit)
    shading = value_noise(rng, rows, columns, unit * 0.15, unit * 0.15)
    return (blend(field, shading, np.float32(0.25)) * 255).astype(np.uint8)


def palette(rng: Generator) -> NDArray[np.uint32]:
    """uint32[256]: colours packed as 0x00BBGGRR, between two random ends that differ clearly in brightness."""
    vivid, ends = 0.25 + 0.5 * rng.random(), []
    for brightness in (40 + 90 * rng.random(), 150 + 90 * rng.random()):
        tint = rng.random(3)
        tint = tint / (0.3 * tint[0] + 0.6 * tint[1] + 0.1 * tint[2])
        ends.append(np.clip(brightness * (1 - vivid + vivid * tint), 0, 255))
    part = np.arange(256)[:, None] / 255
    mixed = np.floor(ends[0] + (ends[1] - ends[0]) * part + 0.5).astype(np.uint32)
    return mixed[:, 0] | mixed[:, 1] << 8 | mixed[:, 2] << 16
