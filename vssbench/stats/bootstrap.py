"""Clip-level bootstrap: how far would the number move with other clips of the same kind?

Clips are resampled, their totals summed and the protocol's formula applied to the sum. Frames of one clip resemble each
other, so the clip is the unit. Two things make the plain percentile interval too narrow here. With n clips its variance
is that of n - 1 degrees of freedom and no t quantile (Hesterberg, What Teachers Should Know about the Bootstrap, 2015,
section 4.3). And a class that one or two clips carry hardly varies over resamples: it is left out, or has the IoU of
those very clips, while the jackknife counts its full weight, on average never too little (Efron and Stein, The
Jackknife Estimate of Variance, 1981). So the interval has the bootstrap's shape, at t quantiles, and at least the
jackknife's width. `benchmarks/coverage.py` compares it with the percentile, basic and BCa intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from vssbench.errors import UserError
from vssbench.metrics.formulas import Floats
from vssbench.stats.totals import Totals

LEAST_CLIPS = 10
UNDEFINED = 0.01
"""Share of resamples without a number (AR-Seg's mean where a class is gone) up to which there is an interval."""
_CHUNK = 1000


@dataclass(frozen=True)
class Interval:
    """A number in percent with its confidence interval, or the reason why it has none.

    clips: how many clips say anything of it, out of those that count under the protocol
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    clips: int = 0
    level: float = 0.95


def interval_of(totals: Totals, level: float = 0.95, resamples: int = 10_000, seed: int = 0) -> Interval:
    """The interval of one metric (or of a difference: see paired.difference). The same seed gives the same interval."""
    check(level, resamples)
    value, clips = totals.value(), totals.informative
    if clips < LEAST_CLIPS:
        few = f"{clips} clip{'s' * (clips != 1)}: an interval over clips needs {LEAST_CLIPS}"
        return Interval(value, reason=few, clips=clips, level=level)
    drawn = distribution(totals, resamples, seed)
    undefined = float(np.isnan(drawn).mean())
    if undefined > UNDEFINED:
        gone = f"not a number in {100 * undefined:.0f} % of the resamples: too few clips carry one of the classes"
        return Interval(value, reason=gone, clips=clips, level=level)
    low, high = limits(value, drawn[~np.isnan(drawn)], leave_one_out(totals), level)
    return Interval(value, low, high, clips=clips, level=level)


def limits(value: float, drawn: Floats, left: Floats, level: float = 0.95) -> tuple[float, float]:
    """The ends of the interval. drawn: the number of each resample; left: of each clip left out; NaN in neither."""
    n = len(left)
    tail = stats.norm.cdf(stats.t.ppf((1 - level) / 2, n - 1))
    error = float(np.sqrt((n - 1) / n * np.square(left - left.mean()).sum()))
    spread = float(drawn.std())
    stretch = max(error / spread, np.sqrt(n / (n - 1))) if spread else 1.0
    centre = 2 * value - drawn.mean()
    low, high = centre + stretch * (np.quantile(drawn, [tail, 1 - tail]) - drawn.mean())
    return min(float(low), value), max(float(high), value)


def distribution(totals: Totals, resamples: int, seed: int) -> Floats:
    """float64[resamples] in percent: the metric of each resample of the clips, NaN where the formula has no number."""
    return apply(totals, weights(len(totals.clips), resamples, seed))


def leave_one_out(totals: Totals) -> Floats:
    """float64[clips]: the metric without each clip."""
    return totals.read(totals.columns.sum(axis=0) - totals.columns)


def apply(totals: Totals, chosen: NDArray[np.integer]) -> Floats:
    """float64[R]: the metric for each row of int[R, clips], how often each clip counts. In chunks, to bound memory."""
    parts = (chosen[first : first + _CHUNK].astype(np.float64) for first in range(0, len(chosen), _CHUNK))
    return np.concatenate([totals.read(part @ totals.columns) for part in parts])


@lru_cache(maxsize=4)
def weights(clips: int, resamples: int, seed: int) -> NDArray[np.uint16]:
    """uint16[resamples, clips]: how often each clip is drawn. The same for every method: that makes them pairs."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(clips, np.full(clips, 1 / clips), size=resamples).astype(np.uint16)
    drawn.flags.writeable = False
    return drawn


def check(level: float, resamples: int) -> None:
    if not 0.5 <= level < 1:
        raise UserError(f"the confidence level is {level}", expected="at least 0.5 and below 1, such as 0.95")
    if resamples < 100:
        raise UserError(f"{resamples} resamples are too few", expected="100 or more, better 10000")
