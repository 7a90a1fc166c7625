"""Intervals: known answers, figures without an interval and why, and coverage by simulation."""

from __future__ import annotations

import dataclasses
import math
from time import process_time

import numpy as np
import pytest

from benchmarks.coverage import POPULATIONS, as_totals, coverage, trials, truth
from tests.stats.made import label_space, records
from vssbench.errors import UserError
from vssbench.metrics.accuracy.evaluate import evaluate
from vssbench.specs import parse
from vssbench.stats import LEAST_CLIPS, interval, totals
from vssbench.stats.bootstrap import interval_of, sample, samples, weights


def test_interval_narrows_with_more_clips_and_widens_with_the_level():
    space = label_space(5)
    few, many = (interval(records(0, clips, 5), space, "mIoU", "exact", resamples=2000) for clips in (20, 200))
    wide = interval(records(0, 20, 5), space, "mIoU", "exact", level=0.99, resamples=2000)
    assert wide.low < few.low < few.value < few.high < wide.high
    assert 2 < (few.high - few.low) / (many.high - many.low) < 5  # about the root of 10
    assert few.clips == 20


def test_mean_of_equal_clips_has_the_student_t_interval():
    """Pixel accuracy of clips of one size is a plain mean: Student's interval."""
    rng = np.random.default_rng(1)
    share = rng.normal(0.6, 0.1, 40)
    hit = np.round(10**6 * np.clip(share, 0, 1))
    areas = np.zeros((40, 3, 2))
    areas[:, 0, 0], areas[:, 1, 0], areas[:, 1, 1], areas[:, 2, 0] = 1e6, hit, 1e6 - hit, hit
    found = interval_of(sample(as_totals(areas, "exact", "pixel_accuracy"), 20_000))
    half = 2.0227 * (hit / 1e4).std(ddof=1) / math.sqrt(40)  # t quantile of 39 degrees of freedom
    assert found.value == pytest.approx((hit / 1e4).mean())
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.03)
    assert (found.high + found.low) / 2 == pytest.approx(found.value, abs=half / 20)


def test_equal_seeds_give_equal_intervals_and_different_seeds_do_not():
    some, space = records(0, 20, 5), label_space(5)
    first, again, other = (interval(some, space, "mIoU", "exact", resamples=500, seed=seed) for seed in (3, 3, 4))
    assert first == again != other


def test_too_few_clips_have_a_reason_instead_of_an_interval():
    space = label_space(5)
    for clips in (1, LEAST_CLIPS - 1):
        found = interval(records(0, clips, 5), space, "mIoU", "exact")
        assert found.value == evaluate("exact", space, records(0, clips, 5), [parse("mIoU")]).metrics["mIoU"]
        assert (found.low, found.high) == (None, None)
        assert f"{clips} clip" in found.reason
        assert str(LEAST_CLIPS) in found.reason
    assert interval(records(0, LEAST_CLIPS, 5), space, "mIoU", "exact", resamples=200).reason is None
    assert interval([], space, "mIoU", "exact").reason == "there are no clips"


def test_clips_without_a_window_do_not_count_towards_the_interval():
    space, some = label_space(3), records(0, 30, 3)
    for index, one in enumerate(some[5:], 5):
        windows = {"2": [row[:2] for row in one.states["consistency"][0]["windows"]["2"]], "5": [[]] * 5}
        states = {name: [{**state[0], "frames": 3, "labelled": 3}] for name, state in one.states.items()}
        states["consistency"][0]["windows"] = windows
        some[index] = dataclasses.replace(one, frames=3, labelled=3, states=states)
    found = interval(some, space, "VC@5", "exact")
    assert found.low is None
    assert "5 clips" in found.reason
    assert interval(some, space, "VC@2", "exact", resamples=200).low is not None


def test_class_in_a_single_clip_leaves_arseg_without_an_interval():
    space, some = label_space(4), records(0, 30, 3)
    for one in some:  # counted with 3 classes: void moves from row 3 to row 4
        index = one.states["confusion"][0]["counts"]["0"][0]
        index[:] = [cell + 256 * (cell >= 3 * 256) for cell in index]
    index, counts = some[7].states["confusion"][0]["counts"]["0"]
    index.append(3 * 256 + 3)
    counts.append(10)
    found = interval(some, space, "mIoU", "arseg", resamples=1000)
    assert found.value is not None
    assert found.low is None
    assert "resamples" in found.reason
    assert interval(some, space, "mIoU", "exact", resamples=1000).low is not None


def test_undefined_metric_has_a_reason_and_invalid_arguments_are_refused():
    some, space = records(0, 12, 5), label_space(5)
    assert interval(some, space, "VC@2", "mmseg").reason == "not defined by the protocol mmseg"
    assert interval(some, space, "VC@9", "exact").reason == "windows of 9 frames were not counted"
    assert (
        interval(some, space, "sharpness", "exact").reason == "no plugin that brings the metric sharpness is installed"
    )
    with pytest.raises(UserError, match="unknown protocol"):
        interval(some, space, "mIoU", "vspv")
    with pytest.raises(UserError, match="occurs twice"):
        interval([*some, some[0]], space, "mIoU", "exact")
    with pytest.raises(UserError, match="confidence level"):
        interval(some, space, "mIoU", "exact", level=95)


def test_resampling_metrics_together_equals_resampling_each_alone():
    some, space = records(0, 30, 5), label_space(5)
    names = ["mIoU", "VC@2", "WIoU", "mIoU(protocol=vspw)", "mIoU", "class_accuracy"]
    found = [totals(some, space, name, "exact") for name in names]
    assert len({one.clips for one in found}) == 2  # vspw leaves some clips out
    for one, alone in zip(samples(found, 300), (sample(one, 300) for one in found), strict=True):
        assert (one.value, one.clips) == (alone.value, alone.clips)
        np.testing.assert_array_equal(one.drawn, alone.drawn)
        np.testing.assert_array_equal(one.left, alone.left)
    assert samples([], 300) == []


def test_every_clip_is_drawn_equally_often_on_average():
    counts = weights(50, 2000, 0)
    assert (counts.sum(1) == 50).all()
    assert abs(counts.mean(0) - 1).max() < 0.1


def test_ten_thousand_resamples_take_seconds():
    """Processor time: the wall clock of a busy machine is no measure."""
    areas, _ = POPULATIONS["long"].draw(np.random.default_rng(0), 343)
    weights.cache_clear()
    began = process_time()
    interval_of(sample(as_totals(areas, "vspw", "mIoU")))
    assert process_time() - began < 10


@pytest.mark.slow
@pytest.mark.parametrize("population", POPULATIONS)
def test_intervals_of_100_clips_cover_the_truth_about_95_percent_of_the_time(population):
    true = truth(POPULATIONS[population], 50_000)
    for title, rows in trials(POPULATIONS[population], 100, 400, 500).items():
        covered = coverage(rows["ours"], true[title])
        # 95 plus or minus two, and two of chance in 400 trials; pixel accuracy of the population "few" is at 90.75.
        assert 90 <= covered <= 99.5, (title, covered)
