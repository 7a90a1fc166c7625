"""Confidence intervals and comparisons from clip records, with neither torch nor a plot.

    interval(records, space, "mIoU", "vspw")   -> Interval(value, low, high, reason, ...)
    compare(a, b, space, "mIoU", "vspw")       -> Comparison(effect, low, high, p, reason, ...)
    holm([p, p, ...])                          -> p values corrected for their number
    intervals(folder), compare_folders(folders)   the same from methods' folders on disk

Everything follows from the records and the seed.
"""

from __future__ import annotations

from collections.abc import Sequence

from vssbench.metrics.accuracy.clip_states import ClipStates, Totals
from vssbench.specs import Spec
from vssbench.stats.bootstrap import LEAST_CLIPS, Interval, interval_of, sample
from vssbench.stats.from_folders import compare_folders, intervals
from vssbench.stats.sign_flip import Alternative, Comparison, compare_totals, holm, same_clips
from vssbench.stats.totals import totals, totals_of
from vssbench.types import LabelSpace

__all__ = [
    "LEAST_CLIPS", "Comparison", "Interval", "Totals", "compare", "compare_folders", "holm", "interval", "intervals",
    "totals", "totals_of",
]  # fmt: skip


def interval(
    records: Sequence[ClipStates],
    space: LabelSpace,
    metric: str | Spec,
    protocol: str,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """A metric in percent with its confidence interval over clips.

    Raises UserError for an unknown protocol or metric and for a clip that occurs twice.
    """
    found = totals(records, space, metric, protocol)
    if isinstance(found, str):
        return Interval(None, reason=found, level=level)
    return interval_of(sample(found, resamples, seed), level)


def compare(
    a: Sequence[ClipStates],
    b: Sequence[ClipStates],
    space: LabelSpace,
    metric: str | Spec,
    protocol: str,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    alternative: Alternative = "two-sided",
) -> Comparison:
    """A minus B on the same clips: effect, interval and the p value of the sign-flip test.

    alternative: "greater" asks whether A is better (for metrics of which more is better), "less" whether it is worse
    Raises NotComparable unless both are records of the same clips with the same ground truth.
    """
    other = same_clips(a, b)
    first, second = totals(a, space, metric, protocol), totals(other, space, metric, protocol)
    if isinstance(first, str) or isinstance(second, str):
        why = first if isinstance(first, str) else second
        return Comparison(None, reason=str(why), level=level)
    return compare_totals(first, second, level, resamples, seed, alternative)
