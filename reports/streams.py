"""Rows and frame rates: accuracy of what a camera's viewer sees."""

from __future__ import annotations

from vssbench.reports.rows import Row
from vssbench.results.stream_figures import named


def curve(row: Row) -> dict[float, float]:
    """Return frames per second -> mIoU of what is shown in percent, for rates that have one, ascending."""
    entries = row.result.streaming if row.result else []
    found = {one["fps"]: one["metrics"]["mIoU"] for one in entries}
    return {fps: found[fps] for fps in sorted(found) if found[fps] is not None}


def limits(row: Row, fps: float) -> tuple[float, float] | None:
    """Return the ends of the confidence interval of a curve's point; None where there is none."""
    found = row.intervals.get(named("", fps, "sIoU"))
    return None if found is None or found.low is None or found.high is None else (found.low, found.high)
