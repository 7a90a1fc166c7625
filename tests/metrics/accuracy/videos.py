"""Small made-up videos, and metrics measured on them."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import strategies as st

from vssbench.metrics.accuracy.clip_states import ClipScore
from vssbench.metrics.plan import DEFAULT, plan
from vssbench.types import Frame, LabelSpace, Prediction

NO_IMAGE = np.empty((0, 0, 3), np.uint8)


def label_space(classes: int) -> LabelSpace:
    values = np.full(256, 255, np.uint8)
    values[:classes] = np.arange(classes)
    return LabelSpace(
        name="made",
        names=tuple(f"class{index}" for index in range(classes)),
        colours=np.zeros((classes, 3), np.uint8),
        from_file=values,
        to_file=np.arange(classes, dtype=np.uint8),
        known=np.ones(256, bool),
    )


def frames(clip, truth, guess, ages=None):
    for index, (labels, predicted) in enumerate(zip(truth, guess, strict=True)):
        age = ages[index] if ages is not None else 0
        yield Frame(clip, index, NO_IMAGE, labels), Prediction(predicted, "nonkey" if age else "key", age)


def measure(space, clip, truth, guess, specs=DEFAULT, ages=None):
    """The clip's record, with its states converted to JSON and back."""
    metrics = plan(specs, space)
    for frame, prediction in frames(clip, truth, guess, ages):
        for metric in metrics:
            metric.update(frame, prediction)
    states = {metric.name: json.loads(json.dumps(metric.state())) for metric in metrics}
    return ClipScore(clip, len(truth), sum(labels is not None for labels in truth), states)


def records(space, videos, specs=DEFAULT):
    return [measure(space, f"clip{index}", *video, specs) for index, video in enumerate(videos)]


@st.composite
def sets_of_videos(draw, classes, longest=20):
    """A few videos of 1 to 20 frames with still stretches, noise, void, fully void stretches, absent and odd ids."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    height, width = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    lengths = draw(st.lists(st.integers(1, longest), min_size=1, max_size=4))
    odd = draw(st.sampled_from([(), (), (classes,), (255,), (classes, 254)]))
    change = draw(st.sampled_from([0.0, 0.05, 0.3, 1.0]))
    videos = []
    for length in lengths:
        annotated = rng.choice(classes, rng.integers(1, classes + 1), replace=False)
        truth = still(rng, (length, height, width), [*annotated, 255], change)
        guess = still(rng, (length, height, width), list(range(classes)), change)
        agree = rng.random(truth.shape) < draw(st.sampled_from([0.0, 0.7, 1.0]))
        guess[agree & (truth != 255)] = truth[agree & (truth != 255)]
        if odd:
            guess[rng.random(guess.shape) < 0.05] = rng.choice(odd)
        if draw(st.booleans()):
            truth[: draw(st.integers(0, length))] = 255
        videos.append((truth, guess))
    return videos


def still(rng, shape, values, change):
    """uint8[T, H, W] in which each pixel takes a new value with the given probability per frame."""
    fresh = rng.choice(np.array(values, np.uint8), shape)
    for index in range(1, shape[0]):
        keep = rng.random(shape[1:]) >= change
        fresh[index][keep] = fresh[index - 1][keep]
    return fresh
