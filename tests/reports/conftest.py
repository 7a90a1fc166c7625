"""Shared by the tests of the page: one small run."""

from __future__ import annotations

import pytest

from tests.reports.page import page_rows
from vssbench.reports.rows import Row


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Three measured rows of one group, best first, with hostile clip and class names."""
    folder = tmp_path_factory.mktemp("run") / "hostile"
    page_rows.small_run(folder)
    return page_rows.rows(folder)
