"""The Pareto front: what no other method beats in both accuracy and cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def dominated(x: Floats, y: Floats, more_is_better: bool, rivals: Bools | None = None) -> Bools:
    """bool[N]: points that some rival beats: as good in both, better in one. Higher y is better; ties beat nobody.

    rivals: bool[N], who may beat the others; everyone where it is not given.

    >>> dominated(np.array([1.0, 2.0, 3.0]), np.array([9.0, 5.0, 9.5]), more_is_better=False).tolist()
    [False, True, False]
    """
    cost = -x if more_is_better else x
    no_worse = (cost[None, :] <= cost[:, None]) & (y[None, :] >= y[:, None])
    better = (cost[None, :] < cost[:, None]) | (y[None, :] > y[:, None])
    beaten = no_worse & better
    return np.asarray((beaten if rivals is None else beaten & rivals[None, :]).any(axis=1))


def staircase(x: Floats, y: Floats, more_is_better: bool, worst: tuple[float, float]) -> Floats:
    """float64[M, 2]: the edge of the region that the points of a front dominate, from the cheapest to the best.

    worst: the corner of that region, as bad in x and y as anything is. Empty without points.
    """
    if not len(x):
        return np.empty((0, 2))
    steps = sorted(set(zip(x.tolist(), y.tolist(), strict=True)), reverse=more_is_better)
    corners = [(steps[0][0], worst[1])]
    for step, (across, up) in enumerate(steps):
        if step:
            corners.append((across, corners[-1][1]))
        corners.append((across, up))
    return np.array([*corners, (worst[0], corners[-1][1])])
