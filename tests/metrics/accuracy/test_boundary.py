"""Boundary IoU against the erosion that defines it, class by class and step by step; invariants; damaged records."""

from __future__ import annotations

import doctest
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.paths import ROOT
from tests.metrics.accuracy.videos import label_space, measure, records
from vssbench.errors import UserError
from vssbench.metrics import plan
from vssbench.metrics.accuracy.boundary import Boundary
from vssbench.metrics.accuracy.by_distance import by_distance
from vssbench.metrics.accuracy.clip_states import Clips, ClipScore
from vssbench.metrics.accuracy.evaluate import evaluate
from vssbench.metrics.accuracy.protocols import PROTOCOLS
from vssbench.specs import parse
from vssbench.stats import same_clips, totals
from vssbench.testing import check_metric
from vssbench.types import UInt8

CLASSES, VOID = 4, 255
SPACE = label_space(CLASSES)
WIDTHS = (0.02, 0.1, 0.25, 0.5)
SPECS = [parse(f"BIoU(width={width})") for width in WIDTHS]
Video = tuple[UInt8, UInt8]


def slow_inner(mask: np.ndarray, reach: int) -> np.ndarray:
    """A mask without its `reach`-fold erosion by a 3x3 square; the outside is background."""
    left = mask
    for _ in range(reach):
        wide = np.pad(left, 1)
        height, width = left.shape
        around = [wide[row : row + height, column : column + width] for row in range(3) for column in range(3)]
        left = np.logical_and.reduce(around)
    return mask & ~left


def slow(videos: list[Video], width: float) -> dict[int, tuple[int, int, int]]:
    """Class -> boundary pixels of all frames: in ground truth, in the prediction, in both."""
    found = {}
    for label in range(CLASSES):
        counts = [0, 0, 0]
        for truth, guess in ((frame, said) for video in videos for frame, said in zip(*video, strict=True)):
            reach = max(1, round(width * math.sqrt(truth.shape[0] ** 2 + truth.shape[1] ** 2)))
            there, predicted = ((one == label) & (truth != VOID) for one in (truth, guess))
            bounds, said = slow_inner(there, reach), slow_inner(predicted, reach)
            for index, part in enumerate((bounds, said, bounds & said)):
                counts[index] += int(part.sum())
        found[label] = (counts[0], counts[1], counts[2])
    return found


