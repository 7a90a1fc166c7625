"""Warping along a flow, against the plain definition; pixels from outside the previous frame are marked."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vssbench.optical_flow import from_within, warped_from_within, warped_labels
from vssbench.types import IGNORE


@given(st.integers(1, 150), st.integers(1, 40), st.sampled_from([1, 2, 3, 4]), st.integers(0, 2**32 - 1))
def test_from_within_is_exact_to_half_a_pixel(height: int, width: int, parts: int, seed: int) -> None:
    """Ties included: whole, half, third and quarter pixels."""
    rng = np.random.default_rng(seed)
    flow = (rng.integers(-60, 61, (height, width, 2)) / parts).astype(np.float32)
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    inside = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)
    assert (from_within(flow) == inside).all()
    labels = rng.integers(0, 255, (height, width), np.uint8)
    assert (warped_from_within(labels, flow) == np.where(inside, warped_labels(labels, flow), IGNORE)).all()


def test_nan_flow_counts_as_outside_the_frame() -> None:
    flow = np.zeros((3, 4, 2), np.float32)
    flow[1, 2, 0] = np.nan
    assert np.argwhere(~from_within(flow)).tolist() == [[1, 2]]
    assert np.argwhere(warped_from_within(np.ones((3, 4), np.uint8), flow) == IGNORE).tolist() == [[1, 2]]
