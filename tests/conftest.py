"""Shared by the tests."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Small networks are slower on several threads than on one, much slower where tests run side by side."""
    torch = sys.modules.get("torch")
    if torch:
        torch.set_num_threads(1)
