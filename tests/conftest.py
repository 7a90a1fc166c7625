"""Shared by the tests: where real data may lie, and small things to run on."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture
def camvid_root() -> Path:
    """The folder of real CamVid, where it lies beside the project."""
    root = SHARED / "data" / "camvid"
    if not root.is_dir():
        pytest.skip("real CamVid is not beside the project")
    return root
