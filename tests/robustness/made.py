"""What the robustness tests share: the command in this process, and a small dataset on disk to damage."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tests.helpers.command import Outcome


def assert_refused(outcome: Outcome) -> None:
    """Check for exit status 2 or 3, one message on stderr, and nothing that could pass for a result."""
    assert outcome.status in (2, 3), outcome
    assert outcome.stdout == "", outcome
    assert outcome.stderr.count("vssbench: ") + outcome.stderr.startswith("Usage: ") == 1, outcome
    assert "Traceback" not in outcome.stderr


def vspw(
    root: Path, clips: tuple[str, ...] = ("a", "b", "c"), length: int = 3, size: tuple[int, int] = (6, 8), seed: int = 0
) -> Path:
    """A VSPW folder, split val, of random frames and labels (file values 0 to 124); returns root."""
    rng = np.random.default_rng(seed)
    for clip in clips:
        for index in range(length):
            write(root / "data" / clip / "origin" / f"{index:03d}.jpg", rng.integers(0, 256, (*size, 3), np.uint8))
            write(root / "data" / clip / "mask" / f"{index:03d}.png", rng.integers(0, 125, size, np.uint8))
    (root / "val.txt").write_text("".join(f"{clip}\n" for clip in clips))
    return root


def write(path: Path, pixels: np.ndarray) -> None:
    """Write an image file and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
