"""`vssbench.score`: the figures of the command `vssbench score`, computed from arrays."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import vssbench
from tests.helpers.command import vssbench as command
from vssbench.errors import UserError

METRICS = "mIoU,WIoU,pixel_accuracy,class_accuracy,VC@4,VCC@4,BIoU(width=0.2)"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A small data set in VSPW's layout and predictions with a few errors: (root, predictions)."""
    root, folder = tmp_path / "camvid", tmp_path / "predictions"
    status, _, err = command(
        "export", "synthetic(clips=2,frames=20,height=24,width=32)", "--layout", "vspw", "--output", root
    )
    assert status == 0, err
    rng = np.random.default_rng(0)
    dataset = vssbench.load_dataset("vspw", root, "val")
    for clip in dataset.clips():
        for stem, labels in dataset.labels(clip):
            assert labels is not None
            wrong = rng.random(labels.shape) < 0.2
            guess = np.where(wrong | (labels == 255), rng.integers(0, 10, labels.shape), labels).astype(np.uint8)
            (folder / clip).mkdir(parents=True, exist_ok=True)
            Image.fromarray(guess).save(folder / clip / f"{stem}.png")
    return root, folder


@pytest.mark.parametrize("protocol", [None, "exact", "mmseg", "detectron2"])
def test_score_of_arrays_equals_the_score_command_exactly(files: tuple[Path, Path], protocol: str | None) -> None:
    root, folder = files
    asked = ["--protocol", protocol] if protocol else []
    status, out, err = command(
        "score",
        "--dataset",
        "vspw",
        "--data-root",
        root,
        "--predictions",
        folder,
        "--metrics",
        METRICS,
        "--json",
        *asked,
    )
    assert status == 0, err
    printed = json.loads(out)
    dataset = vssbench.load_dataset("vspw", root, "val")
    labels = {clip: [found for _, found in dataset.labels(clip)] for clip in dataset.clips()}
    guesses = {
        clip: [np.asarray(Image.open(folder / clip / f"{stem}.png")) for stem in dataset.stems(clip)]
        for clip in dataset.clips()
    }
    scores = vssbench.score(labels, guesses, classes="vspw", protocol=protocol, metrics=METRICS)
    assert dict(scores) == printed["metrics"]
    for name in ("protocol", "clips", "frames", "labelled", "reasons", "per_class", "by_class", "skipped", "notes"):
        assert getattr(scores, name) == printed[name], name
    assert scores["mIoU"] is not None
    assert f"{scores['mIoU']:.2f}" in str(scores)


def test_any_integer_type_is_accepted_and_frames_may_lack_labels() -> None:
    labels = [np.array([[0, 1], [1, 255]], np.uint8), None]
    scores = vssbench.score(labels, [np.array([[0, 1], [0, 0]]), None], classes=2, metrics=["pixel_accuracy", "VC@8"])
    assert scores["pixel_accuracy"] == pytest.approx(200 / 3)
    assert (scores["VC@8"], list(scores.reasons)) == (None, ["VC@8"])
    assert (scores.clips, scores.frames, scores.labelled) == (1, 2, 1)
    assert list(scores.per_class) == ["class 0", "class 1"]
    assert "1 clip, 1 labelled frame, protocol exact" in str(scores)


def test_temporal_consistency_uses_the_images_and_requires_them() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (32, 48, 3), np.uint8)
    labels = np.repeat(np.arange(2, dtype=np.uint8), 24)[None].repeat(32, 0)
    asked = {"classes": 2, "metrics": "TC(flow=dis)"}
    scores = vssbench.score([labels] * 3, [labels] * 3, images=[image] * 3, **asked)
    assert scores["TC(flow=dis)"] == pytest.approx(100)
    with pytest.raises(UserError, match="images"):
        vssbench.score([labels] * 3, [labels] * 3, **asked)


SQUARE = np.zeros((2, 2), np.uint8)


@pytest.mark.parametrize(
    ("labels", "predictions", "said"),
    [
        ({"a": [SQUARE]}, {"b": [SQUARE]}, "only one of labels and predictions has the clips a, b"),
        ([SQUARE], [SQUARE, SQUARE], "1 frame of labels and 2 of predictions"),
        ([SQUARE], [SQUARE[:1]], "predictions, clip clip, frame 0: is 1x2"),
        ([SQUARE], [None], "clip clip, frame 0: there is no prediction"),
        ([SQUARE.astype(float)], [SQUARE], "labels, clip clip, frame 0: is float64"),
        ([SQUARE], [SQUARE.astype(int) - 1], "has the values -1 to -1"),
        ([SQUARE + np.uint8(7)], [SQUARE], "the ground truth has the train id 7"),
        ({"a": [SQUARE], "b": [SQUARE]}, {"a": [SQUARE]}, "only one of labels and predictions has the clip b"),
        ({1: [SQUARE]}, {"1": [SQUARE]}, "labels: a clip is named 1"),
        (None, None, "labels, clip clip: is NoneType"),
        ([SQUARE], np.uint8(0), "predictions, clip clip: is uint8"),
        ((one for one in [SQUARE]), [SQUARE], "labels, clip clip: is generator"),
        ([[[0, 1], [0]]], [SQUARE], "labels, clip clip, frame 0: cannot be read as an array"),
        ([SQUARE], [torch.zeros(2, 2, requires_grad=True)], "predictions, clip clip, frame 0: cannot be read as an"),
        ([np.ma.masked_equal(SQUARE, 0)], [SQUARE], "labels, clip clip, frame 0: is a masked array"),
    ],
)
def test_invalid_labels_or_predictions_are_one_error_message(labels, predictions, said: str) -> None:
    with pytest.raises(UserError) as caught:
        vssbench.score(labels, predictions, classes=2)
    assert said in str(caught.value)


def test_unknown_classes_protocol_or_metric_is_refused() -> None:
    for wrong in ("vspv", [], 300, None, 2.0, ["road", "road"]):
        with pytest.raises(UserError):
            vssbench.score([SQUARE], [SQUARE], classes=wrong)
    for wrong in ({"protocol": "vspv"}, {"metrics": "mIou"}, {"metrics": "VC"}):
        with pytest.raises(UserError):
            vssbench.score([SQUARE], [SQUARE], classes=2, **wrong)


def test_the_number_of_classes_may_be_an_integer_of_numpy() -> None:
    found = vssbench.score([SQUARE], [SQUARE], classes=np.unique(SQUARE).size + np.int64(1), metrics="mIoU")
    assert list(found.per_class) == ["class 0", "class 1"]


def test_images_that_no_metric_looks_at_are_still_one_per_frame() -> None:
    with pytest.raises(UserError, match="2 frames of labels and 1 of images"):
        vssbench.score([SQUARE] * 2, [SQUARE] * 2, classes=2, metrics="mIoU", images=[np.zeros((2, 2, 3), np.uint8)])


def test_only_window_without_labels_is_told_in_the_singular() -> None:
    void = np.full((2, 2), 255, np.uint8)
    for frames, said in ((2, "0/0 in the only window"), (3, "0/0 in all 2 windows")):
        assert vssbench.score([void] * frames, [SQUARE] * frames, classes=2, metrics="VC@2").reasons["VC@2"] == said


def test_image_of_another_size_than_its_labels_is_refused() -> None:
    images = [np.zeros((3, 2, 3), np.uint8)]
    with pytest.raises(UserError, match="images, clip clip, frame 0: is 3x2"):
        vssbench.score([SQUARE], [SQUARE], classes=2, metrics="TC(flow=dis)", images=images)
