"""Flicker between two frames: it equals TC pixel by pixel, is zero without flicker, and samples large frames."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from vssbench.datasets.synthetic.dataset import Synthetic
from vssbench.metrics.accuracy import flicker as module
from vssbench.metrics.accuracy.flicker import flicker
from vssbench.metrics.accuracy.temporal import Temporal
from vssbench.specs import parse
from vssbench.types import IGNORE, Frame, Prediction, UInt8


def clip(frames: int = 4, **size: int) -> tuple[Synthetic, list[Frame]]:
    dataset = Synthetic(motion="fast", clips=1, frames=frames, **{"height": 64, "width": 96, **size})
    return dataset, list(dataset.frames("val_0000"))


def noisy(frame: Frame) -> UInt8:
    """The ground truth with a block of a different class, at a place that moves, and a block of void."""
    assert frame.labels is not None
    labels = frame.labels.copy()
    labels[4 * frame.index : 4 * frame.index + 9, 20:50] = (frame.index + 3) % 5
    labels[50:60, 10 : 20 + frame.index] = IGNORE
    return labels


@pytest.mark.parametrize("flow", ["exact", "dis"])
def test_flicker_equals_the_pixels_that_tc_counts_as_different(flow: str) -> None:
    dataset, frames = clip()
    frames = [frame if flow == "exact" else replace(frame, side={}) for frame in frames]
    spec = parse(f"TC(flow={flow})")
    for before, now in itertools.pairwise(frames):
        metric = Temporal(dataset.space, [spec])
        for frame in (before, now):
            metric.update(frame, Prediction(noisy(frame), "key"))
        ((counts,),) = metric.state()[0]["pairs"].values()
        _, warped, _, both = np.array(counts).reshape(-1, 4).T
        found = flicker((before, noisy(before)), (now, noisy(now)), dataset.space.classes)
        assert found is not None
        assert np.count_nonzero(found.changed) == warped.sum() - both.sum() > 0
        assert found.share == pytest.approx(100 * (1 - both.sum() / warped.sum()))


def test_perfect_prediction_of_a_fast_scene_has_no_flicker() -> None:
    dataset, frames = clip()
    for before, now in itertools.pairwise(frames):
        assert before.labels is not None
        assert now.labels is not None
        assert (before.labels != now.labels).any()
        found = flicker((before, before.labels), (now, now.labels), dataset.space.classes)
        assert found is not None
        assert found.share == 0


def test_frames_that_are_not_adjacent_have_no_flicker_value() -> None:
    dataset, (first, second, third, _) = clip()
    classes = dataset.space.classes
    assert flicker((first, noisy(first)), (third, noisy(third)), classes) is None
    assert flicker((replace(first, clip="other"), noisy(first)), (second, noisy(second)), classes) is None
    assert flicker((first, noisy(first)[1:]), (second, noisy(second)), classes) is None
    void = np.full_like(noisy(first), IGNORE)
    found = flicker((first, void), (second, noisy(second)), classes)
    assert found is not None
    assert (found.share, found.changed.any()) == (None, False)


@pytest.mark.parametrize("exact", [True, False])
def test_flicker_of_large_frames_is_sampled_on_a_grid(exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIDE", 96)
    dataset, frames = clip(2, height=160, width=240)
    before, now = (frame if exact else replace(frame, side={}) for frame in frames)
    assert before.labels is not None
    assert now.labels is not None
    changed = now.labels.copy()
    changed[60:120, 60:120] = (changed[60:120, 60:120] + 1) % dataset.space.classes
    found = flicker((before, before.labels), (now, changed), dataset.space.classes)
    assert found is not None
    assert found.changed.shape == (54, 80)
    block = np.zeros((160, 240), bool)
    block[60:120, 60:120] = True
    assert found.changed[block[::3, ::3]].mean() > 0.8
    assert found.changed[~block[::3, ::3]].mean() < 0.1
