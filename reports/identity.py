"""Who a row is: its name in a table, the spec behind the name, and the weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from vssbench.reports.rows import Row
from vssbench.reports.short_names import distinct
from vssbench.result import RunResult


def names(rows: Sequence[Row]) -> list[str]:
    """The methods; what stands there more than once is counted: `mpvss`, `mpvss #2`."""
    methods = [row.method for row in rows]
    return distinct(methods, methods)


def resolved(row: Row) -> str | None:
    """The spec with every default, where the method's name does not say it all."""
    found = row.result.resolved if row.result else None
    return None if found == row.method else found


def weights(result: RunResult) -> str | None:
    """Where the weights are from, or why there are none; None for a method that never has any.

    A file is known by its hash, not by where it lay.
    """
    found = result.weights
    if found.origin == "none":
        return None
    if found.sha256 is None:
        return found.origin
    return f"{found.origin} {PurePath(found.path or '').name}, sha256 {found.sha256[:12]}"
