"""The protocols reproduce the figures of the official scripts on the golden videos."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.helpers.paths import DATA
from tests.metrics.accuracy.videos import measure
from vssbench.datasets.label_spaces import load_space
from vssbench.metrics.accuracy.clip_states import Clips
from vssbench.metrics.accuracy.confusion import Booked, decoded, dense
from vssbench.metrics.accuracy.consistency import windows_of
from vssbench.metrics.accuracy.evaluate import evaluate
from vssbench.metrics.plan import DEFAULT
from vssbench.specs import parse

SPECS = [parse(metric) for metric in DEFAULT]
NAMES = {
    "mIoU": "mIoU", "mIoU_nanmean": "mIoU", "FWIoU": "WIoU", "fwIoU": "WIoU", "acc": "pixel_accuracy",
    "pACC": "pixel_accuracy", "aAcc": "pixel_accuracy", "acc_class": "class_accuracy", "mACC": "class_accuracy",
    "mAcc_nanmean": "class_accuracy", "VC8": "VC@8", "VC16": "VC@16",
}  # fmt: skip


@pytest.fixture(scope="module")
def golden():
    return json.loads((DATA / "vspw_metrics.json").read_text())


@pytest.fixture(scope="module")
def clips():
    space = load_space("vspw")
    with np.load(DATA / "vspw_metrics.npz") as arrays:
        names = [key.removeprefix("gt_") for key in arrays if key.startswith("gt_")]
        return [measure(space, name, space.from_file[arrays[f"gt_{name}"]], arrays[f"pred_{name}"]) for name in names]


def check(evaluation, figures):
    compared = 0
    for official, name in NAMES.items():
        if official in figures:
            assert evaluation.metrics[name] == pytest.approx(100 * figures[official], abs=1e-9)
            compared += 1
    assert compared >= 3


def test_vspw_protocol_reproduces_the_official_vc_script(golden, clips):
    evaluation = evaluate("vspw", load_space("vspw"), clips, SPECS)
    check(evaluation, golden["official_vc_script"])
    assert sorted(evaluation.skipped) == golden["official_vc_script"]["videos_skipped"]
    assert sum(iou is not None for iou in evaluation.per_class) == 24


@pytest.mark.parametrize("n", [8, 16])
def test_vspw_window_ratios_equal_the_official_vc_script(golden, clips, n):
    expected = golden["official_vc_script"][f"windows_vc{n}"]
    found = windows_of(Clips("vspw", load_space("vspw"), clips), n)
    assert {clip: len(counts[0]) for clip, counts in found.items()} == {c: len(v) for c, v in expected.items()}
    for clip, (part, whole) in found.items():
        np.testing.assert_allclose(part / whole, np.array(expected[clip], float), rtol=0, atol=1e-12)


def test_vspw_confusion_matrix_equals_the_official_one(clips):
    space = load_space("vspw")
    kept = sum(dense(decoded(clip, space), space) for clip in clips if clip.frames > 16)
    with np.load(DATA / "vspw_metrics.npz") as arrays:
        np.testing.assert_array_equal(kept[:-1, :124], arrays["confusion_matrix"])


@pytest.mark.parametrize("subset", ["all_videos", "videos_longer_than_16"])
@pytest.mark.parametrize(
    ("protocol", "convention"),
    [("detectron2", "detectron2_style_mpvss"), ("mmseg", "mmsegmentation"), ("exact", "gt_class_mean_as_vc_script")],
)
def test_detectron2_mmseg_and_exact_equal_the_golden_conventions(golden, clips, subset, protocol, convention):
    kept = clips if subset == "all_videos" else [clip for clip in clips if clip.frames > 16]
    figures = golden["other_miou_conventions"][subset][convention]
    space = load_space("vspw")
    check(evaluate(protocol, space, kept, SPECS), figures)
    if "classes_averaged" in figures:
        assert Booked(Clips(protocol, space, kept)).figures.counted == figures["classes_averaged"]


def test_vc_is_missing_under_protocols_that_do_not_define_it(clips):
    for protocol in ("detectron2", "mmseg", "arseg"):
        evaluation = evaluate(protocol, load_space("vspw"), clips, SPECS)
        assert evaluation.metrics["VC@8"] is None
        assert protocol in evaluation.reasons["VC@8"]


def test_arseg_without_a_miou_names_the_absent_classes(clips):
    evaluation = evaluate("arseg", load_space("vspw"), clips, SPECS)
    assert evaluation.metrics["mIoU"] is None
    assert "wall" in evaluation.reasons["mIoU"]
