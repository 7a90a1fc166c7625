"""Label placement: placed labels are legal, and labels left out had no free place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vssbench.reports.plots import label_placement
from vssbench.reports.plots.label_placement import (
    Scene,
    candidates,
    crossing,
    distances,
    leaders,
    meeting,
    nearest,
    overlapping,
    place,
)

SIZE = (207.0, 152.0)  # of the axes of a Pareto plot, in 1/72 inch
RADIUS, GAP, REACH = 3.2, 1.6, 42.0


def scenes(least: int = 1, most: int = 25) -> st.SearchStrategy[Scene]:
    """Points inside the axes, some of them equal, and a few lines between them."""
    spots = st.tuples(st.integers(15, 192), st.integers(12, 140))
    return st.builds(
        lambda points, lines: Scene(
            frame=(0, 0, *SIZE), points=np.array(points, float), radius=RADIUS, gap=GAP,
            lines=np.array([[*a, *b] for a, b in lines], float).reshape(-1, 4),
        ),
        st.lists(spots, min_size=least, max_size=most),
        st.lists(st.tuples(spots, spots), max_size=3),
    )  # fmt: skip


def sizes(count: int) -> st.SearchStrategy[np.ndarray]:
    """Sizes of names of 5 to 40 characters in a 6.5-point font."""
    lengths = st.lists(st.integers(5, 40), min_size=count, max_size=count)
    return lengths.map(lambda found: np.array([[3.9 * length, 7.5] for length in found]))


@settings(max_examples=60)
@given(st.data())
def test_labels_cover_nothing_and_are_omitted_only_without_a_free_place(data: st.DataObject) -> None:
    scene = data.draw(scenes())
    count = len(scene.points)
    size = data.draw(sizes(count))
    boxes = place(scene, size, np.full(count, REACH))
    placed = np.flatnonzero(~np.isnan(boxes[:, 0]))
    assert np.allclose(boxes[placed, 2:] - boxes[placed, :2], size[placed])
    _check_legal(scene, boxes[placed])
    for index, box in zip(placed, boxes[placed], strict=True):
        assert distances(box[None], scene.points[index][None]) <= RADIUS + REACH
    for index in set(range(count)) - set(placed.tolist()):
        options = candidates(scene, index, size[index], REACH)
        assert overlapping(options, boxes[placed]).any(axis=1).all()


@settings(max_examples=60)
@given(scenes())
def test_up_to_25_points_can_all_be_labelled_with_numbers(scene: Scene) -> None:
    boxes = place(scene, np.full((len(scene.points), 2), (9, 7.5)), np.full(len(scene.points), np.inf))
    assert not np.isnan(boxes).any()
    _check_legal(scene, boxes)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 8)), min_size=1, max_size=12, unique=True), st.data())
def test_labels_of_up_to_twelve_separate_points_are_all_placed(
    cells: list[tuple[int, int]], data: st.DataObject
) -> None:
    points = np.array(cells, float) * (40, 16)
    scene = Scene(frame=(0, 0, *SIZE), points=points, radius=RADIUS, gap=GAP)
    lengths = data.draw(st.lists(st.integers(5, 14), min_size=len(cells), max_size=len(cells)))
    boxes = place(scene, np.array([[3.9 * length, 7.5] for length in lengths]), np.full(len(cells), REACH))
    assert not np.isnan(boxes).any()


def test_label_placement_is_deterministic() -> None:
    random = np.random.default_rng(0)
    scene = Scene(frame=(0, 0, *SIZE), points=random.uniform(20, 130, (20, 2)), radius=RADIUS, gap=GAP)
    size = np.column_stack([random.uniform(20, 90, 20), np.full(20, 7.5)])
    first, second = (place(scene, size, np.full(20, REACH)) for _ in range(2))
    assert np.array_equal(first, second, equal_nan=True)


def test_single_label_is_placed_right_next_to_its_point() -> None:
    scene = Scene(frame=(0, 0, *SIZE), points=np.array([[100.0, 70.0]]), radius=RADIUS, gap=GAP)
    (box,) = place(scene, [(40.0, 8.0)], [REACH])
    assert box[0] > 100
    assert distances(box[None], scene.points) <= RADIUS + GAP
    (line,) = leaders(scene, 0, box[None])
    assert np.array_equal(line[:2], line[2:])


def test_leader_line_ends_at_the_edge_of_its_point() -> None:
    scene = Scene(frame=(0, 0, *SIZE), points=np.array([[100.0, 70.0]]), radius=RADIUS, gap=GAP)
    (line,) = leaders(scene, 0, [[130.0, 66.0, 150.0, 74.0]])
    assert line.tolist() == [130.0, 70.0, 100.0 + RADIUS, 70.0]


def test_search_rounds_place_more_labels_than_greedy_placement(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    scenes = [
        Scene(frame=(0, 0, *SIZE), points=random.uniform((15, 12), (192, 140), (25, 2)), radius=RADIUS, gap=GAP)
        for _ in range(4)
    ]

    def lost() -> int:
        boxes = [place(scene, np.full((25, 2), (70, 7.5)), np.full(25, REACH)) for scene in scenes]
        return int(np.isnan(boxes).any(axis=2).sum())

    searched = lost()
    monkeypatch.setattr(label_placement, "_ROUNDS", 0)
    assert searched < lost()


BOXES = st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 6)] * 2).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)
LINES = st.tuples(*[st.integers(0, 16)] * 4)


@given(BOXES, LINES)
def test_line_crosses_a_box_if_one_of_its_points_is_inside(box: tuple[int, ...], line: tuple[int, ...]) -> None:
    start, end = np.split(np.array(line, float), 2)
    along = np.linspace(0, 1, 2001)[:, None]
    inside = distances([box], start + along * (end - start)).min()
    if crossing([box], [line])[0, 0]:
        assert inside < 0.02
    else:
        assert inside > 0


@given(BOXES, BOXES)
def test_boxes_overlap_if_they_share_a_cell(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    cells = [{(x, y) for x in range(b[0], b[2]) for y in range(b[1], b[3])} for b in (one, other)]
    assert overlapping([one], [other])[0, 0] == bool(cells[0] & cells[1])


@given(BOXES, st.tuples(st.integers(0, 20), st.integers(0, 20)))
def test_nearest_point_of_a_box_matches_a_search_over_its_cells(box: tuple[int, ...], point: tuple[int, int]) -> None:
    spots = [(x, y) for x in range(box[0], box[2] + 1) for y in range(box[1], box[3] + 1)]
    assert distances([box], [point])[0, 0] == pytest.approx(min(np.hypot(x - point[0], y - point[1]) for x, y in spots))
    assert tuple(nearest([box], [point])[0, 0]) in spots


@pytest.mark.parametrize(
    ("other", "cut"),
    [
        ((0, 10, 10, 0), True),  # a cross
        ((5, 5, 9, 1), False),  # starts on the line
        ((0, 1, 9, 10), False),  # parallel
        ((6, 0, 10, 3), False),  # beyond
        ((2, 2, 8, 8), False),  # the same line
    ],
)
def test_lines_meet_only_if_they_cross(other: tuple[int, ...], cut: bool) -> None:
    assert meeting([(0, 0, 10, 10)], [other])[0, 0] == cut
    assert meeting([other], [(0, 0, 10, 10)])[0, 0] == cut


def _check_legal(scene: Scene, boxes: np.ndarray) -> None:
    assert not (overlapping(boxes, boxes) & ~np.eye(len(boxes), dtype=bool)).any()
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= SIZE).all()
    assert (distances(boxes, scene.points) >= scene.radius).all()
    assert not crossing(boxes, scene.lines).any()
