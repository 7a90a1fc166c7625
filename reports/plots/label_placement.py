"""Where the labels of a plot go: near their points, and over nothing.

Every label has candidate boxes around its point, in sixteen directions at growing distances. Those that leave the frame
or cover a point or a line are ruled out. Labels are placed one after the other, those with the least choice first, each
where it costs least. A label that finds no place drives out others that have lost less often than itself. A few rounds
later all are placed, or as many as possible. Nothing is random: the same plot gives the same places.

A box is its left, bottom, right and top; a line is the x and y of one end, then of the other. All are float64.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def overlapping(boxes: ArrayLike, others: ArrayLike) -> Bools:
    """Return bool[A, B]: which boxes overlap; those that only touch do not."""
    a, b = np.asarray(boxes, float)[:, None], np.asarray(others, float)[None]
    return np.asarray((a[..., :2] < b[..., 2:]).all(-1) & (b[..., :2] < a[..., 2:]).all(-1))


def nearest(boxes: ArrayLike, points: ArrayLike) -> Floats:
    """Return float64[A, N, 2]: the point of each box nearest to each point; the point itself if inside."""
    a, p = np.asarray(boxes, float)[:, None], np.asarray(points, float)[None]
    return np.clip(p, a[..., :2], a[..., 2:])


def distances(boxes: ArrayLike, points: ArrayLike) -> Floats:
    """Return float64[A, N]: how far each box is from each point."""
    return np.asarray(np.linalg.norm(nearest(boxes, points) - np.asarray(points, float), axis=-1))


def crossing(boxes: ArrayLike, lines: ArrayLike) -> Bools:
    """Return bool[A, M]: which boxes a line enters or touches. (Three axes can separate a box and a line.)"""
    a, s = np.asarray(boxes, float)[:, None], np.asarray(lines, float)[None]
    half, along = (a[..., 2:] - a[..., :2]) / 2, (s[..., 2:] - s[..., :2]) / 2
    apart = (a[..., 2:] + a[..., :2]) / 2 - (s[..., 2:] + s[..., :2]) / 2
    across = np.abs(apart[..., 0] * along[..., 1] - apart[..., 1] * along[..., 0])
    slack = half[..., 0] * np.abs(along[..., 1]) + half[..., 1] * np.abs(along[..., 0])
    return np.asarray((np.abs(apart) <= half + np.abs(along)).all(-1) & (across <= slack))


def meeting(lines: ArrayLike, others: ArrayLike) -> Bools:
    """Return bool[A, B]: which lines cut which; lines that only touch, or coincide, do not."""
    a, b = np.asarray(lines, float)[:, None], np.asarray(others, float)[None]

    def sides(line: Floats, points: Floats) -> Floats:
        """Return values whose sign says on which side of the line a point is."""
        step, away = line[..., 2:] - line[..., :2], points - line[..., :2]
        return np.asarray(step[..., 0] * away[..., 1] - step[..., 1] * away[..., 0])

    return np.asarray(
        (sides(a, b[..., :2]) * sides(a, b[..., 2:]) < 0) & (sides(b, a[..., :2]) * sides(b, a[..., 2:]) < 0)
    )


_RINGS = 1.3 ** np.arange(18)  # distances of candidates, in gaps: up to 86
_ANGLES = np.arange(16) * np.pi / 8
_LEADER = 3.0  # from this many gaps on, a label needs a line to its point
_ROUNDS = 12
# Costs, in gaps of distance: left of the point, below it, another point is nearer, a faint line is covered, a leader
# passes a label or crosses another.
_LEFT, _BELOW, _NEARER, _FAINT, _TANGLED = 0.8, 0.4, 3.0, 2.5, 25.0


@dataclass(frozen=True)
class Scene:
    """What the plot already contains; float64, any unit.

    frame:  [4], left, bottom, right, top, which no label leaves
    points: [N, 2], no label comes closer to their centres than `radius`
    gap:    from a point's edge to its label where there is room
    lines:  [M, 4], no label covers them;  faint: [K, 4], a label covers them only where it has no better place
    """

    frame: ArrayLike
    points: Floats
    radius: float
    gap: float
    lines: Floats = field(default_factory=lambda: np.empty((0, 4)))
    faint: Floats = field(default_factory=lambda: np.empty((0, 4)))


def place(scene: Scene, sizes: ArrayLike, reach: ArrayLike) -> Floats:
    """Return float64[N, 4]: the box of each point's label, NaN where none of its candidates is free of other labels.

    sizes: [N, 2], width and height; reach: [N], how far from its point's edge a label may be. Both are for the first N
    points of the scene: further ones have no label.
    """
    options = [
        candidates(scene, number, np.asarray(size, float), float(far))
        for number, (size, far) in enumerate(zip(np.asarray(sizes), np.asarray(reach), strict=True))
    ]
    search = _Search(scene, options)
    order = sorted(range(len(options)), key=lambda number: len(options[number]))
    best: dict[int, int] = {}
    for _ in range(_ROUNDS):
        before = dict(search.chosen)
        for number in order:
            search.settle(number, drive_out=True)
        if len(search.chosen) >= len(best):
            best = dict(search.chosen)
        if search.chosen == before:
            break
    search.chosen = best
    for number in order:
        if number not in best:
            search.settle(number, drive_out=False)
    found = np.full((len(options), 4), np.nan)
    for number, pick in search.chosen.items():
        found[number] = options[number][pick]
    return found


def candidates(scene: Scene, number: int, size: Floats, reach: float) -> Floats:
    """Return float64[C, 4]: the boxes for one point's label that stay in the frame and cover at most other labels."""
    around = np.column_stack([np.cos(_ANGLES), np.sin(_ANGLES)])
    sides = around / np.abs(around).max(axis=1, keepdims=True)  # which point of the box's edge faces the point
    rings = scene.radius + scene.gap * _RINGS[scene.gap * _RINGS <= reach]
    centres = scene.points[number] + (sides * size / 2 + rings[:, None, None] * around).reshape(-1, 2)
    boxes = np.hstack([centres - size / 2, centres + size / 2])
    low, high = np.split(np.asarray(scene.frame, float), 2)
    boxes = boxes[(boxes[:, :2] >= low).all(axis=1) & (boxes[:, 2:] <= high).all(axis=1)]
    covers = (distances(boxes, scene.points) < scene.radius).any(axis=1) | crossing(boxes, scene.lines).any(axis=1)
    return boxes[~covers]


