"""Shared by the tests."""

from __future__ import annotations

import sys

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # a busy machine makes single examples slow, which is no failure
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Small networks are slower on several threads than on one, much slower where tests run side by side."""
    torch = sys.modules.get("torch")
    if torch:
        torch.set_num_threads(1)