@st.composite
def videos(draw: st.DrawFn, classes: int = CLASSES) -> list[Video]:
    """A few videos of blocks up to 7 pixels wide. The prediction is shifted and speckled, with void and odd ids."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    found = []
    for _ in range(draw(st.integers(1, 3))):
        block, height, width = draw(st.tuples(st.integers(1, 7), st.integers(1, 25), st.integers(1, 25)))
        shape = draw(st.integers(1, 3)), -(-height // block), -(-width // block)
        coarse = rng.choice(np.array([*range(classes), VOID], np.uint8), shape, p=[0.85 / classes] * classes + [0.15])
        truth = coarse.repeat(block, axis=1).repeat(block, axis=2)[:, :height, :width].copy()
        guess = np.roll(np.where(truth == VOID, 0, truth), int(rng.integers(0, 3)), axis=2).astype(np.uint8)
        speckled = rng.random(guess.shape) < draw(st.sampled_from([0.0, 0.02, 0.5]))
        guess[speckled] = rng.choice(np.array(draw(st.sampled_from([(0, 1), (classes, 200, VOID)])), np.uint8))
        found.append((truth, guess))
    return found


@settings(max_examples=60, deadline=None)
@given(videos())
def test_boundary_counts_equal_class_by_class_erosion(some: list[Video]) -> None:
    scored = records(SPACE, some, SPECS)
    evaluation = evaluate("mmseg1", SPACE, scored, SPECS)
    for width, spec in zip(WIDTHS, SPECS, strict=True):
        expected = slow(some, width)
        found = totals(scored, SPACE, spec, "mmseg1")
        if isinstance(found, str):
            assert not any(truth + said for truth, said, _ in expected.values())
            continue
        sums = found.columns.sum(axis=0).reshape(3, CLASSES)
        assert {label: tuple(sums[:, label]) for label in range(CLASSES)} == expected
        iou = [both / (truth + said - both) for truth, said, both in expected.values() if truth + said]
        assert evaluation.metrics[str(spec)] == pytest.approx(100 * sum(iou) / len(iou), rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(videos())
def test_boundary_iou_of_full_width_equals_miou(some: list[Video]) -> None:
    specs = [parse("mIoU"), parse("BIoU(width=0.5)")]
    for protocol in ("mmseg1", "cityscapes"):
        first, second = evaluate(protocol, SPACE, records(SPACE, some, specs), specs).metrics.values()
        assert first == second


@settings(max_examples=30, deadline=None)
@given(videos(), st.integers(0, 255))
def test_predictions_at_void_pixels_do_not_change_the_counts(some: list[Video], value: int) -> None:
    other = [(truth, np.where(truth == VOID, value, guess).astype(np.uint8)) for truth, guess in some]
    assert [one.states for one in records(SPACE, some, SPECS)] == [one.states for one in records(SPACE, other, SPECS)]


@settings(max_examples=30, deadline=None)
@given(videos())
def test_perfect_prediction_has_100_percent_boundary_iou(some: list[Video]) -> None:
    perfect = records(SPACE, [(truth, truth) for truth, _ in some], SPECS)
    labelled = any((truth != VOID).any() for truth, _ in some)
    assert set(evaluate("exact", SPACE, perfect, SPECS).metrics.values()) == {100.0 if labelled else None}


def test_boundary_iou_passes_the_metric_check() -> None:
    """Any merge order, streaming equals batch, states are integers, totals yield the figure."""
    assert "totals" in str(check_metric("BIoU", specs=["BIoU", "BIoU(width=0.1)"]))


def test_image_border_and_void_count_as_boundaries() -> None:
    truth = np.zeros((1, 20, 30), np.uint8)
    one = measure(SPACE, "a", truth, truth, [parse("BIoU(width=0.1)")])  # d = 4
    ring = 20 * 30 - 12 * 22
    assert one.states["boundary"][0]["widths"] == {"0.1": [[0], [ring], [ring], [ring]]}
    truth[:, :, 15:] = VOID
    half = 20 * 15 - 12 * 7
    guess = np.zeros_like(truth)
    one = measure(SPACE, "a", truth, guess, [parse("BIoU(width=0.1)")])
    assert one.states["boundary"][0]["widths"] == {"0.1": [[0], [half], [half], [half]]}


def test_protocol_decides_which_classes_and_clips_count() -> None:
    truth, guess = np.zeros((2, 1, 10, 10), np.uint8)
    guess[:, :, 5:] = 1  # a class without ground truth
    some, specs = records(SPACE, [(truth, guess)], [parse("BIoU")]), [parse("BIoU")]
    iou = 100 * 18 / (36 + 26 - 18)  # the rings of 10x10 and of 10x5 pixels; they share three sides
    found = {name: evaluate(name, SPACE, some, specs) for name in PROTOCOLS}
    assert found["exact"].metrics["BIoU"] == pytest.approx(iou)
    assert found["mmseg"].metrics["BIoU"] == pytest.approx(iou / 2)
    assert found["arseg"].metrics["BIoU"] is None  # two classes never occur
    assert found["vspw"].reasons["BIoU"].startswith("no clip is left")
    assert found["vspw_vc"].reasons == {"BIoU": "not defined by the protocol vspw_vc"}
    assert evaluate("exact", SPACE, some, [parse("BIoU(protocol=mmseg)")]).metrics == {
        "BIoU(protocol=mmseg)": pytest.approx(iou / 2)
    }
    assert evaluate("exact", SPACE, some, [parse("BIoU(width=0.3)")]).reasons == {
        "BIoU(width=0.3)": "boundaries of width 0.3 were not counted"
    }


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("BIoU(width=0)", "the width of a boundary is 0"),
        ("BIoU(width=0.6)", "the width of a boundary is 0.6"),
        ("BIoU(width=true)", "the width of a boundary is True"),
        ("BIoU(width=thin)", "the width of a boundary is thin"),
        ("BIoU(breadth=0.1)", "BIoU has no argument 'breadth'"),
        ("BIoU@8", "takes no '@' number"),
        ("BIoU(protocol=mmsegs)", "unknown protocol 'mmsegs'"),
        ("mIoU(width=0.1)", "mIoU has no argument 'width'"),
    ],
)
def test_invalid_boundary_metric_spec_is_refused(asked: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan.check(parse(asked))


def test_ground_truth_id_outside_the_classes_is_refused() -> None:
    truth = np.full((1, 40, 40), CLASSES, np.uint8)
    with pytest.raises(UserError, match=f"the ground truth has the train id {CLASSES}"):
        measure(SPACE, "a", truth, truth, [parse("BIoU")])


@pytest.mark.parametrize("metric", ["BIoU", "VC@2"])
def test_metric_can_be_measured_without_confusion_counts(metric: str) -> None:
    """Code that reads confusion counts finds none and does not report damage."""
    some = records(SPACE, [(np.zeros((3, 9, 9), np.uint8),) * 2], [parse(metric)])
    for protocol in ("exact", "vspw"):
        clips = Clips(protocol, SPACE, some)
        assert (by_distance(clips), set(same_clips.truth(clips))) == ([], {"clip0"})
        found = evaluate(protocol, SPACE, some, [parse(metric), parse("mIoU")])
        assert found.metrics == {metric: 100.0 if protocol == "exact" else None, "mIoU": None}


def rows(states: dict[str, Any]) -> list[list[Any]]:
    return states["boundary"][0]["widths"]["0.02"]


DAMAGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "a class too many": lambda states: rows(states)[0].__setitem__(-1, CLASSES),
    "a class twice": lambda states: rows(states)[0].__setitem__(0, rows(states)[0][1]),
    "a count too few": lambda states: rows(states)[2].pop(),
    "a row too few": lambda states: rows(states).pop(),
    "a negative count": lambda states: rows(states)[1].__setitem__(0, -1),
    "a count of 1.5": lambda states: rows(states)[1].__setitem__(0, 1.5),
    "more in both than in one": lambda states: rows(states)[3].__setitem__(0, rows(states)[1][0] + 1),
    "frames of its own": lambda states: states["boundary"][0].update(frames=7),
    "no widths": lambda states: states["boundary"][0].pop("widths"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_boundary_record_is_one_error_message(damage: Callable[[dict[str, Any]], object]) -> None:
    random = np.random.default_rng(0)
    truth, guess = random.integers(0, CLASSES, (2, 3, 12, 12)).astype(np.uint8)
    one: ClipScore = measure(SPACE, "street", truth, guess, [parse("BIoU")])
    damage(one.states)
    with pytest.raises(UserError, match=r"the record of clip 'street' is damaged: its counts \(boundary\)"):
        Boundary.totals(parse("BIoU"), Clips("exact", SPACE, [one]))


def test_examples_in_the_boundary_iou_page_are_correct() -> None:
    found = doctest.testfile(str(ROOT / "docs" / "metrics" / "biou.md"), module_relative=False)
    assert found.attempted > 5
    assert not found.failed
