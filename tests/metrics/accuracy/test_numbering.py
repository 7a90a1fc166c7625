"""Suspected numbering errors behind a near-zero score; methods that are merely bad raise no suspicion."""

from __future__ import annotations

import numpy as np
import pytest

from vssbench.datasets.label_spaces import load_space
from vssbench.metrics.accuracy.clip_states import Clips, ClipScore
from vssbench.metrics.accuracy.numbering import doubts
from vssbench.metrics.plan import plan
from vssbench.types import IGNORE, Frame, Prediction

VSPW, CITYSCAPES = load_space("vspw"), load_space("cityscapes")
IMAGE = np.zeros((40, 60, 3), np.uint8)


def said(space, labels, predicted):
    (metric,) = plan(["mIoU"], space)
    metric.update(Frame("a", 0, IMAGE, labels.astype(np.uint8)), Prediction(predicted.astype(np.uint8), "key"))
    return doubts(Clips("vspw", space, [ClipScore("a", 1, 1, {metric.name: metric.state()})]))


def scene(classes, seed=0):
    """int[40, 60] train ids in blocks, all classes about equally often."""
    blocks = np.random.default_rng(seed).integers(0, classes, (10, 15))
    return np.kron(blocks, np.ones((4, 4), int))


def blurred(labels, seed=1):
    """The prediction of a fair network: right on nine tenths of the pixels."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(labels.shape) < 0.9, labels, rng.permutation(labels.ravel()).reshape(labels.shape))


@pytest.mark.parametrize("space", [VSPW, CITYSCAPES, load_space("camvid"), load_space("synthetic")])
def test_good_bad_and_random_predictions_raise_no_doubts(space):
    labels = scene(space.classes)
    rng = np.random.default_rng(2)
    assert said(space, labels, labels) == []
    assert said(space, labels, blurred(labels)) == []
    assert said(space, labels, rng.integers(0, space.classes, labels.shape)) == []
    assert said(space, labels, scene(space.classes, seed=3)) == []
    assert said(space, np.full(labels.shape, IGNORE), labels) != []


@pytest.mark.parametrize("space", [VSPW, CITYSCAPES])
def test_predictions_in_file_values_are_suspected(space):
    labels = scene(space.classes)
    (told,) = said(space, labels, space.to_file[blurred(labels)])
    assert "is the file value of the label's class" in told
    assert f"{space.name}: {space.to_file[0]} for {space.names[0]}" in told
    assert float(told.split("on ")[1].split(" %")[0]) > 89


def test_label_files_reduced_by_one_raise_the_file_value_doubt():
    """Read as VSPW labels, class k became k - 1 and the first class void."""
    labels = scene(124)
    (told,) = said(VSPW, np.where(labels == 0, IGNORE, labels - 1), blurred(labels))
    assert "is the file value of the label's class" in told


def test_train_ids_read_as_cityscapes_label_files_raise_a_void_doubt():
    labels = scene(19)
    told = said(CITYSCAPES, CITYSCAPES.from_file[labels], blurred(labels))
    assert "of the ground truth is void" in told[0]
    share = 100 * np.mean(CITYSCAPES.from_file[labels] == IGNORE)
    assert told[0].startswith(f"{share:.1f} % of the ground truth")


def test_predictions_off_by_one_are_suspected_in_both_directions():
    space = load_space("camvid")
    labels = np.minimum(scene(11), 9)
    assert "is one above the label's class" in said(space, labels, labels + 1)[0]
    assert "is one below the label's class" in said(space, labels + 1, labels)[0]


def test_prediction_of_a_single_id_everywhere_is_suspected():
    labels = scene(124)
    assert "100.0 % of the labelled pixels are predicted as the same id" in said(VSPW, labels, labels * 0 + 7)[0]


def test_clip_without_confusion_counts_raises_no_doubts():
    assert doubts(Clips("vspw", VSPW, [ClipScore("a", 1, 1, {})])) == []
