"""Pixels before the first output: they are wrong and belong to no predicted class, whatever the protocol."""

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
    """Two frames before the first output, and one whose output is right but for one pixel."""
    metric = OnShow(SPACE, [])
    metric.update_blank(frame(0, [0, 0, 1, 255]))
    metric.update_blank(frame(1, [0, 1, 1, 1]))
    metric.update(frame(2, [0, 0, 1, 2]), Prediction(np.array([[0, 0, 1, 1]], np.uint8), "key"))
    return metric


def read(protocol: str, metric: OnShow) -> dict[str, float | str | None]:
    record = ClipScore("clip", 3, 3, {metric.name: metric.state()})
    return accuracies(Clips(protocol, SPACE, [record]))


@pytest.mark.parametrize("protocol", ["exact", "detectron2", "mmseg", "cityscapes", "espnet"])
def test_blank_frames_count_as_ground_truth_without_a_prediction(protocol: str) -> None:
    # a: 5 pixels, 2 of them right; b: 5 pixels, 1 right and 1 false positive; c: 1 pixel, missed
    expected = 100 * np.mean([2 / 5, 1 / 6, 0 / 1])
    assert read(protocol, made())["mIoU"] == pytest.approx(expected)


def test_blank_frames_lower_pixel_class_and_weighted_accuracy() -> None:
    found = read("exact", made())
    assert found["pixel_accuracy"] == pytest.approx(100 * 3 / 11)
    assert found["class_accuracy"] == pytest.approx(100 * np.mean([2 / 5, 1 / 5, 0]))
    assert found["WIoU"] == pytest.approx(100 * (5 * (2 / 5) + 5 * (1 / 6)) / 11)


def test_accuracy_without_blank_frames_is_plain_miou() -> None:
    metric = OnShow(SPACE, [])
    metric.update(frame(0, [0, 0, 1, 2]), Prediction(np.array([[0, 0, 1, 1]], np.uint8), "key"))
    record = ClipScore("clip", 1, 1, {metric.name: metric.state()})
    assert accuracies(Clips("exact", SPACE, [record]))["mIoU"] == pytest.approx(100 * np.mean([1, 1 / 2, 0]))


def test_video_of_only_blank_frames_has_zero_miou() -> None:
    metric = OnShow(SPACE, [])
    metric.update_blank(frame(0, [0, 0, 1, 255]))
    record = ClipScore("clip", 1, 1, {metric.name: metric.state()})
    assert accuracies(Clips("exact", SPACE, [record]))["mIoU"] == 0


@pytest.mark.parametrize("damage", [[1, 2], [1, 2, -3], "none", [True, 2, 3]])
def test_damaged_blank_counts_are_refused(damage: object) -> None:
    (state,) = made().state()
    record = ClipScore("clip", 3, 3, {"confusion": [{**state, "blank": damage}]})
    with pytest.raises(UserError, match="clip 'clip' is damaged"):
        accuracies(Clips("exact", SPACE, [record]))
