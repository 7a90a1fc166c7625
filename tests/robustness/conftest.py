"""The command in this process, hundreds of times: without plots, intervals and git, which are tested elsewhere."""

from __future__ import annotations

from functools import partial

import pytest

from vssbench import environment
from vssbench.reports import bundle, leaderboard, sources


@pytest.fixture(autouse=True)
def _tables_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "write", leaderboard.write)
    monkeypatch.setattr(sources, "read", partial(sources.read, uncertainty=False))
    monkeypatch.setattr(environment, "_git", lambda *arguments: None)
