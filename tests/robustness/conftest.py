"""The command in this process, hundreds of times: without plots, intervals and git, which are tested elsewhere."""

from __future__ import annotations

from functools import partial

import pytest

from vssbench import environment
from vssbench.reports import read_runs, write
from vssbench.reports.tables import leaderboard


@pytest.fixture(autouse=True)
def _tables_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "write", leaderboard.write)
    monkeypatch.setattr(read_runs, "read", partial(read_runs.read, uncertainty=False))
    monkeypatch.setattr(environment, "_git", lambda *arguments: None)
