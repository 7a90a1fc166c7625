"""The key-frame interval of a row, and the method without it: rows that differ in nothing else are one curve."""

from __future__ import annotations

from vssbench.names import Spec, parse
from vssbench.reports.rows import Row


def interval(row: Row) -> int | None:
    """The fixed interval in frames, given or by default; None for a method that has none."""
    resolved = row.result.resolved if row.result and row.result.resolved else row.method
    given = parse(row.method).get("key_interval", parse(resolved).get("key_interval"))
    return given if isinstance(given, int) else None


def without_interval(row: Row) -> str:
    """The method without its interval, where that is a number of frames."""
    spec = parse(row.method)
    if not isinstance(spec.get("key_interval", 0), int):
        return row.method
    return str(Spec(spec.name, tuple(pair for pair in spec.args if pair[0] != "key_interval"), spec.at))
