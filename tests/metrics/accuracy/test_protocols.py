"""Every protocol against its slow form, and its particular choices on videos made to show them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.paths import SHARED
from tests.metrics.accuracy import slow
from tests.metrics.accuracy.videos import label_space, measure, records, sets_of_videos
from vssbench.errors import UserError
from vssbench.metrics.accuracy.clip_states import ClipScore
from vssbench.metrics.accuracy.evaluate import evaluate
from vssbench.metrics.accuracy.explain import side_by_side
from vssbench.metrics.accuracy.protocols import PROTOCOLS, default_protocol
from vssbench.specs import parse

ACCURACIES = ["mIoU", "WIoU", "pixel_accuracy", "class_accuracy"]
WINDOWS = [1, 2, 8, 16]
SPECS = [*ACCURACIES, *(f"{name}@{n}" for name in ("VC", "VCC") for n in WINDOWS)]


def numbers(protocol, space, videos, specs=SPECS):
    return evaluate(protocol, space, records(space, videos, specs), [parse(spec) for spec in specs])


SCRIPTS = ("vspw", "detectron2", "mmseg", "mmseg1", "cityscapes", "arseg", "espnet")


def same(found, expected):
    assert (found is None) == (expected is None), (found, expected)
    if found is not None:
        assert found == pytest.approx(100 * expected, abs=1e-9)


@settings(deadline=None, max_examples=120)
@given(st.data(), st.sampled_from([2, 3, 11, 124]), st.sampled_from(SCRIPTS))
def test_accuracies_equal_the_slow_form_of_each_protocol(data, classes, protocol):
    videos = data.draw(sets_of_videos(classes))
    found, expected = numbers(protocol, label_space(classes), videos), getattr(slow, protocol)(videos, classes)
    for name in ACCURACIES:
        same(found.metrics[name], expected[name])
        assert (name in found.reasons) == (expected[name] is None)


@settings(deadline=None, max_examples=60)
@given(st.data(), st.sampled_from([2, 11, 124]))
def test_exact_protocol_equals_its_slow_form_and_refuses_unknown_ids(data, classes):
    videos = data.draw(sets_of_videos(classes))
    expected = slow.exact(videos, classes)
    if expected is None:
        with pytest.raises(UserError, match=r"clip\d.*frame \d+.*not a class"):
            numbers("exact", label_space(classes), videos)
        return
    found = numbers("exact", label_space(classes), videos)
    for name in ACCURACIES:
        same(found.metrics[name], expected[name])


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_vc_and_vcc_equal_the_slow_form(data):
    videos = data.draw(sets_of_videos(3))
    official = numbers("vspw", label_space(3), videos)
    for n in WINDOWS:
        same(official.metrics[f"VC@{n}"], slow.vc(videos, n, official=True))
        same(official.metrics[f"VCC@{n}"], slow.vc(videos, n, official=True, right=True))
    if not any((guess >= 3).any() for _, guess in videos):
        ours = numbers("exact", label_space(3), videos)
        for n in WINDOWS:
            same(ours.metrics[f"VC@{n}"], slow.vc(videos, n, official=False))
            same(ours.metrics[f"VCC@{n}"], slow.vc(videos, n, official=False, right=True))


def constant(value, frames=20, size=(2, 3)):
    return np.full((frames, *size), value, np.uint8)


def test_vspw_counts_predicted_255_two_rows_down_or_has_no_miou():
    guess = constant(255)
    moved = evaluate("vspw", label_space(124), records(label_space(124), [(constant(5), guess)]), [parse("mIoU")])
    assert moved.per_class[7] == pytest.approx(
        100.0
    )  # row 5 + 2, column 7: a class that was neither labelled nor predicted
    assert moved.per_class[5] is None
    assert any("255" in note for note in moved.notes)
    for label in (122, 123):
        stopped = evaluate(
            "vspw", label_space(124), records(label_space(124), [(constant(label), guess)]), [parse("mIoU")]
        )
        assert stopped.metrics["mIoU"] is None
        assert f"class {label}" in stopped.reasons["mIoU"]


def test_detectron2_drops_predicted_void_and_mmseg_counts_it_as_last_class():
    truth, guess = constant(2), constant(2)
    guess[:10] = 3
    assert numbers("detectron2", label_space(3), [(truth, guess)]).metrics["mIoU"] == 100.0
    assert numbers("mmseg", label_space(3), [(truth, guess)]).metrics["mIoU"] == pytest.approx(100 / 3)


@pytest.mark.parametrize(("frames", "windows"), [(16, 0), (17, 9), (18, 10)])
def test_vspw_counts_clips_above_16_frames_and_drops_the_last_window(frames, windows):
    rng = np.random.default_rng(0)
    truth, guess = constant(1, frames), rng.integers(0, 3, (frames, 2, 3)).astype(np.uint8)
    guess[:-1] = 1  # only windows that hold the last frame differ
    found = numbers("vspw", label_space(3), [(truth, guess)])
    if windows:
        assert found.metrics["VC@8"] == 100.0
        assert numbers("exact", label_space(3), [(truth, guess)]).metrics["VC@8"] < 100.0
    else:
        assert found.metrics["mIoU"] is None
        assert "17" in found.reasons["mIoU"]
        assert list(found.skipped) == ["clip0"]


def test_vc_ignores_whether_the_class_is_right_and_vcc_requires_it():
    truth = constant(1)
    found = numbers("exact", label_space(3), [(truth, constant(2))]).metrics
    assert (found["VC@8"], found["VCC@8"], found["mIoU"]) == (100.0, 0.0, 0.0)


def test_vc_requires_every_frame_to_be_labelled():
    space = label_space(3)
    truth = list(constant(1))
    truth[4] = None
    sparse = measure(space, "sparse", truth, constant(1))
    found = evaluate("exact", space, [sparse], [parse("VC@8"), parse("mIoU")])
    assert found.metrics == {"VC@8": None, "mIoU": 100.0}
    assert "sparse" in found.reasons["VC@8"]
    assert evaluate("exact", space, [sparse], [parse("VC@9")]).metrics["VC@9"] is None


def test_unlabelled_videos_have_a_reason_instead_of_a_miou():
    for protocol in PROTOCOLS:
        found = numbers(protocol, label_space(3), [(constant(255), constant(1))])
        assert found.metrics["mIoU"] is None
        assert found.reasons["mIoU"]
        assert evaluate(protocol, label_space(3), [], [parse("mIoU")]).metrics["mIoU"] is None
    clip = measure(label_space(3), "a", [None, None], constant(1, 2))
    assert evaluate("exact", label_space(3), [clip], []).skipped == {"a": "no frame has labels"}


def test_uncounted_window_length_has_a_reason():
    space = label_space(3)
    clips = records(space, [(constant(1), constant(1))], ["mIoU", "VC@8"])
    assert "5 frames" in evaluate("exact", space, clips, [parse("VC@5")]).reasons["VC@5"]


def test_a_spec_may_name_its_own_protocol():
    space, specs = label_space(3), ["mIoU", "mIoU(protocol=mmseg)"]
    guess = constant(1)
    guess[:, 0, 0] = 2
    found = numbers("exact", space, [(constant(1), guess)], specs).metrics
    assert found["mIoU"] == pytest.approx(100 * 5 / 6)
    assert found["mIoU(protocol=mmseg)"] == pytest.approx(100 * 5 / 12)


def test_side_by_side_explains_protocol_differences_with_figures():
    space = label_space(5)
    guess = constant(1)
    guess[:, 0, 0], guess[:, 0, 1] = 2, 255
    truth = constant(1)
    truth[:, 1, 1] = 255
    clips = records(space, [(truth, guess), (truth[:5], guess[:5])])
    evaluations, lines = side_by_side(space, clips, [parse("mIoU"), parse("VC@8")])
    text = "\n".join(lines)
    assert list(evaluations) == list(PROTOCOLS)
    assert evaluations["exact"].metrics["mIoU"] is None
    assert "255" in evaluations["exact"].reasons["mIoU"]
    assert "vspw leaves out 1 of 2" in text
    assert "25 pixels are predicted as 255" in text
    assert "exact refuses" in text
    assert "void: 16.67 %" in text
    guess[guess == 255] = 2
    lines = side_by_side(space, records(space, [(truth, guess)]), [parse("VC@8")])[1]
    assert any("1 of 5 are predicted but never annotated" in line for line in lines)
    assert any("13 windows (exact), 12 windows (vspw)" in line for line in lines)


def test_predicted_id_c_lowers_miou_more_under_mmseg_than_under_mmseg1():
    """The predicted id C of C classes: 0.x counts it as the last class, 1.x drops it.

    Of 120 pixels, 60 are of class 0 and 60 of class 2; 60 are predicted as id 3, and 60 as class 2, of which 30 are
    right. So class 0 has an IoU of 0, class 1 does not occur, and class 2 has 30 / (60 + 120 - 30) in 0.x, where 120
    pixels are predicted as it, and 30 / (60 + 60 - 30) in 1.x.
    """
    truth, guess = constant(2), constant(2)
    truth[:, 0], guess[:10] = 0, 3
    old, new = (numbers(protocol, label_space(3), [(truth, guess)]) for protocol in ("mmseg", "mmseg1"))
    assert old.per_class == [0, None, pytest.approx(100 * 30 / 150)]
    assert new.per_class == [0, None, pytest.approx(100 * 30 / 90)]
    assert (old.metrics["mIoU"], new.metrics["mIoU"]) == (pytest.approx(10), pytest.approx(100 / 6))


def test_cityscapes_protocol_equals_the_official_script():
    """Void, a class that is only predicted, and predicted void, against the output of cityscapesScripts 2.3.0."""
    rng, videos = np.random.default_rng(5), []
    for _ in range(3):
        truth = rng.choice([0, 1, 2, 5, 10, 13, 255], (24, 32), p=[0.3, 0.2, 0.15, 0.1, 0.1, 0.1, 0.05])
        noise = rng.random((24, 32)) < 0.7
        guess = np.where(noise, truth, rng.choice([0, 1, 2, 5, 10, 13, 18, 255], size=(24, 32)))
        videos.append((truth[None].astype(np.uint8), guess[None].astype(np.uint8)))
    found = numbers("cityscapes", label_space(19), videos)
    official = {
        0: 0.6645649432534678, 1: 0.6414048059149723, 2: 0.5851318944844125, 5: 0.5488721804511278,
        10: 0.6082474226804123, 13: 0.5767918088737202, 18: 0.0,
    }  # fmt: skip
    assert found.metrics["mIoU"] == pytest.approx(51.7859007951159, abs=1e-10)
    assert {i: iou for i, iou in enumerate(found.per_class) if iou is not None} == {
        i: pytest.approx(100 * iou, abs=1e-10) for i, iou in official.items()
    }


def test_espnet_protocol_reproduces_the_paper_from_its_confusion_matrix():
    file = SHARED / "reference" / "published" / "espnet_camvid_val.json"
    if not file.exists():
        pytest.skip("needs the reference material next to the project")
    kept = json.loads(file.read_text())
    matrix = np.zeros((12, 256), np.int64)
    matrix[:, :12] = kept["confusion_argmax12"]
    cells = np.flatnonzero(matrix)
    state = {"frames": 101, "labelled": 101, "counts": {"0": [cells.tolist(), matrix.ravel()[cells].tolist()]}}
    record = ClipScore("val", 101, 101, {"confusion": [state | {"outside": []}]})
    specs = [parse("mIoU"), parse("class_accuracy")]
    found = evaluate("espnet", label_space(11), [record], specs).metrics
    assert found["mIoU"] == pytest.approx(kept["protocols"]["paper"]["mIoU"], abs=1e-4)
    assert found["class_accuracy"] == pytest.approx(kept["protocols"]["paper"]["class_average"], abs=1e-4)


@pytest.mark.parametrize(("frames", "vc8", "vc16"), [(8, False, False), (9, True, False), (17, True, True)])
def test_vspw_vc_protocol_skips_short_clips_per_window_and_has_only_vc(frames, vc8, vc16):
    found = numbers("vspw_vc", label_space(3), [(constant(1, frames), constant(1, frames))])
    assert (found.metrics["VC@8"] is not None, found.metrics["VC@16"] is not None) == (vc8, vc16)
    assert found.metrics["mIoU"] is None
    assert "VC alone" in found.reasons["mIoU"]


def test_default_protocol_per_dataset_and_suggestion_for_a_misspelt_one():
    assert [default_protocol(name) for name in ("vspw", "cityscapes", "camvid")] == ["vspw", "cityscapes", "exact"]
    with pytest.raises(UserError, match="did you mean 'vspw'"):
        evaluate("vspv", label_space(3), [], [])


def switching_void(share, frames=24, rows=60, columns=80):
    """(file values, train ids, predictions) of a clip of which a tenth is void and has flickering predictions.

    share: of the frame, where the file value of void alternates between 0 and 255
    """
    rng, switch = np.random.default_rng(0), np.random.default_rng(1)
    raw, guess = np.full((frames, rows, columns), 1, np.uint8), np.zeros((frames, rows, columns), np.uint8)
    chosen = np.unravel_index(switch.permutation(6 * columns)[: round(share * rows * columns)], (rows, columns))
    for frame in range(frames):
        raw[frame, 10:30, 10 + frame : 30 + frame] = 2
        raw[frame, :6] = 0
        guess[frame] = np.where(raw[frame] == 2, 1, 0)
        guess[frame, :6] = rng.integers(0, 3, columns)
        guess[frame][rng.random((rows, columns)) < 0.01] = 2
        raw[frame, chosen[0], chosen[1]] = np.where(switch.random(len(chosen[0])) < 0.5, 255, 0)
    return raw, np.where(raw % 255 == 0, 255, raw - 1).astype(np.uint8), guess


@pytest.mark.parametrize(("share", "more"), [(0, 0), (0.001, 0.09), (0.01, 0.86), (0.1, 9.67)])
def test_vspw_script_differs_by_the_documented_amount_where_void_has_two_values(share, more):
    """The script compares file values. docs/metrics/vc.md has these figures."""
    raw, ids, guess = switching_void(share)
    ours = numbers("vspw_vc", label_space(124), [(ids, guess)], ["VC@8"]).metrics["VC@8"]
    script = 100 * slow.vc([(raw, guess)], 8, official=True)
    assert script - ours == pytest.approx(more, abs=0.005)
