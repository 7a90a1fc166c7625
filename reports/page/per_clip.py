"""What the page shows below the means: each metric clip by clip, and the latencies as quantiles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vssbench.metrics.accuracy.clip_states import Totals
from vssbench.metrics.cost.latency import SCOPES
from vssbench.reports.rows import Row
from vssbench.results.record import RunResult
from vssbench.types import KINDS

METRICS = ("mIoU", "pixel_accuracy", "VC@8", "VC@16")
"""The metrics that are shown clip by clip: one number per clip, not the mean over clips that papers print."""


def per_clip(row: Row) -> dict[str, dict[str, float]]:
    """Return metric -> clip -> percent; empty for a row whose clips' records were not read.

    A clip that contributes nothing to the metric is left out.
    """
    known = row.over_clips.totals if row.over_clips else {}
    found: dict[str, dict[str, float]] = {}
    for name in METRICS:
        total = known.get(name)
        if isinstance(total, Totals):
            values = total.read(total.columns)
            found[name] = {
                clip: value for clip, value in zip(total.clips, values.tolist(), strict=True) if not math.isnan(value)
            }
    return found


def aligned(values: Mapping[str, float | None], names: Sequence[str]) -> list[float | None]:
    """Return the values in the order of the names, rounded to what a plot shows; None where there is none."""
    return [None if (value := values.get(name)) is None else round(value, 2) for name in names]


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
