"""Shared by the tests of the page in a browser: one browser, one page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.browser import Browser, chromium
from tests.reports.page import page_rows
from vssbench.reports import page
from vssbench.reports.rows import Row


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = chromium()
    assert program
    browser = Browser(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def written(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run, with a published row next to it and a second group that was measured for cost only."""
    cost_only = page_rows.partial("a", gflops={"amortised": 3.0})
    return page.write([*rows, page_rows.published(), cost_only], tmp_path_factory.mktemp("page"))


@pytest.fixture
def browser(started: Browser, written: Path) -> Iterator[Browser]:
    """The page, freshly opened on the run's group. Checked afterwards: no console message, no other file loaded."""
    started.open(written)
    started.evaluate("document.querySelectorAll('#groups button')[1].click()")
    yield started
    assert started.console == []
    assert [address[:40] for address in started.requests if not address.startswith("data:")] == [
        written.resolve().as_uri()[:40]
    ]
