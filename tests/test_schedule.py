"""Key-frame schedules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vssbench.errors import UserError
from vssbench.schedule import FixedInterval


@given(st.integers(1, 40).flatmap(lambda k: st.tuples(st.just(k), st.integers(0, k - 1))))
def test_frame_zero_then_every_interval(case: tuple[int, int]) -> None:
    key_interval, offset = case
    schedule = FixedInterval(key_interval, offset)
    keys = [index for index in range(4 * key_interval + 1) if schedule.is_key(index)]
    regular = list(range(offset, 4 * key_interval + 1, key_interval))
    assert keys == sorted({0, *regular})


@pytest.mark.parametrize(("key_interval", "offset"), [(0, 0), (-1, 0), (5, 5), (5, -1), (1, 1)])
def test_what_does_not_fit(key_interval: int, offset: int) -> None:
    with pytest.raises(UserError, match="does not fit"):
        FixedInterval(key_interval, offset)
