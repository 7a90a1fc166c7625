"""Shared by the tests of statistics: two methods on the same clips."""

from __future__ import annotations

import pytest

from tests.stats.made import better, records


@pytest.fixture(scope="session")
def pair():
    some = records(0, 30, 5)
    for one in some:  # void is not a class to correct
        index, counts = one.states["confusion"][0]["counts"]["0"]
        kept = [(cell, count) for cell, count in zip(index, counts, strict=True) if cell < 5 * 256]
        one.states["confusion"][0]["counts"]["0"] = [[cell for cell, _ in kept], [count for _, count in kept]]
    return better(some), some
