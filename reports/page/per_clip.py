"""What the page shows below the means: each metric clip by clip, and the latencies as quantiles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vssbench.metrics.cost.latency import SCOPES
from vssbench.reports.rows import Row
from vssbench.results.record import RunResult
from vssbench.types import KINDS


def per_clip(row: Row, metrics: Sequence[str]) -> dict[str, dict[str, float] | str]:
    """Return metric -> clip -> percent, or why it is not known clip by clip; only the metrics that the row has.

    It is one number per clip, not the mean over clips that papers print. A clip that contributes nothing to the metric
    is left out.
    """
    known = row.over_clips.totals if row.over_clips else {}
    found: dict[str, dict[str, float] | str] = {}
    for name in metrics:
        total = known.get(name) or (row.intervals[name].reason if name in row.intervals else None)
        if isinstance(total, str):
            found[name] = total
        elif total is not None:
            values = total.read(total.columns)
            found[name] = {
                clip: value for clip, value in zip(total.clips, values.tolist(), strict=True) if not math.isnan(value)
            }
    return found


def aligned(values: Mapping[str, float | None], names: Sequence[str]) -> list[float | None]:
    """Return the values in the order of the names, rounded to what a plot shows; None where there is none."""
    return [None if (value := values.get(name)) is None else round(value, 2) for name in names]


def hundredths(values: Mapping[str, float], names: Sequence[str]) -> list[int | None]:
    """Return the same in hundredths, which are shorter."""
    return [None if value is None else round(100 * value) for value in aligned(values, names)]


LEVELS = np.linspace(0, 1, 41)
"""Every 2.5 %: the ends, the quartiles, the median, 90 and 95 %."""


def quantiles(result: RunResult) -> dict[str, dict[str, Any]]:
    """Return kind -> {"n": timed frames, scope: milliseconds at LEVELS}; only the kinds that were timed."""
    samples = result.samples_ms
    if not samples:
        return {}
    kind_of = np.array(samples["kind"])
    times = {scope: np.sum([samples[phase] for phase in phases], axis=0) for scope, phases in SCOPES.items()}
    found: dict[str, dict[str, Any]] = {}
    for kind in KINDS:
        chosen = kind_of == kind
        if chosen.any():
            at = {scope: np.quantile(values[chosen], LEVELS) for scope, values in times.items()}
            found[kind] = {"n": int(chosen.sum())} | {
                scope: [float(f"{time:.4g}") for time in row] for scope, row in at.items()
            }
    return found
