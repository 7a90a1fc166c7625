"""The front and its staircase: invariants over random points."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vssbench.reports.plots.pareto_drawing import dominated, staircase

POINTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30)


@given(POINTS)
def test_point_is_dominated_if_another_is_better(points: list[tuple[int, int]]) -> None:
    x, y = np.array(points, float).T
    expected = [any((a <= px and b >= py) and (a < px or b > py) for a, b in points) for px, py in points]
    assert dominated(x, y, more_is_better=False).tolist() == expected
    assert dominated(-x, y, more_is_better=True).tolist() == expected


@given(POINTS, st.data())
def test_only_rivals_dominate_a_point(points: list[tuple[int, int]], data: st.DataObject) -> None:
    x, y = np.array(points, float).T
    rivals = np.array(data.draw(st.lists(st.booleans(), min_size=len(points), max_size=len(points))))
    beaten = dominated(x, y, more_is_better=False, rivals=rivals)
    for index in range(len(points)):
        kept = rivals.copy()
        kept[index] = True  # a point does not beat itself
        assert beaten[index] == dominated(x[kept], y[kept], more_is_better=False)[kept[:index].sum()]


@given(POINTS, st.booleans())
def test_staircase_separates_dominated_points_from_the_front(points: list[tuple[int, int]], more: bool) -> None:
    x, y = np.array(points, float).T
    best = ~dominated(x, y, more)
    worst = (-1.0 if more else 10.0, -1.0)
    steps = staircase(x[best], y[best], more, worst)
    moves = np.diff(steps, axis=0)
    assert ((moves == 0).sum(axis=1) == 1).all()  # along one axis at a time
    assert (moves[:, 1] >= 0).all()
    assert (moves[:, 0] * (-1 if more else 1) >= 0).all()
    assert steps[0, 1] == worst[1]
    assert steps[-1, 0] == worst[0]
    assert {tuple(step) for step in steps} >= set(zip(x[best], y[best], strict=True))
    cost, edge = (-x, -steps[:, 0]) if more else (x, steps[:, 0])
    height = np.array([steps[edge <= own, 1].max() for own in cost])
    assert (y <= height).all()  # no point is above
    assert ((y == height) | ~best).all()  # the front is on it


def test_staircase_of_no_points_is_empty() -> None:
    assert staircase(np.empty(0), np.empty(0), True, (0.0, 0.0)).shape == (0, 2)
