"""The runs of a history: when each was made, at which commit, and where it can be viewed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from vssbench.environment import commit_of
from vssbench.reports.rows import Row, measured
from vssbench.results.dataframe import results_at
from vssbench.results.record import read_result
from vssbench.results.signature import SHORT

By = Literal["date", "commit"]


def read(paths: Iterable[Path]) -> list[Row]:
    """Return a row for every result at some paths: run directories, folders of them, a method's folder, a result.json.

    Records are not read. Raises UserError for a path without results and for a damaged file.
    """
    files = {file.resolve(): file for path in paths for file in results_at(path)}
    return [measured(read_result(file), file.parent) for file in files.values()]


def date(row: Row) -> datetime | None:
    """Return when the run began, in UTC; None where its result does not say."""
    try:
        found = datetime.fromisoformat((row.result and row.result.started) or "")
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def dated(rows: Sequence[Row]) -> tuple[list[tuple[datetime, Row]], list[Row]]:
    """Return the rows with their dates, oldest first, and those without a date."""
    known = [(found, row) for row in rows if (found := date(row)) is not None]
    return sorted(known, key=lambda pair: pair[0]), [row for row in rows if date(row) is None]


def version(row: Row) -> str:
    """Return the commit of the project in which the run was started, or of vssbench, or vssbench's version."""
    environment = row.result.environment if row.result else {}
    released = (environment.get("packages") or {}).get("vssbench")
    return commit_of(environment, SHORT) or (f"vssbench {released}" if released else "not known")


def machine(row: Row) -> str:
    """Return the machine of the run, whether or not speed was measured."""
    environment = row.result.environment if row.result else {}
    return str(environment.get("device_name") or environment.get("cpu") or "not known")


def shown(row: Row) -> Path | None:
    """Return the file that a reader of a run opens: its page, or its leaderboard, or its result."""
    if row.folder is None:
        return None
    run = row.folder.parent
    return next((file for name in ("report.html", "leaderboard.md") if (file := run / name).is_file()), row.folder)
