"""Networks on frames of any size: labels of the frame's size, and never a crash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.command import vssbench
from tests.robustness.made import write

METHODS = (
    *("mask2former", "mpvss", "mrcfa", "psp18", "hold(of=psp18,key_interval=2)", "flowwarp(of=psp18,key_interval=2)"),
    *("arseg", "videomt"),
)
SIZES = ((1, 1), (1, 40), (5000, 3), (17, 33), (37, 5000))


def predicted(method: str, size: tuple[int, int], folder: Path) -> list[np.ndarray]:
    """Labels of three frames of noise."""
    rng = np.random.default_rng(0)
    for index in range(3):
        write(folder / "frames" / f"{index}.png", rng.integers(0, 256, (*size, 3), np.uint8))
    what = ["--frames", folder / "frames", "--output", folder / "out", "--labels", "synthetic"]
    done = vssbench("predict", method, *what)
    assert done.status == 0, done
    return [np.asarray(Image.open(file)) for file in sorted(folder.glob("out/*/*.png"))]


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("method", METHODS)
def test_network_labels_have_the_size_of_unusually_sized_frames(
    method: str, size: tuple[int, int], tmp_path: Path
) -> None:
    found = predicted(method, size, tmp_path)
    assert [labels.shape for labels in found] == [size] * 3
    assert max(int(labels.max()) for labels in found) < 11


def test_mpvss_labels_frames_of_one_pixel(tmp_path: Path) -> None:
    assert [labels.shape for labels in predicted("mpvss", (1, 1), tmp_path)] == [(1, 1)] * 3
