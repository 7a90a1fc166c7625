"""The metric objects: counting, streaming, merging, states, and errors for wrong specs."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.metrics.accuracy.videos import NO_IMAGE, frames, label_space, measure, sets_of_videos, still
from vssbench.errors import UserError
from vssbench.metrics.accuracy import consistency
from vssbench.metrics.accuracy.by_distance import by_distance
from vssbench.metrics.accuracy.clip_states import Clips
from vssbench.metrics.accuracy.confusion import Confusion, decoded, dense, pair_counts
from vssbench.metrics.accuracy.consistency import Consistency
from vssbench.metrics.plan import DEFAULT, plan
from vssbench.specs import parse
from vssbench.types import Frame, Prediction


@pytest.mark.parametrize("noise", [0.0, 0.001, 0.02, 0.2, 1.0])
def test_label_pairs_are_counted_exactly_at_every_noise_level(noise):
    rng = np.random.default_rng(1)
    labels = np.repeat(rng.integers(0, 256, (60, 5), np.uint8), 17, axis=1)
    predicted = np.roll(labels, 3, axis=1)
    where = rng.random(labels.shape) < noise
    predicted[where] = rng.integers(0, 256, int(where.sum()))
    codes, counts = pair_counts(labels, predicted)
    found = np.bincount(codes, weights=counts, minlength=65536).reshape(256, 256)
    expected = np.zeros((256, 256))
    np.add.at(expected, (labels, predicted), 1)
    np.testing.assert_array_equal(found, expected)


def test_confusion_state_keeps_void_unknown_ids_and_distances():
    space = label_space(3)
    truth = np.array([[[0, 255]], [[1, 2]]], np.uint8)
    guess = np.array([[[0, 7]], [[255, 2]]], np.uint8)
    record = measure(space, "a", truth, guess, ["mIoU"], ages=[0, 4])
    state = record.states["confusion"]
    assert set(state[0]["counts"]) == {"0", "4"}
    assert state[0]["outside"] == [[7, 0], [255, 1]]
    matrix = dense(decoded(record, space), space)
    assert matrix.shape == (4, 256)
    assert matrix.sum() == 4
    assert [matrix[0, 0], matrix[3, 7], matrix[1, 255], matrix[2, 2]] == [1, 1, 1, 1]


def test_miou_by_distance_separates_150_distances():
    space = label_space(3)
    rng = np.random.default_rng(0)
    truth, guess = (rng.integers(0, 3, (300, 2, 2)).astype(np.uint8) for _ in range(2))
    record = measure(space, "a", truth, guess, ["mIoU"], ages=[index % 150 for index in range(300)])
    rows = by_distance(Clips("exact", space, [record, record]))
    assert [row["distance"] for row in rows] == list(range(150))
    assert all(row["pixels"] == 16 for row in rows)
    for age in (0, 149):
        seen = np.concatenate([truth[age::150], truth[age::150]]), np.concatenate([guess[age::150], guess[age::150]])
        alone = measure(space, "b", *seen, ["mIoU"])
        assert rows[age]["mIoU"] == by_distance(Clips("exact", space, [alone]))[0]["mIoU"]


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_merge_order_changes_no_digit_and_streaming_equals_merging(data):
    videos = data.draw(sets_of_videos(11).filter(lambda videos: all((guess < 11).all() for _, guess in videos)))
    specs = [*DEFAULT, "mIoU(protocol=vspw)", "VC@8(protocol=vspw)"]
    space = label_space(11)

    def parts():
        made = []
        for index, video in enumerate(videos):
            metrics = plan(specs, space)
            for frame, prediction in frames(f"clip{index}", *video):
                for metric in metrics:
                    metric.update(frame, prediction)
            made.append(metrics)
        return made

    def merged(order):
        total = plan(specs, space)
        for metrics in order:
            for metric, part in zip(total, metrics, strict=True):
                copy = type(part)(space, part.specs)
                copy.load(json.loads(json.dumps(part.state())))
                metric.merge(copy)
        return [metric.compute() for metric in total]

    made = parts()
    expected = merged(made)
    shuffled = random.Random(0).sample(made, len(made))
    assert merged(shuffled) == merged(made[::-1]) == expected
    one = plan(specs, space)  # one set of objects for all clips, one after the other
    for index, video in enumerate(videos):
        for frame, prediction in frames(f"clip{index}", *video):
            for metric in one:
                metric.update(frame, prediction)
    assert [metric.compute() for metric in one] == expected
    assert set().union(*expected) == set(specs)


def test_state_holds_only_integers_and_can_be_read_after_every_frame():
    space = label_space(3)
    rng = np.random.default_rng(0)
    truth = still(rng, (12, 4, 4), [0, 1, 255], 0.1)
    metrics = plan(DEFAULT, space)
    for frame, prediction in frames("a", truth, truth % 3):
        for metric in metrics:
            metric.update(frame, prediction)
            metric.state()
    again = measure(space, "a", truth, truth % 3)

    def leaves(value):
        if isinstance(value, dict | list):
            for item in value.values() if isinstance(value, dict) else value:
                yield from leaves(item)
        else:
            yield value

    for metric in metrics:
        assert metric.state() == again.states[metric.name]
        assert all(type(leaf) is int for leaf in leaves(metric.state()))


@pytest.mark.parametrize("n", [255, 256, 257, 300])
def test_long_windows_do_not_wrap_around(n):
    truth = np.zeros((600, 1, 2), np.uint8)
    guess = truth.copy()
    guess[310:, 0, 0] = 1  # one change, so windows that cross it are half consistent
    record = measure(label_space(2), "a", truth, guess, [f"VC@{n}"])
    counts = consistency.decoded(record, n)
    expected = [1 if first < 310 < first + n else 2 for first in range(600 - n + 1)]
    assert counts[1].tolist() == expected
    assert counts[0].tolist() == [2] * len(expected)


def test_methods_may_reuse_their_prediction_array():
    space = label_space(3)
    rng = np.random.default_rng(3)
    truth, guess = still(rng, (20, 4, 4), [0, 1], 0.1), still(rng, (20, 4, 4), [0, 1], 0.1)
    metrics, buffer = plan(DEFAULT, space), np.empty((4, 4), np.uint8)
    for index in range(20):
        buffer[:] = guess[index]
        for metric in metrics:
            metric.update(Frame("a", index, NO_IMAGE, truth[index]), Prediction(buffer, "key"))
    expected = measure(space, "a", truth, guess)
    assert {metric.name: metric.state() for metric in metrics} == expected.states


def test_frame_with_wrong_size_or_label_is_named_in_the_error():
    space = label_space(3)
    metric = Confusion(space, [parse("mIoU")])
    with pytest.raises(UserError, match=r"clip 'a', frame 3.*2x2"):
        metric.update(
            Frame("a", 3, NO_IMAGE, np.zeros((4, 4), np.uint8)), Prediction(np.zeros((2, 2), np.uint8), "key")
        )
    with pytest.raises(UserError, match="train id 3"):
        metric.update(
            Frame("a", 0, NO_IMAGE, np.full((4, 4), 3, np.uint8)), Prediction(np.zeros((4, 4), np.uint8), "key")
        )
    still_metric = Consistency(space, [parse("VC@2")])
    small, large = np.zeros((2, 2), np.uint8), np.zeros((4, 4), np.uint8)
    still_metric.update(Frame("a", 0, NO_IMAGE, small), Prediction(small, "key"))
    with pytest.raises(UserError, match="4x4 in a clip of 2x2"):
        still_metric.update(Frame("a", 1, NO_IMAGE, large), Prediction(large, "key"))


def test_plan_shares_metric_objects_and_refuses_invalid_specs():
    space = label_space(3)
    metrics = plan([*DEFAULT, "VC@8"], space)
    assert [metric.name for metric in metrics] == ["confusion", "consistency"]
    assert [str(spec) for spec in metrics[1].specs] == ["VC@8", "VC@16", "VCC@8", "VCC@16"]
    for spec, message in [
        ("mIuO", "did you mean 'mIoU'"), ("VC", "VC@8"), ("VC@0", "VC@8"), ("mIoU@3", "takes no '@'"),
        ("mIoU(size=3)", "no argument 'size'"), ("mIoU(protocol=mmsegs)", "did you mean 'mmseg'"),
        ("VC@70000", "at most 65536"),
    ]:  # fmt: skip
        with pytest.raises(UserError, match=message):
            plan([spec], space)
