"""Shared by the tests: where real data may lie, and small things to run on."""

from __future__ import annotations

import sys
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


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Small networks are slower on several threads than on one, much slower where tests run side by side."""
    torch = sys.modules.get("torch")
    if torch:
        torch.set_num_threads(1)
