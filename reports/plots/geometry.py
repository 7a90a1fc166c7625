"""Boxes, points and lines of a plot: what overlaps, covers or crosses what.

A box is its left, bottom, right and top; a line is the x and y of one end, then of the other. All are float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def overlapping(boxes: ArrayLike, others: ArrayLike) -> Bools:
    """bool[A, B]: which boxes overlap; those that only touch do not."""
    a, b = np.asarray(boxes, float)[:, None], np.asarray(others, float)[None]
    return np.asarray((a[..., :2] < b[..., 2:]).all(-1) & (b[..., :2] < a[..., 2:]).all(-1))


def nearest(boxes: ArrayLike, points: ArrayLike) -> Floats:
    """float64[A, N, 2]: the point of each box that is nearest to each point: the point itself inside."""
    a, p = np.asarray(boxes, float)[:, None], np.asarray(points, float)[None]
    return np.clip(p, a[..., :2], a[..., 2:])


def distances(boxes: ArrayLike, points: ArrayLike) -> Floats:
    """float64[A, N]: how far each box is from each point."""
    return np.asarray(np.linalg.norm(nearest(boxes, points) - np.asarray(points, float), axis=-1))


def crossing(boxes: ArrayLike, lines: ArrayLike) -> Bools:
    """bool[A, M]: which boxes a line enters or touches. (The axes that can separate a box and a line are three.)"""
    a, s = np.asarray(boxes, float)[:, None], np.asarray(lines, float)[None]
    half, along = (a[..., 2:] - a[..., :2]) / 2, (s[..., 2:] - s[..., :2]) / 2
    apart = (a[..., 2:] + a[..., :2]) / 2 - (s[..., 2:] + s[..., :2]) / 2
    across = np.abs(apart[..., 0] * along[..., 1] - apart[..., 1] * along[..., 0])
    slack = half[..., 0] * np.abs(along[..., 1]) + half[..., 1] * np.abs(along[..., 0])
    return np.asarray((np.abs(apart) <= half + np.abs(along)).all(-1) & (across <= slack))


def meeting(lines: ArrayLike, others: ArrayLike) -> Bools:
    """bool[A, B]: which lines cut which; lines that only touch, or lie on one another, do not."""
    a, b = np.asarray(lines, float)[:, None], np.asarray(others, float)[None]

    def sides(line: Floats, points: Floats) -> Floats:
        """The sign says on which side of the line a point is."""
        step, away = line[..., 2:] - line[..., :2], points - line[..., :2]
        return np.asarray(step[..., 0] * away[..., 1] - step[..., 1] * away[..., 0])

    return np.asarray(
        (sides(a, b[..., :2]) * sides(a, b[..., 2:]) < 0) & (sides(b, a[..., :2]) * sides(b, a[..., 2:]) < 0)
    )
