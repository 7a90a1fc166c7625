"""Which output is visible at each frame: against a simulation in steps of a microsecond, and its invariants."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vssbench.metrics.cost.camera import InTurn, Newest, arrival, highest_rate, shown

PERIODS = st.lists(st.integers(1, 6), min_size=1, max_size=25)
TIMES = st.lists(st.integers(0, 20), min_size=25, max_size=25)


def arrivals(gaps: list[int]) -> list[int]:
    return [sum(gaps[:number]) for number in range(len(gaps))]


def on_show(arrived: list[int], times: list[int], every: bool = False) -> list[int | None]:
    """The number of the frame whose output is visible at each arrival. times: of the frames taken, in order."""
    numbers = range(len(arrived))
    waiting = InTurn(numbers) if every else Newest()
    spent = iter(times)
    found = shown(zip(arrived, numbers, strict=True), waiting, lambda frame: (frame, next(spent)))
    return [None if one is None else one[1] for _, one in found]


def by_ticking(arrived: list[int], times: list[int], every: bool) -> list[int | None]:
    """The same from the words of the contract, microsecond by microsecond."""
    queue: list[int] = []
    taken: list[tuple[int, int]] = []  # (frame, time at which it is finished)
    seen: list[int | None] = []
    for now in range(arrived[-1] + 1):
        here = [number for number, when in enumerate(arrived) if when == now]
        queue += here
        while queue and (not taken or taken[-1][1] <= now):
            frame = queue[0] if every else queue[-1]
            queue = queue[1:] if every else []
            taken.append((frame, now + times[len(taken)]))
        finished = [frame for frame, when in taken if when <= now]
        seen += [max(finished, default=None) for _ in here]
    return seen


@given(PERIODS, TIMES, st.booleans())
def test_visible_outputs_equal_a_microsecond_simulation(gaps: list[int], times: list[int], every: bool) -> None:
    assert on_show(arrivals(gaps), times, every) == by_ticking(arrivals(gaps), times, every)


@given(PERIODS, st.booleans())
def test_zero_time_method_shows_the_output_of_every_frame(gaps: list[int], every: bool) -> None:
    assert on_show(arrivals(gaps), [0] * 25, every) == list(range(len(gaps)))


@given(PERIODS, TIMES, TIMES)
def test_faster_method_in_turn_never_shows_an_older_frame(gaps: list[int], one: list[int], other: list[int]) -> None:
    faster = [min(pair) for pair in zip(one, other, strict=True)]
    slow, fast = (on_show(arrivals(gaps), times, every=True) for times in (one, faster))
    assert all(a is None or (b is not None and b >= a) for a, b in zip(slow, fast, strict=True))


def test_faster_method_that_takes_the_newest_may_show_an_older_frame() -> None:
    """It is free too early: it takes frame 1 at 15 and is done at 30; the slower one takes frame 2 at 20."""
    every_ten = list(range(0, 60, 10))
    assert on_show(every_ten, [20] * 6)[4] == 2
    assert on_show(every_ten, [15] * 6)[4] == 1


@given(PERIODS, TIMES, st.booleans())
def test_visible_output_is_never_from_the_future_and_never_goes_back(
    gaps: list[int], times: list[int], every: bool
) -> None:
    seen = on_show(arrivals(gaps), times, every)
    assert all(one is None or one <= number for number, one in enumerate(seen))
    assert all(one is None or (two is not None and two >= one) for one, two in pairwise(seen))


@given(PERIODS, TIMES, st.integers(1, 1000), st.booleans())
def test_scaling_all_times_does_not_change_the_visible_outputs(
    gaps: list[int], times: list[int], scale: int, every: bool
) -> None:
    longer = [scale * when for when in arrivals(gaps)]
    assert on_show(longer, [scale * time for time in times], every) == on_show(arrivals(gaps), times, every)


@given(PERIODS, TIMES, st.booleans())
def test_each_frame_is_taken_dropped_or_still_waiting(gaps: list[int], times: list[int], every: bool) -> None:
    numbers = range(len(gaps))
    waiting = InTurn(numbers) if every else Newest()
    taken, spent = [], iter(times)

    def process(frame: int) -> tuple[int, int]:
        taken.append(frame)
        return frame, next(spent)

    list(shown(zip(arrivals(gaps), numbers, strict=True), waiting, process))
    left = len(gaps) - len(taken) - waiting.dropped
    assert (waiting.dropped == 0 and left >= 0) if every else left == bool(waiting)


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=12))
def test_highest_rate_is_the_largest_one_without_dropped_frames(times: list[int]) -> None:
    rate = highest_rate(times)
    assert rate is not None
    period = round(1e6 / rate)

    def dropped(step: int) -> int:
        """Followed by one extra frame; by then the last one must have been taken."""
        spent = iter([*times, 0, 0])
        waiting: Newest[int] = Newest()
        arriving = [(step * number, number) for number in range(len(times) + 1)]
        list(shown(arriving, waiting, lambda frame: (frame, next(spent))))
        return waiting.dropped

    assert not dropped(period)
    assert period == 1 or dropped(period - 1)


def test_highest_rate_is_none_for_zero_or_excessive_times() -> None:
    assert highest_rate([0, 0]) is None
    assert highest_rate([2 * 3600 * 10**6] * 2) is None


@pytest.mark.parametrize(
    ("index", "fps", "expected"),
    [(0, 30, 0), (1, 30, 33_333), (2, 30, 66_667), (3, 30, 100_000), (30, 29.97, 1_001_001), (1, 0.5, 2_000_000)],
)
def test_frame_arrivals_are_rounded_to_whole_microseconds(index: int, fps: float, expected: int) -> None:
    assert arrival(index, fps) == expected
