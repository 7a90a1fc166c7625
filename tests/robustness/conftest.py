"""The command in this process, hundreds of times: without the plots, which are tested elsewhere."""

from __future__ import annotations

import pytest

from vssbench.reports import bundle, leaderboard


@pytest.fixture(autouse=True)
def _tables_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "write", leaderboard.write)
