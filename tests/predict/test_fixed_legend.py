"""The legend of a video: places that do not change, however many classes there are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vssbench.datasets.label_spaces import load_space
from vssbench.predict.fixed_legend import ROWS, FixedLegend
from vssbench.predict.pictures import PAPER

CAMVID, VSPW = load_space("camvid"), load_space("vspw")


def labels(*train_ids: int) -> np.ndarray:
    return np.array([train_ids], np.uint8)


def swatches(sheet: np.ndarray) -> dict[tuple[int, int, int], tuple[int, int]]:
    """Class colour -> the first row and column at which it appears."""
    found = {}
    for colour in map(tuple, CAMVID.colours.tolist()):
        at = np.argwhere((sheet == colour).all(axis=2))
        if len(at):
            found[colour] = tuple(at[0].tolist())
    return found


def test_every_class_keeps_its_place_whatever_a_frame_shows() -> None:
    legend = FixedLegend(CAMVID, 900)
    assert legend.shown == list(range(CAMVID.classes))
    first, second = legend.draw(labels(0, 4), "a"), legend.draw(labels(9, 255), "b")
    assert first.shape == second.shape
    below = first.shape[0] // 3  # the caption may have any grey
    assert swatches(first[below:]) == swatches(second[below:])
    assert len(swatches(first[below:])) == CAMVID.classes
    assert not np.array_equal(first, second)  # it shows which are present


def test_classes_keep_the_place_of_first_appearance_if_not_all_fit() -> None:
    legend = FixedLegend(VSPW, 900)
    assert legend.places < VSPW.classes
    legend.draw(labels(50, 3), "")
    legend.draw(labels(7), "")
    legend.draw(labels(3), "")
    assert legend.shown == [3, 50, 7]


def test_class_without_a_place_replaces_the_longest_unseen_or_is_counted() -> None:
    legend = FixedLegend(VSPW, 300)
    full = list(range(legend.places))
    legend.draw(labels(*full), "")
    before = legend.draw(labels(*full[1:]), "")
    legend.draw(labels(*full[1:], 100), "")
    assert legend.shown == [100, *full[1:]]
    crowded = legend.draw(labels(*range(legend.places + 5)), "clip")
    assert legend.shown[1:] == full[1:]
    assert crowded.shape == before.shape
    assert (crowded[: crowded.shape[0] // (ROWS + 1)] != PAPER).any()  # the caption, with how many have no place


FRAMES = st.lists(st.lists(st.integers(0, 130) | st.just(255), max_size=90), max_size=12)


@given(FRAMES, st.sampled_from([8, 60, 300, 1700]))
def test_class_keeps_its_place_while_it_is_visible(frames: list[list[int]], width: int) -> None:
    legend = FixedLegend(VSPW, width)
    shapes, places = set(), {}
    for frame in frames:
        shapes.add(legend.draw(labels(*frame), "caption").shape)
        assert len(set(legend.shown)) == len(legend.shown) <= legend.places
        now = {train_id: place for place, train_id in enumerate(legend.shown)}
        for train_id in set(frame) & now.keys() & places.keys():
            assert now[train_id] == places[train_id]
        places = now
    assert len(shapes) <= 1