def leaders(scene: Scene, number: int, boxes: ArrayLike) -> Floats:
    """Return float64[A, 4]: from each box to the edge of the point it names; length 0 where the box is next to it."""
    point = scene.points[number]
    end = nearest(boxes, point[None])[:, 0]
    away = point - end
    far = np.linalg.norm(away, axis=1, keepdims=True)
    needed = far - scene.radius >= _LEADER * scene.gap
    start = np.where(needed, end + away * (1 - scene.radius / np.where(needed, far, np.inf)), end)
    return np.hstack([end, start])


class _Search:
    """The candidate that each label has taken, by number, and how often each had to give way or found none."""

    def __init__(self, scene: Scene, options: list[Floats]) -> None:
        self.options = options
        self.leaders = [leaders(scene, number, boxes) for number, boxes in enumerate(options)]
        self.costs = [_costs(scene, number, boxes) for number, boxes in enumerate(options)]
        self.chosen: dict[int, int] = {}
        self.losses = np.ones(len(options))

    def settle(self, number: int, drive_out: bool) -> None:
        """Give one label the best free place, or else the best of those where other labels give way."""
        self.chosen.pop(number, None)
        boxes, lines = self.options[number], self.leaders[number]
        if not len(boxes):
            return
        others = np.array(list(self.chosen), int)
        theirs = np.array([self.options[other][self.chosen[other]] for other in others]).reshape(-1, 4)
        led = np.array([self.leaders[other][self.chosen[other]] for other in others]).reshape(-1, 4)
        tangles = crossing(boxes, led) | crossing(theirs, lines).T | meeting(lines, led)
        cost = self.costs[number] + _TANGLED * tangles.sum(axis=1)
        hits = overlapping(boxes, theirs)
        loss = hits @ self.losses[others]
        pick = int(np.lexsort((cost, loss))[0])
        if loss[pick] > 0:
            self.losses[number] += 1
            if not drive_out or loss[pick] >= self.losses[number]:
                return
        for other in others[hits[pick]]:
            del self.chosen[int(other)]
        self.chosen[number] = pick


def _costs(scene: Scene, number: int, boxes: Floats) -> Floats:
    """Return float64[A]: how far each box is from the point it names, and what else makes it a worse place."""
    point, others = scene.points[number], np.delete(scene.points, number, axis=0)
    away = distances(boxes, point[None])
    left, below = (((boxes[:, :2] + boxes[:, 2:]) / 2 - point) < -scene.radius).T
    lines = leaders(scene, number, boxes)
    discs = np.hstack([others - scene.radius, others + scene.radius])
    return np.asarray(
        (away[:, 0] - scene.radius) / scene.gap
        + _LEFT * left
        + _BELOW * below
        + _NEARER * (distances(boxes, others) < away + scene.gap).sum(axis=1)
        + _FAINT * crossing(boxes, scene.faint).sum(axis=1)
        + _TANGLED * crossing(discs, lines).sum(axis=0)
    )
