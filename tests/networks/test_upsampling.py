"""Labels of upsampled scores against the plain method: upsample all scores, then the argmax."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from vssbench.networks.upsampling import Step, taps, upsampled, upsampled_labels

SIDES = st.integers(1, 12)


@st.composite
def chains(draw) -> tuple[torch.Tensor, list[Step]]:
    """Scores that are equal over some area, as a network's are, and one or two steps: up, down or none."""
    seed, classes = draw(st.integers(0, 2**31)), draw(st.integers(1, 6))
    random = torch.Generator().manual_seed(seed)
    scores = torch.randn(classes, draw(SIDES), draw(SIDES), generator=random).round(decimals=draw(st.integers(0, 3)))
    steps = []
    for _ in range(draw(st.integers(1, 2))):
        size = draw(st.integers(1, 40)), draw(st.integers(1, 40))
        kept = draw(st.integers(1, size[0])), draw(st.integers(1, size[1]))
        steps.append(Step(size, kept, draw(st.booleans())))
    return scores, steps


@given(chains())
@settings(max_examples=150, deadline=None)
def test_labels_are_the_argmax_of_the_upsampled_scores(chain) -> None:
    scores, steps = chain
    whole = scores
    for (rows, columns), (height, width), corners in steps:
        whole = F.interpolate(whole[None], (rows, columns), mode="bilinear", align_corners=corners)[0]
        whole = whole[:, :height, :width]
    torch.testing.assert_close(upsampled(scores, *steps), whole, rtol=0, atol=0)
    labels = upsampled_labels(scores, *steps)
    assert labels.dtype == np.uint8
    assert labels.shape == steps[-1].kept
    chosen = whole.gather(0, torch.from_numpy(labels).long()[None])[0]
    assert float((whole.max(0).values - chosen).max()) < 1e-5  # a different label only where two classes tie


def test_labels_without_ties_equal_the_argmax_at_every_pixel() -> None:
    random = torch.Generator().manual_seed(0)
    scores = F.interpolate(torch.randn(1, 20, 9, 14, generator=random), (60, 108), mode="bicubic")[0]
    steps = Step((240, 432), (240, 427)), Step((240, 427), (240, 427))
    assert np.array_equal(upsampled_labels(scores, *steps), upsampled(scores, *steps).argmax(0).numpy())


def test_returned_labels_are_not_shared_between_calls() -> None:
    scores = torch.randn(3, 4, 4)
    first = upsampled_labels(scores, Step((4, 4), (4, 4)))
    first[:] = 7
    assert upsampled_labels(scores, Step((4, 4), (4, 4))).max() < 3


@given(SIDES, st.integers(1, 40), st.integers(1, 40), st.booleans())
@settings(max_examples=50, deadline=None)
def test_taps_stay_in_range_and_their_weights_sum_to_one(size: int, middle: int, outer: int, corners: bool) -> None:
    found = taps(size, ((middle, middle, corners), (outer, outer, False)))
    assert found.place.min() >= 0
    assert found.place.max() < size
    torch.testing.assert_close(found.share.sum(1), torch.ones(outer))
