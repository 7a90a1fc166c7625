"""A result under another protocol, from the records that the run kept. Nothing is run again."""

from __future__ import annotations

from pathlib import Path

from vssbench.fold import score
from vssbench.result import RunResult
from vssbench.stats.folder import read_folder
from vssbench.store import read_identity


def rescored(folder: Path, protocol: str) -> RunResult:
    """The result of a method's folder under `protocol`; one without accuracy has none to read again.

    Raises UserError where a clip of the result has no record.
    """
    kept = read_folder(folder)
    result = kept.result
    result.protocol = protocol  # of a result without accuracy too: it stays in one table with the others
    if result.metrics is not None:
        score(result, kept.space, kept.records, read_identity(folder)["metrics"])
    return result
