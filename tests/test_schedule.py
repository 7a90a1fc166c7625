"""Key-frame schedules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vssbench.errors import UserError
from vssbench.schedule import THUMBNAIL, FixedInterval, OnChange, change, schedule, thumbnail
from vssbench.specs import parse_value


@given(st.integers(1, 40).flatmap(lambda k: st.tuples(st.just(k), st.integers(0, k - 1))))
def test_key_frames_are_frame_zero_and_every_interval_from_the_offset(case: tuple[int, int]) -> None:
    key_interval, offset = case
    schedule = FixedInterval(key_interval, offset)
    keys = [index for index in range(4 * key_interval + 1) if schedule.is_key(index)]
    regular = list(range(offset, 4 * key_interval + 1, key_interval))
    assert keys == sorted({0, *regular})


@pytest.mark.parametrize(("key_interval", "offset"), [(0, 0), (-1, 0), (5, 5), (5, -1), (1, 1)])
def test_invalid_interval_or_offset_is_refused(key_interval: int, offset: int) -> None:
    with pytest.raises(UserError, match="is not valid"):
        FixedInterval(key_interval, offset)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", FixedInterval(5)),
        ("auto", OnChange()),
        ("auto(threshold=3.5)", OnChange(threshold=3.5)),
        ("auto(max=4,threshold=12)", OnChange(threshold=12, max=4)),
    ],
)
def test_schedule_is_read_from_a_key_interval(text: str, expected: FixedInterval | OnChange) -> None:
    assert schedule(parse_value(text)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["0", "often", "auto(limit=3)", "auto(max=0)", "auto(max=2.5)", "auto(threshold=0)", "auto(max=true)"]
)
def test_invalid_key_interval_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        schedule(parse_value(text))  # type: ignore[arg-type]
    with pytest.raises(UserError, match="offset"):
        schedule("auto", offset=2)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.integers(1, 90), st.integers(0, 2**32 - 1))
def test_thumbnail_holds_means_of_blocks(height: int, width: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    small, (rows, columns) = thumbnail(image), THUMBNAIL
    assert small.shape == THUMBNAIL
    assert small.dtype == np.float32
    if height >= rows and width >= columns:
        edges = [np.linspace(0, side, cells + 1).astype(int) for side, cells in ((height, rows), (width, columns))]
        row, column = seed % rows, seed % columns
        block = image[edges[0][row] : edges[0][row + 1], edges[1][column] : edges[1][column + 1]]
        assert small[row, column] == pytest.approx(block.mean(), rel=1e-4)
    else:
        assert image.min() <= small.min()
        assert small.max() <= image.max()


def test_change_is_in_grey_levels() -> None:
    dark = np.full((48, 64, 3), 10, np.uint8)
    assert change(thumbnail(dark), thumbnail(dark)) == 0
    assert change(thumbnail(dark), thumbnail(dark + np.uint8(7))) == pytest.approx(7)


@given(
    interval=st.integers(1, 9),
    data=st.data(),
    kept=st.sets(st.integers(1, 60), min_size=1).map(lambda some: [0, *sorted(some)]),
)
def test_next_frame_replaces_a_missing_key_frame(interval, data, kept):
    """The first existing frame of each interval is a key frame; later key frames do not shift."""
    schedule = FixedInterval(interval, data.draw(st.integers(0, interval - 1)))
    keys, last = [], None
    for index in kept:
        if schedule.is_key(index, last):
            keys.append(index)
            last = index
    planned = [index for index in range(61) if schedule.is_key(index)]
    stretch = {index: max(key for key in planned if key <= index) for index in kept}
    assert keys == [min(index for index in kept if stretch[index] == begin) for begin in sorted(set(stretch.values()))]


@given(interval=st.integers(1, 9), data=st.data())
def test_last_key_frame_does_not_matter_without_gaps(interval, data):
    schedule = FixedInterval(interval, data.draw(st.integers(0, interval - 1)))
    last = None
    for index in range(40):
        assert schedule.is_key(index, last) == schedule.is_key(index)
        last = index if schedule.is_key(index) else last
