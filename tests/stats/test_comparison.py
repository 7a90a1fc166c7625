"""Two methods on the same clips: known answers, and comparisons that are refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.stats.made import label_space, records
from vssbench.errors import NotComparable
from vssbench.stats import compare, interval, totals
from vssbench.stats.bootstrap import sample


def test_small_gain_in_every_clip_is_significant(pair):
    a, b = pair
    space = label_space(5)
    values = [interval(one, space, "mIoU", "vspw") for one in (a, b)]
    found = compare(a, b[::-1], space, "mIoU", "vspw")
    assert found.effect == values[0].value - values[1].value
    assert 0 < found.low < found.effect < found.high
    assert found.high - found.low < (values[0].high - values[0].low) / 2  # the difficulty of the clips cancels out
    assert found.p < 0.001
    back = compare(b, a, space, "mIoU", "vspw")
    assert back.effect == -found.effect
    assert back.p == found.p
    assert compare(a, b, space, "mIoU", "vspw", alternative="greater").p < 0.001
    assert compare(a, b, space, "mIoU", "vspw", alternative="less").p > 0.999
    exact, mmseg = (compare(a, b, space, "mIoU", protocol, resamples=200).effect for protocol in ("exact", "mmseg"))
    assert exact == mmseg  # no class is only predicted


def test_method_compared_with_itself_has_zero_effect_and_p_one(pair):
    found = compare(pair[1], pair[1], label_space(5), "mIoU", "exact")
    assert (found.effect, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_both_methods_are_resampled_with_the_same_clips(pair):
    a, b = (totals(one, label_space(5), "mIoU", "exact") for one in pair)
    found = compare(*pair, label_space(5), "mIoU", "exact", resamples=1000, seed=5)
    apart = sample(a, 1000, 5).drawn - sample(b, 1000, 5).drawn
    assert apart.min() > 0
    assert found.low == pytest.approx(np.quantile(apart, 0.025), abs=apart.std())


def test_different_clips_are_not_comparable():
    some, space = records(0, 12, 5), label_space(5)
    with pytest.raises(NotComparable, match="clip11"):
        compare(some, some[:-1], space, "mIoU", "exact")
    other = [*some[:-1], dataclasses.replace(records(1, 12, 5)[0], clip="clip11")]
    with pytest.raises(NotComparable, match="ground truth"):
        compare(some, other, space, "mIoU", "exact")


def test_one_clip_has_an_effect_and_no_interval():
    a, b = (records(0, 1, 5, skill=skill) for skill in (0.7, 0.7))
    found = compare(a, b, label_space(5), "mIoU", "exact")
    assert found.effect == 0
    assert found.low is None
    assert found.reason.startswith("1 clip:")
    assert found.p == 1
