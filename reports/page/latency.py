"""Latency by frame kind, thinned to quantiles: what a distribution plot shows, at a size that does not grow."""

from __future__ import annotations

from typing import Any

import numpy as np

from vssbench.metrics.latency import SCOPES
from vssbench.result import RunResult
from vssbench.types import KINDS

LEVELS = np.linspace(0, 1, 41)
"""Every 2.5 %: the ends, the quartiles, the median, 90 and 95 %."""


def quantiles(result: RunResult) -> dict[str, dict[str, Any]]:
    """Kind -> {"n": timed frames, scope: milliseconds at LEVELS}; only the kinds that were timed."""
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
