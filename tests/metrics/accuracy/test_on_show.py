"""Pixels for which nothing is on show: wrong, under no class, whatever the protocol."""

from __future__ import annotations

import numpy as np
import pytest

from vssbench.errors import UserError
from vssbench.metrics.accuracy.clip_states import Clips, ClipScore
from vssbench.metrics.accuracy.on_show import OnShow, accuracies
from vssbench.types import Frame, LabelSpace, Prediction

SPACE = LabelSpace.plain("three", ["a", "b", "c"])


def frame(index: int, labels: list[int]) -> Frame:
    found = np.array([labels], np.uint8)
    return Frame("clip", index, np.zeros((*found.shape, 3), np.uint8), found)


def made() -> OnShow:
    """Two frames at which nothing is on show, and one with an output that is right but for one pixel."""
    metric = OnShow(SPACE, [])
    metric.update_blank(frame(0, [0, 0, 1, 255]))
    metric.update_blank(frame(1, [0, 1, 1, 1]))
    metric.update(frame(2, [0, 0, 1, 2]), Prediction(np.array([[0, 0, 1, 1]], np.uint8), "key"))
    return metric


def read(protocol: str, metric: OnShow) -> dict[str, float | str | None]:
    record = ClipScore("clip", 3, 3, {metric.name: metric.state()})
    return accuracies(Clips(protocol, SPACE, [record]))


@pytest.mark.parametrize("protocol", ["exact", "detectron2", "mmseg", "cityscapes", "espnet"])
def test_they_count_as_ground_truth_and_as_nothing_that_was_predicted(protocol: str) -> None:
    # a: 5 pixels, 2 of them right; b: 5 pixels, 1 right and 1 false positive; c: 1 pixel, missed
    expected = 100 * np.mean([2 / 5, 1 / 6, 0 / 1])
    assert read(protocol, made())["mIoU"] == pytest.approx(expected)


def test_the_other_accuracies() -> None:
    found = read("exact", made())
    assert found["pixel_accuracy"] == pytest.approx(100 * 3 / 11)
    assert found["class_accuracy"] == pytest.approx(100 * np.mean([2 / 5, 1 / 5, 0]))
    assert found["WIoU"] == pytest.approx(100 * (5 * (2 / 5) + 5 * (1 / 6)) / 11)


def test_without_blank_frames_it_is_the_plain_accuracy() -> None:
    metric = OnShow(SPACE, [])
    metric.update(frame(0, [0, 0, 1, 2]), Prediction(np.array([[0, 0, 1, 1]], np.uint8), "key"))
    record = ClipScore("clip", 1, 1, {metric.name: metric.state()})
    assert accuracies(Clips("exact", SPACE, [record]))["mIoU"] == pytest.approx(100 * np.mean([1, 1 / 2, 0]))


def test_a_video_in_which_nothing_was_ever_shown_is_all_wrong() -> None:
    metric = OnShow(SPACE, [])
    metric.update_blank(frame(0, [0, 0, 1, 255]))
    record = ClipScore("clip", 1, 1, {metric.name: metric.state()})
    assert accuracies(Clips("exact", SPACE, [record]))["mIoU"] == 0


@pytest.mark.parametrize("damage", [[1, 2], [1, 2, -3], "none", [True, 2, 3]])
def test_damaged_counts_are_refused(damage: object) -> None:
    (state,) = made().state()
    record = ClipScore("clip", 3, 3, {"confusion": [{**state, "blank": damage}]})
    with pytest.raises(UserError, match="clip 'clip' is damaged"):
        accuracies(Clips("exact", SPACE, [record]))
