"""Confidence intervals and comparisons from clip records, without torch and without plots.

    interval(records, space, "mIoU", "vspw")   -> Interval(value, low, high, reason, ...)
    compare(a, b, space, "mIoU", "vspw")       -> Comparison(effect, low, high, p, reason, ...)
    holm([p, p, ...])                          -> p values corrected for their number
    intervals(folder), compare_folders(folders)   the same from methods' folders on disk

All results are determined by the records and the seed.
"""

from __future__ import annotations

from collections.abc import Sequence

from vssbench.metrics.accuracy.clip_states import Clips, ClipStates, Totals
from vssbench.specs import Spec
from vssbench.stats.bootstrap import LEAST_CLIPS, Interval, interval_of, sample
from vssbench.stats.comparison import Comparison, compare_totals
from vssbench.stats.from_folders import compare_folders, intervals
from vssbench.stats.same_clips import in_order, refuse_others, truth
from vssbench.stats.sign_flip import Alternative, holm
from vssbench.stats.totals import totals, totals_under
from vssbench.types import LabelSpace

__all__ = [
    "LEAST_CLIPS", "Comparison", "Interval", "Totals", "compare", "compare_folders", "holm", "interval", "intervals",
    "totals",
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
    """Return a metric in percent with its confidence interval over clips.

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
    """Return A minus B on the same clips: effect, interval and the p value of the sign-flip test.

    alternative: "greater" asks whether A is better (for metrics where more is better), "less" whether it is worse
    Raises NotComparable unless both are records of the same clips with the same ground truth.
    """
    first, second = Clips(protocol, space, a), Clips(protocol, space, b)
    refuse_others(truth(first), truth(second))
    one, other = (next(iter(totals_under(clips, [metric]).values())) for clips in (first, second))
    if isinstance(one, str) or isinstance(other, str):
        return Comparison(None, reason=one if isinstance(one, str) else str(other), level=level)
    return compare_totals(one, in_order(other, one.clips), level, resamples, seed, alternative)
