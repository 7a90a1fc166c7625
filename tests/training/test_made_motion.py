"""Synthetic earlier versions of a frame, checked at single pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vssbench.training.made_motion import blocks, earlier, movement


def scene(height: int, width: int) -> np.ndarray:
    """A smooth picture: values between its pixels are close to those of the pixels."""
    rng = np.random.default_rng(0)
    return cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("seed", range(8))
def test_image_matches_its_earlier_version_along_the_motion(seed: int) -> None:
    image = scene(120, 160)
    motion = movement(image.shape[:2], np.random.default_rng(seed))
    past = earlier(image, motion)
    inner = 0
    for y in range(10, 110, 7):
        for x in range(10, 150, 7):
            there = motion[y, x] + (x, y)
            if 1 < there[0] < 158 and 1 < there[1] < 118:
                assert np.abs(past[round(there[1]), round(there[0])].astype(int) - image[y, x]).max() < 24
                inner += 1
    assert inner > 200


def test_earlier_version_without_movement_is_the_same_image() -> None:
    image = scene(48, 64)
    np.testing.assert_array_equal(earlier(image, np.zeros((48, 64, 2), np.float32)), image)


def test_movements_vary_in_size_and_are_reproducible() -> None:
    lengths = [np.abs(movement((96, 128), np.random.default_rng(seed))).max() for seed in range(50)]
    assert lengths == [np.abs(movement((96, 128), np.random.default_rng(seed))).max() for seed in range(50)]
    assert min(lengths) < 1
    assert 8 < max(lengths) < 30


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 99))
def test_each_block_has_one_motion_vector_in_quarter_pixels(height: int, width: int, seed: int) -> None:
    motion = blocks(movement((height, width), np.random.default_rng(seed)))
    assert motion.shape == (height, width, 2)
    assert (motion * 4 == np.round(motion * 4)).all()
    for top in range(0, height, 16):
        for left in range(0, width, 16):
            block = motion[top : top + 16, left : left + 16].reshape(-1, 2)
            assert (block == block[0]).all()
